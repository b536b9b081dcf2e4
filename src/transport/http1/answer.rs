//! The head of an answer: status, headers, and what they say about the body (RFC 9112, 6.3).

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{EMPTY_HEADER, Error as ParseError, Status};

use super::body::Rest;
use super::{MAX_HEAD, head_too_large, invalid};
use crate::plan::expectation::Headers;
use crate::transport::TransportError;
use crate::transport::link::{Head, Marks};

/// Most headers of an answer.
const MAX_HEADERS: usize = 100;

/// The head of an answer.
pub(super) struct Answer {
    pub(super) head: Head,
    /// What is to come of its body, unless the request wanted none.
    pub(super) rest: Rest,
    /// Whether the peer says that it takes another request.
    pub(super) keeps_alive: bool,
}

/// Takes the head of the answer out of what was read, if it is there as a whole, and what comes before it (1xx).
/// `looked_at` is how much was looked at before.
pub(super) fn take(
    read: &mut BytesMut,
    looked_at: &mut usize,
) -> Result<Option<Answer>, TransportError> {
    while let Some(length) = end_of_head(read, looked_at.saturating_sub(3)) {
        *looked_at = 0;
        if length > MAX_HEAD {
            return Err(head_too_large());
        }
        let answer = read_head(&read.split_to(length).freeze())?;
        let status = answer.head.status;
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(answer));
        }
    }
    // What is no HTTP may never come to the end of a head: it is told as soon as it can be.
    if *looked_at == 0 && !read.is_empty() {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        head.parse(read).map_err(not_http)?;
    }
    *looked_at = read.len();
    if read.len() > MAX_HEAD {
        return Err(head_too_large());
    }
    Ok(None)
}

/// Where the empty line ends that ends a head. Lines may end without a carriage return, as everywhere in HTTP.
fn end_of_head(read: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', read.get(at..)?)? + 1;
        match read.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

fn not_http(error: ParseError) -> TransportError {
    match error {
        ParseError::TooManyHeaders => head_too_large(),
        error => invalid(format_args!(
            "{error} (does something else listen there, or does the address begin with https://?)"
        )),
    }
}

fn read_head(bytes: &Bytes) -> Result<Answer, TransportError> {
    let mut room = [EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut room);
    if parsed.parse(bytes).map_err(not_http)? == Status::Partial {
        return Err(invalid("its headers end too early"));
    }
    let status = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| invalid("its status is none"))?;
    let mut framing = Framing {
        // Since HTTP/1.1, a connection is kept unless somebody says otherwise.
        keeps_alive: parsed.version == Some(1),
        ..Framing::default()
    };
    let mut marks = Marks::default();
    for header in &*parsed.headers {
        framing.hear(header)?;
        marks.note(header.name);
    }
    let upgrades = status == StatusCode::SWITCHING_PROTOCOLS;
    Ok(Answer {
        rest: match status {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Rest::Nothing,
            _ if upgrades => Rest::Nothing,
            _ => framing.rest(),
        },
        keeps_alive: framing.keeps_alive && !upgrades && !framing.is_doubtful(),
        head: Head {
            status,
            headers: Headers::unread(bytes.clone(), read_headers),
            marks,
        },
    })
}

/// The headers of a head that was found to be one before.
fn read_headers(bytes: &Bytes) -> HeaderMap {
    let mut room = [EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut room);
    let _ = parsed.parse(bytes);
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in &*parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        // Both take what the other one takes, but for names of more than 64 KB.
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// What headers say about the body and the connection.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    encoded: bool,
    chunked: bool,
    keeps_alive: bool,
}

impl Framing {
    fn hear(&mut self, header: &httparse::Header<'_>) -> Result<(), TransportError> {
        let (name, value) = (header.name, header.value);
        if name.eq_ignore_ascii_case("content-length") {
            for part in value.split(|b| *b == b',') {
                let length = number(part.trim_ascii())
                    .filter(|n| self.length.is_none_or(|before| before == *n))
                    .ok_or_else(|| invalid("its content-length is no one number"))?;
                self.length = Some(length);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.encoded = true;
            // Only the last one says how the body ends.
            let last = value.rsplit(|b| *b == b',').next().unwrap_or_default();
            self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            for part in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                if part.eq_ignore_ascii_case(b"close") {
                    self.keeps_alive = false;
                } else if part.eq_ignore_ascii_case(b"keep-alive") {
                    self.keeps_alive = true;
                }
            }
        }
        Ok(())
    }

    fn rest(&self) -> Rest {
        match self.length {
            _ if self.chunked => Rest::chunks(),
            _ if self.encoded => Rest::UntilClosed,
            Some(0) => Rest::Nothing,
            Some(length) => Rest::Length(length),
            None => Rest::UntilClosed,
        }
    }

    /// Two ends for one body: somebody between here and there may have taken the other one.
    fn is_doubtful(&self) -> bool {
        self.encoded && self.length.is_some()
    }
}

/// A number of nothing but digits.
fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}
