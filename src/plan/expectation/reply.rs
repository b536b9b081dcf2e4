//! What queries can be asked of: a borrowed view of one answer.

use std::cell::OnceCell;

use serde_json::Value;

use super::Headers;
use crate::event::Timings;

/// One answer, whichever protocol it came by.
#[derive(Debug)]
pub struct Reply<'a> {
    /// HTTP status, of the handshake for a WebSocket; nothing if there was none.
    pub status: Option<u16>,
    /// Response headers.
    pub headers: Option<&'a Headers>,
    /// The body; for a stream the data of all events, for a WebSocket the last message.
    pub body: &'a [u8],
    /// Its clocks.
    pub timings: Timings,
    /// Events of a stream or messages of a socket.
    pub events: u64,
    /// Name of the last event of a stream.
    pub last_event: Option<&'a str>,
    json: OnceCell<Option<Value>>,
}

impl<'a> Reply<'a> {
    /// A view of an answer with a body.
    #[must_use]
    pub fn new(
        status: Option<u16>,
        headers: Option<&'a Headers>,
        body: &'a [u8],
        timings: Timings,
    ) -> Self {
        Self {
            status,
            headers,
            body,
            timings,
            events: 0,
            last_event: None,
            json: OnceCell::new(),
        }
    }

    /// Whether the body was parsed already.
    pub(super) fn is_built(&self) -> bool {
        self.json.get().is_some()
    }

    /// The body as JSON, parsed at the first question and then kept; nothing if it is none.
    pub fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| serde_json::from_slice(self.body).ok())
            .as_ref()
    }
}
