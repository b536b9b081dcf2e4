//! The ways in which a request can go wrong, kept apart because they need different people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request does not count as a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The host's name has no address.
    Resolve,
    /// No connection: refused, unreachable.
    Connect,
    /// The TLS handshake failed, the certificate among it.
    Tls,
    /// No complete answer in the time allowed.
    Timeout,
    /// The connection was closed or reset in the middle of an exchange.
    Reset,
    /// The answer breaks the protocol.
    Protocol,
    /// The answer is longer than the bound.
    TooLarge,
    /// A stream or socket ended before what was waited for.
    Truncated,
    /// An `expect` did not hold.
    Expectation,
    /// A `capture` found nothing.
    Capture,
    /// This machine could not send: no file descriptors, no memory, no route.
    Local,
    /// Still under way when the grace period after the load ended.
    CutOff,
}

impl ErrorKind {
    /// Whether a complete answer came back, so that its latency is known.
    #[must_use]
    pub fn answered(self) -> bool {
        matches!(self, Self::Expectation | Self::Capture)
    }

    /// Whether the fault lies on this side of the wire, so that nothing is said about the stack.
    #[must_use]
    pub fn own_side(self) -> bool {
        matches!(self, Self::Resolve | Self::Local)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name not resolved",
            Self::Connect => "no connection",
            Self::Tls => "TLS failed",
            Self::Timeout => "timed out",
            Self::Reset => "connection lost",
            Self::Protocol => "protocol broken",
            Self::TooLarge => "answer too large",
            Self::Truncated => "ended early",
            Self::Expectation => "expectation failed",
            Self::Capture => "nothing to capture",
            Self::Local => "could not send",
            Self::CutOff => "cut off at the end",
        })
    }
}
