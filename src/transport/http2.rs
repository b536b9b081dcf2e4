//! An HTTP/2 connection, moved by a task of its own, since the peer may speak at any time.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::AbortHandle;

use super::TransportError;
use super::error::cause_of;
use super::http1::MAX_HEAD;
use super::link::Unanswered;
use super::wire::Wire;
use crate::plan::Origin;

/// Bytes that the peer may send unasked, on one stream and on all of them.
const WINDOW: u32 = 1024 * 1024;

/// An HTTP/2 connection. Clones are the same one; it is closed with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    scheme: Scheme,
    _task: Arc<Task>,
}

/// Moves the connection until nobody needs it. A peer that takes nothing can't hold it up.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2 {
    /// Begins HTTP/2 on a stream.
    pub(super) async fn begin(wire: Wire, origin: &Origin) -> Result<Self, TransportError> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|e| TransportError::http(&e))?;
        // Its error reaches the request under way; without one, nobody needs it.
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            scheme: if origin.tls {
                Scheme::HTTPS
            } else {
                Scheme::HTTP
            },
            _task: Arc::new(Task(task.abort_handle())),
        })
    }

    /// Whether the peer still takes requests, as far as is known.
    pub(super) fn is_ready(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and waits for the head of its answer. One that the peer did not look at comes back.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let original = request.clone();
        let host = request.headers_mut().remove(header::HOST);
        *request.uri_mut() = self.absolute(&original, host.as_ref());
        let answer = self.sender.try_send_request(request).await;
        answer.map_err(|mut error| {
            let untouched = error.take_message().is_some() || was_refused(error.error());
            let error = TransportError::http(error.error());
            (error, untouched.then_some(original))
        })
    }

    /// The address in full, of which HTTP/2 makes its own headers.
    fn absolute(&self, request: &Request<Full<Bytes>>, host: Option<&HeaderValue>) -> Uri {
        let path = request.uri().path_and_query().cloned();
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = host.and_then(|h| h.as_bytes().try_into().ok());
        parts.path_and_query = path;
        Uri::from_parts(parts).unwrap_or_else(|_| request.uri().clone())
    }
}

/// Whether the peer says that it has not looked at a request: it may go out again, whatever it does.
fn was_refused(error: &hyper::Error) -> bool {
    cause_of::<h2::Error>(error).is_some_and(|e| {
        // A GOAWAY ends those streams alone that it says were not taken.
        e.is_remote() && (e.is_go_away() || e.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}
