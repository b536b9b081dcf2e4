//! Why an exchange did not come to a complete answer.

use std::error::Error as _;
use std::io;

use crate::event::{ErrorKind, Timings};

/// An exchange that failed, how far it came, and what happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened, for a reader; may name hosts, never holds bodies.
    pub message: String,
    /// Status of the answer, if one had begun.
    pub status: Option<u16>,
    /// How far it came; `end` is when it failed.
    pub timings: Timings,
}

impl TransportError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            timings: Timings::default(),
        }
    }

    /// Reads an I/O error; `doing` says what was attempted.
    pub(super) fn io(doing: &str, error: &io::Error) -> Self {
        let kind = match (error.kind(), error.raw_os_error()) {
            // EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS: this machine is out of something.
            (_, Some(24 | 23 | 99 | 105)) | (io::ErrorKind::OutOfMemory, _) => ErrorKind::Local,
            (io::ErrorKind::TimedOut, _) => ErrorKind::Timeout,
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
        let mut cause = error.source();
        while let Some(error) = cause
            && !error.is::<io::Error>()
        {
            cause = error.source();
        }
        if let Some(io) = cause.and_then(|c| c.downcast_ref::<io::Error>()) {
            return Self::io("the connection failed", io);
        }
        let (kind, message) =
            if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
                (
                    ErrorKind::Reset,
                    "the connection was closed before the answer was complete".to_owned(),
                )
            } else if error.is_timeout() {
                (ErrorKind::Timeout, "the connection timed out".to_owned())
            } else {
                let cause = error
                    .source()
                    .map_or_else(String::new, |cause| format!(": {cause}"));
                (
                    ErrorKind::Protocol,
                    format!("the answer is not valid HTTP: {error}{cause}"),
                )
            };
        Self::new(kind, message)
    }

    pub(super) fn at(mut self, status: Option<u16>, timings: Timings) -> Self {
        self.status = status;
        self.timings = timings;
        self
    }
}
