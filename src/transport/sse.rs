//! Server-sent events, read as they arrive: each event's instant is taken when its last line is complete.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::TransportError;
use super::client::{Begun, Client, Limits, Seen};
use super::decode::Decoder;
use super::listening::{Listening, Pace, Until};
use super::redirect::Redirects;
use crate::event::{ErrorKind, Timings};
use crate::plan::Address;
use crate::plan::expectation::Headers;

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
    pub headers: Headers,
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
    /// From one token to the next.
    pub gaps: Vec<Duration>,
}

impl Streamed {
    fn seen_as(mut self, seen: &mut Seen) -> Self {
        self.timings = seen.timings;
        self.gaps = std::mem::take(&mut seen.gaps);
        self
    }
}

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct SseEvent {
    /// Its name; `message` if it has none.
    name: String,
    /// Its data, lines joined.
    data: String,
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
        listening: impl Into<Listening<'_>>,
        redirects: Option<&Redirects<'_>>,
    ) -> Result<Streamed, TransportError> {
        let listening = listening.into();
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
            self.read_stream(begun, passed, limits, listening, sent, &mut seen)
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
        listening: Listening<'_>,
        sent: Instant,
        seen: &mut Seen,
    ) -> Result<Streamed, TransportError> {
        let (head, mut body) = (begun.head, begun.body);
        let status = head.status.as_u16();
        seen.status = Some(status);
        seen.timings = begun.timings;
        let is_stream = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|v| v.as_bytes().get(..EVENT_STREAM.len()))
            .is_some_and(|v| v.eq_ignore_ascii_case(EVENT_STREAM));
        let mut streamed = Streamed {
            status,
            headers: head.headers,
            body: Vec::new(),
            events: 0,
            last_event: None,
            bytes: passed,
            timings: begun.timings,
            gaps: Vec::new(),
        };
        let mut decoder = Decoder::of(&streamed.headers, limits.max_body)?;
        let mut parser = Parser::default();
        let mut pace = Pace::default();
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
                let is_token = listening.is_token(&event.name, &event.data);
                pace.event(now, is_token, &mut seen.timings, &mut seen.gaps);
                let ends = listening.ends_at(&event.name, &event.data);
                streamed.body = event.data.into_bytes();
                streamed.last_event = Some(event.name);
                if ends {
                    // The rest of the stream is not awaited, so the connection can't be used again.
                    seen.timings.end = now;
                    return Ok(streamed.seen_as(seen));
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
        seen.timings.end = sent.elapsed();
        if is_stream {
            // Silence before the end is silence too.
            pace.silence(seen.timings.end, &mut seen.timings);
        }
        self.keep(begun.origin, begun.connection);
        match listening.until {
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
            _ => Ok(streamed.seen_as(seen)),
        }
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
}
