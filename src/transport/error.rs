//! Why an exchange did not come to a complete answer.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::event::{ErrorKind, Timings};

/// An exchange that failed, how far it came, and what happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened, for a reader; may name hosts, never holds bodies.
    pub message: Box<str>,
    /// Status of the answer, if one had begun.
    pub status: Option<u16>,
    /// How far it came; `end` is when it failed.
    pub timings: Timings,
    /// For streams: from one token to the next, as far as it came.
    pub gaps: Box<[Duration]>,
}

impl TransportError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into().into_boxed_str(),
            status: None,
            timings: Timings::default(),
            gaps: Box::default(),
        }
    }

    /// Reads an I/O error; `doing` says what was attempted.
    pub(super) fn io(doing: &str, error: &io::Error) -> Self {
        let kind = match (error.kind(), error.raw_os_error()) {
            // EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS: this machine is out of something.
            (_, Some(24 | 23 | 99 | 105)) | (io::ErrorKind::OutOfMemory, _) => ErrorKind::Local,
            (io::ErrorKind::TimedOut, _) => ErrorKind::Timeout,
            _ if error
                .get_ref()
                .is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) =>
            {
                ErrorKind::Tls
            }
            (
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof,
                _,
            ) => ErrorKind::Reset,
            _ => ErrorKind::Connect,
        };
        let hint = if kind == ErrorKind::Local && error.raw_os_error() == Some(24) {
            " (raise the limit with `ulimit -n`, or lower the number of users)"
        } else {
            ""
        };
        Self::new(kind, format!("{doing}: {error}{hint}"))
    }

    /// Reads an error of the HTTP library.
    pub(super) fn http(error: &hyper::Error) -> Self {
        if let Some(error) = cause_of::<h2::Error>(error) {
            return Self::http2(error);
        }
        if let Some(io) = cause_of::<io::Error>(error) {
            return match io.kind() {
                // So it calls lengths and chunks that can't be read.
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                    if cause_of::<rustls::Error>(error).is_none() =>
                {
                    Self::new(
                        ErrorKind::Protocol,
                        format!("the answer is not valid HTTP: {io}"),
                    )
                }
                _ => Self::io("the connection failed", io),
            };
        }
        let told = |kind, message: &str| Self::new(kind, message);
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            let what = "the connection was closed before the answer was complete";
            return told(ErrorKind::Reset, what);
        }
        if error.is_timeout() {
            return told(ErrorKind::Timeout, "the connection timed out");
        }
        if error.is_parse_too_large() {
            let what = "the headers of the answer are more than 100, or longer than 256 KB";
            return told(ErrorKind::TooLarge, what);
        }
        let hint = if error.is_parse() {
            " (does something else listen there, or does the address begin with https://?)"
        } else {
            ""
        };
        let cause = error
            .source()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        Self::new(
            ErrorKind::Protocol,
            format!("the answer is not valid HTTP: {error}{cause}{hint}"),
        )
    }

    /// Reads an error of HTTP/2.
    fn http2(error: &h2::Error) -> Self {
        if let Some(io) = error.get_io() {
            return Self::io("the connection failed", io);
        }
        if error.is_remote() && (error.is_reset() || error.is_go_away()) {
            return Self::new(ErrorKind::Reset, format!("the server gave up: {error}"));
        }
        Self::new(
            ErrorKind::Protocol,
            format!(
                "the answer is not valid HTTP/2: {error} (does the server speak it? `http2` in gates.toml says so)"
            ),
        )
    }

    pub(super) fn at(mut self, status: Option<u16>, timings: Timings, gaps: Vec<Duration>) -> Self {
        self.status = status;
        self.timings = timings;
        self.gaps = gaps.into_boxed_slice();
        self
    }
}

/// The first cause of this type in an error.
pub(super) fn cause_of<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // What stands in an I/O error is passed over by its `source`, which is that thing's own.
        cause = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
