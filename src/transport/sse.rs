//! Server-sent events, read as they arrive: each event's instant is taken when its last line is complete.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;

use super::TransportError;
use super::client::{Begun, Client, Limits, Seen};
use super::decode::Decoder;
use super::redirect::Redirects;
use crate::event::{ErrorKind, Timings};
use crate::plan::Address;

/// What the content type of an event stream begins with, in whatever case.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Most bytes of one event: what is kept while its end is awaited.
pub(super) const MAX_EVENT: usize = 1024 * 1024;

/// A stream, read to where it was to be read.
#[derive(Debug)]
pub struct Streamed {
    /// Status of the answer.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The data of the last event; the whole body if the answer was no event stream.
    pub body: Vec<u8>,
    /// Number of events.
    pub events: u64,
    /// Name of the last event.
    pub last_event: Option<String>,
    /// Bytes that came.
    pub bytes: u64,
    /// The clocks.
    pub timings: Timings,
}

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct SseEvent {
    /// Its name; `message` if it has none.
    name: String,
    /// Its data, lines joined.
    data: String,
}

/// What ends the reading.
pub enum Until<'a> {
    /// The end of the stream.
    End,
    /// The first event for which this holds; a stream that ends before it is truncated.
    Event(&'a (dyn Fn(&str, &str) -> bool + Sync)),
}

impl Client {
    /// Sends a request and reads the events of its answer.
    ///
    /// # Errors
    /// When the stream did not come to its end, or to the event waited for, within the limits.
    pub async fn stream(
        &mut self,
        address: &Address,
        request: Request<Full<Bytes>>,
        limits: Limits,
        until: Until<'_>,
        redirects: Option<&Redirects<'_>>,
    ) -> Result<Streamed, TransportError> {
        let sent = Instant::now();
        let mut seen = Seen::default();
        let mut alarm = std::mem::take(&mut self.alarm);
        let mut read = Box::pin(async {
            let (begun, passed) = match redirects {
                None => (self.begin(address, request, sent).await?, 0),
                Some(redirects) => {
                    self.follow(address, request, limits, redirects, sent, &mut seen)
                        .await?
                }
            };
            self.read_stream(begun, passed, limits, until, sent, &mut seen)
                .await
        });
        let ended = alarm.within(sent, limits.timeout, read.as_mut()).await;
        drop(read);
        self.alarm = alarm;
        if ended.is_none() {
            self.distrust();
        }
        seen.judge(ended, sent, limits)
    }

    async fn read_stream(
        &mut self,
        mut begun: Begun,
        passed: u64,
        limits: Limits,
        until: Until<'_>,
        sent: Instant,
        seen: &mut Seen,
    ) -> Result<Streamed, TransportError> {
        let (parts, mut body) = begun.response.into_parts();
        let status = parts.status.as_u16();
        seen.status = Some(status);
        seen.timings = begun.timings;
        let is_stream = parts
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|v| v.as_bytes().get(..EVENT_STREAM.len()))
            .is_some_and(|v| v.eq_ignore_ascii_case(EVENT_STREAM));
        let mut streamed = Streamed {
            status,
            headers: parts.headers,
            body: Vec::new(),
            events: 0,
            last_event: None,
            bytes: passed,
            timings: begun.timings,
        };
        let mut decoder = Decoder::of(&streamed.headers, limits.max_body)?;
        let mut parser = Parser::default();
        let mut gaps = Gaps::default();
        while let Some(data) = begun.connection.piece(&mut body).await {
            let data = data?;
            let now = sent.elapsed();
            streamed.bytes += data.len() as u64;
            if streamed.bytes > limits.max_body as u64 {
                return Err(TransportError::new(
                    ErrorKind::TooLarge,
                    format!("the stream is longer than {} bytes", limits.max_body),
                ));
            }
            let data = match &mut decoder {
                Some(decoder) => decoder.push(data)?,
                None => data,
            };
            if !is_stream {
                streamed.body.extend_from_slice(&data);
                continue;
            }
            for event in parser.feed(&data) {
                streamed.events += 1;
                gaps.note(now, &mut streamed.timings, !event.data.is_empty());
                seen.timings = streamed.timings;
                let ends = matches!(&until, Until::Event(holds) if holds(&event.name, &event.data));
                streamed.body = event.data.into_bytes();
                streamed.last_event = Some(event.name);
                if ends {
                    // The rest of the stream is not awaited, so the connection can't be used again.
                    streamed.timings.end = now;
                    return Ok(streamed);
                }
            }
            if parser.held() > MAX_EVENT {
                return Err(TransportError::new(
                    ErrorKind::TooLarge,
                    format!("one event of the stream is longer than {MAX_EVENT} bytes"),
                ));
            }
        }
        if let Some(decoder) = &mut decoder {
            // All that was said is out already: what could still come is the news that it was cut short.
            decoder.finish()?;
        }
        streamed.timings.end = sent.elapsed();
        if is_stream {
            // Silence before the end is silence too.
            gaps.note(streamed.timings.end, &mut streamed.timings, false);
        }
        seen.timings = streamed.timings;
        self.keep(begun.origin, begun.connection);
        match until {
            Until::Event(_) if !is_stream && (200..300).contains(&status) => {
                Err(TransportError::new(
                    ErrorKind::Protocol,
                    "the answer is no event stream, so what was waited for can't come",
                ))
            }
            Until::End if is_stream && parser.is_inside() => Err(TransportError::new(
                ErrorKind::Truncated,
                "the stream ended in the middle of an event",
            )),
            Until::Event(_) if is_stream => Err(TransportError::new(
                ErrorKind::Truncated,
                format!(
                    "the stream ended after {} events, before the one waited for",
                    streamed.events
                ),
            )),
            _ => Ok(streamed),
        }
    }
}

/// Notes the first token and the longest silence. The first gap is the one before the second piece.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    last: Option<Duration>,
}

impl Gaps {
    pub(super) fn note(&mut self, now: Duration, timings: &mut Timings, has_content: bool) {
        if has_content && timings.first_token.is_none() {
            timings.first_token = Some(now);
        }
        if let Some(last) = self.last {
            let gap = now.saturating_sub(last);
            timings.max_gap = Some(timings.max_gap.map_or(gap, |longest| longest.max(gap)));
        }
        self.last = Some(now);
    }
}

/// Splits bytes into events, by the WHATWG's rules; an event that is not ended by an empty line is none.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    any: bool,
    after_cr: bool,
}

impl Parser {
    /// Bytes that are kept until the event ends.
    fn held(&self) -> usize {
        self.line.len() + self.name.len() + self.data.len()
    }

    /// Whether an event was begun and not ended.
    fn is_inside(&self) -> bool {
        self.any || !self.line.is_empty()
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    if let Some(event) = self.end_line() {
                        events.push(event);
                    }
                }
                _ => {
                    self.after_cr = false;
                    self.line.push(byte);
                }
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_start_matches('\u{feff}');
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let mut data = std::mem::take(&mut self.data);
            if !std::mem::take(&mut self.any) {
                return None;
            }
            data.pop();
            return Some(SseEvent {
                name: if name.is_empty() {
                    "message".to_owned()
                } else {
                    name
                },
                data,
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
                self.any = true;
            }
            // Comments (empty field), ids and retry times don't matter here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        pieces
            .iter()
            .flat_map(|p| parser.feed(p.as_bytes()))
            .map(|e| (e.name, e.data))
            .collect()
    }

    #[test]
    fn events_are_split_wherever_the_bytes_are() {
        let whole = "event: token\ndata: {\"a\":1}\n\n: comment\n\ndata: x\ndata:  y\n\nevent: done\r\ndata\r\n\r\ndata: lost";
        let expected: Vec<_> = [("token", "{\"a\":1}"), ("message", "x\n y"), ("done", "")]
            .map(|(n, d)| (n.to_owned(), d.to_owned()))
            .to_vec();
        assert_eq!(events(&[whole]), expected);
        for cut in 1..whole.len() {
            assert_eq!(
                events(&[&whole[..cut], &whole[cut..]]),
                expected,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn gaps_and_first_token() {
        let (mut gaps, mut timings) = (Gaps::default(), Timings::default());
        let ms = Duration::from_millis;
        gaps.note(ms(5), &mut timings, false);
        gaps.note(ms(20), &mut timings, true);
        gaps.note(ms(120), &mut timings, true);
        gaps.note(ms(125), &mut timings, true);
        assert_eq!(
            timings.first_token,
            Some(ms(20)),
            "an empty piece is no token"
        );
        assert_eq!(timings.max_gap, Some(ms(100)));
    }
}
