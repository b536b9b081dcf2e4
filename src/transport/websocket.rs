//! A short conversation over a WebSocket: open, send, wait for a message.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::TransportError;
use super::client::{Client, Limits, Seen};
use super::error::cause_of;
use super::link::Marks;
use super::listening::{Listening, Pace};
use super::metered::{Metered, Spent};
use crate::event::{ErrorKind, Timings};
use crate::plan::Address;
use crate::plan::expectation::Headers;

/// A conversation that came to the message waited for.
#[derive(Debug)]
pub struct Conversed {
    /// Status of the handshake, 101.
    pub status: u16,
    /// Headers of the handshake's answer.
    pub headers: Headers,
    /// The last message.
    pub body: Vec<u8>,
    /// Messages that came.
    pub events: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// The clocks.
    pub timings: Timings,
    /// From one token to the next.
    pub gaps: Vec<Duration>,
}

impl Client {
    /// Opens a WebSocket, sends messages, and reads until the one that is waited for.
    ///
    /// # Errors
    /// When the handshake is refused, or the socket closes or the time passes before that message.
    pub async fn converse(
        &mut self,
        address: &Address,
        headers: Vec<(HeaderName, HeaderValue)>,
        send: Vec<String>,
        limits: Limits,
        listening: impl Into<Listening<'_>>,
    ) -> Result<Conversed, TransportError> {
        let listening = listening.into();
        let sent = Instant::now();
        let mut seen = Seen::default();
        let mut alarm = std::mem::take(&mut self.alarm);
        let mut talk =
            Box::pin(self.talk(address, headers, send, limits, listening, sent, &mut seen));
        let ended = alarm.within(sent, limits.timeout, talk.as_mut()).await;
        drop(talk);
        self.alarm = alarm;
        seen.judge(ended, sent, limits)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the inside of `converse`, apart only so that a time limit can surround it"
    )]
    async fn talk(
        &mut self,
        address: &Address,
        headers: Vec<(HeaderName, HeaderValue)>,
        send: Vec<String>,
        limits: Limits,
        listening: Listening<'_>,
        sent: Instant,
        seen: &mut Seen,
    ) -> Result<Conversed, TransportError> {
        let origin = &address.origin;
        let wire = self.connector.socket(origin).await?;
        seen.timings.connect = Some(sent.elapsed());
        let scheme = if origin.tls { "wss" } else { "ws" };
        let host = origin.header.to_str().unwrap_or(&origin.host);
        let url = format!("{scheme}://{host}{}", address.path);
        let mut request = url.into_client_request().map_err(|e| socket_error(&e))?;
        request.headers_mut().extend(headers);
        self.add_cookies(address, request.headers_mut());
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits.max_body))
            .max_frame_size(Some(limits.max_body));
        let wire = Metered::new(wire, limits.max_body);
        let (mut socket, response) = client_async_with_config(request, wire, Some(config))
            .await
            .map_err(|e| socket_error(&e))?;
        if Marks::of(response.headers()).cookies {
            self.store_cookies(address, response.headers());
        }
        let status = response.status().as_u16();
        seen.timings.headers = Some(sent.elapsed());
        seen.status = Some(status);
        for message in send {
            socket
                .send(Message::text(message))
                .await
                .map_err(|e| socket_error(&e))?;
        }
        let mut conversed = Conversed {
            status,
            headers: response.headers().clone().into(),
            body: Vec::new(),
            events: 0,
            bytes: 0,
            timings: seen.timings,
            gaps: Vec::new(),
        };
        let mut pace = Pace::default();
        while let Some(message) = socket.next().await {
            let body = match message.map_err(|e| socket_error(&e))? {
                Message::Text(text) => text.as_bytes().to_vec(),
                Message::Binary(data) => data.to_vec(),
                Message::Close(_) => break,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            let now = sent.elapsed();
            conversed.events += 1;
            conversed.bytes += body.len() as u64;
            let text = String::from_utf8_lossy(&body);
            let is_token = listening.is_token("message", &text);
            pace.event(now, is_token, &mut seen.timings, &mut seen.gaps);
            let ends = listening.ends_at("message", &text);
            conversed.body = body;
            if ends {
                seen.timings.end = now;
                conversed.timings = seen.timings;
                conversed.gaps = std::mem::take(&mut seen.gaps);
                // A farewell that fails takes nothing from what was heard.
                let _ = socket.close(None).await;
                return Ok(conversed);
            }
        }
        Err(TransportError::new(
            ErrorKind::Truncated,
            format!(
                "the socket was closed after {} messages, before the one waited for",
                conversed.events
            ),
        ))
    }
}

fn socket_error(error: &WsError) -> TransportError {
    match error {
        WsError::Http(response) => {
            let mut refused = TransportError::new(
                ErrorKind::Protocol,
                format!("the handshake was refused with {}", response.status()),
            );
            refused.status = Some(response.status().as_u16());
            refused
        }
        WsError::Io(error) => match cause_of::<Spent>(error) {
            Some(spent) => TransportError::new(ErrorKind::TooLarge, spent.to_string()),
            None => TransportError::io("the socket failed", error),
        },
        WsError::ConnectionClosed | WsError::AlreadyClosed => TransportError::new(
            ErrorKind::Truncated,
            "the socket was closed before the message waited for",
        ),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => TransportError::new(
            ErrorKind::Reset,
            "the socket was cut off without a farewell",
        ),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => TransportError::new(
            ErrorKind::Reset,
            "the connection was closed in the middle of the handshake",
        ),
        WsError::Capacity(error) => TransportError::new(ErrorKind::TooLarge, error.to_string()),
        WsError::AttackAttempt => TransportError::new(
            ErrorKind::TooLarge,
            "the headers of the handshake's answer are too long",
        ),
        other => TransportError::new(ErrorKind::Protocol, other.to_string()),
    }
}
