//! One connection of a user to a host, whichever version of HTTP it speaks.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};

use super::TransportError;
use super::http1::Http1;
use super::http2::Http2;
use crate::plan::expectation::Headers;

/// A request that was not answered, and the request itself if the server took nothing of it.
pub(super) type Unanswered = (TransportError, Option<Request<Full<Bytes>>>);

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: Headers,
    pub(super) marks: Marks,
}

/// Which headers an answer has that are looked for in every answer. Most have none of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Its body is encoded.
    pub(super) encoding: bool,
    /// It sets cookies.
    pub(super) cookies: bool,
}

impl Marks {
    /// Looks at the name of a header.
    pub(super) fn note(&mut self, name: &str) {
        self.encoding |= name.eq_ignore_ascii_case("content-encoding");
        self.cookies |= name.eq_ignore_ascii_case("set-cookie");
    }

    /// Looks at all names.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut marks = Self::default();
        headers.keys().for_each(|name| marks.note(name.as_str()));
        marks
    }
}

/// Where the body of an answer is to come from.
#[derive(Debug)]
pub(super) enum Body {
    /// The connection itself.
    Http1,
    /// A stream of its own.
    Http2(Incoming),
}

/// A connection.
#[derive(Debug)]
pub(super) enum Link {
    /// HTTP/1.1: one exchange at a time, and what goes wrong with one ends it.
    Http1(Http1),
    /// HTTP/2: one user has one exchange at a time here too, but a stream that fails takes no other with it.
    /// In a box, so that every connection of HTTP/1.1 stays as small as it is.
    Http2(Box<Http2>),
}

impl Link {
    /// Whether the peer still takes requests, as far as can be known without sending one.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_ready().await,
            Self::Http2(connection) => connection.is_ready(),
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Head, Body), Unanswered> {
        match self {
            Self::Http1(connection) => Ok((connection.send(request).await?, Body::Http1)),
            Self::Http2(connection) => {
                let (parts, body) = Box::pin(connection.send(request)).await?.into_parts();
                let head = Head {
                    status: parts.status,
                    marks: Marks::of(&parts.headers),
                    headers: parts.headers.into(),
                };
                Ok((head, Body::Http2(body)))
            }
        }
    }

    /// Waits for the next piece of an answer's body; nothing when it is complete.
    pub(super) async fn piece(&mut self, body: &mut Body) -> Option<Result<Bytes, TransportError>> {
        match (self, body) {
            (Self::Http1(connection), _) => connection.piece().await,
            (_, Body::Http2(body)) => Box::pin(piece(body)).await,
            // Each body goes with the connection that it came from.
            (Self::Http2(_), Body::Http1) => None,
        }
    }
}

/// The next piece of a body, for which a task of its own moves the connection.
async fn piece(body: &mut Incoming) -> Option<Result<Bytes, TransportError>> {
    loop {
        if body.is_end_stream() {
            return None;
        }
        match body.frame().await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                // Trailers.
                Err(_) => continue,
            },
            Err(error) => return Some(Err(TransportError::http(&error))),
        }
    }
}
