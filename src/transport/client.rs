//! One user's HTTP client: a kept connection per host, one exchange at a time.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use std::sync::Arc;
use url::Url;

use super::connection::handshake;
use super::{Connector, TransportError};
use crate::event::{ErrorKind, Timings};

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest time from sending to the last byte.
    pub timeout: Duration,
    /// Most bytes of a body.
    pub max_body: usize,
}

impl Limits {
    /// A time limit, and a body of at most 16 MB.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            max_body: 16 * 1024 * 1024,
        }
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Exchange {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The clocks, from the moment of sending.
    pub timings: Timings,
}

/// Host, port and whether TLS is spoken: what a connection is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    host: String,
    port: u16,
    tls: bool,
}

/// One user's connections.
#[derive(Debug)]
pub struct Client {
    pub(super) connector: Arc<Connector>,
    // A journey talks to one host, rarely to two or three: a list is faster than a map.
    connections: Vec<(Origin, SendRequest<Full<Bytes>>)>,
}

/// An answer whose body is still to come.
pub(super) struct Begun {
    pub(super) response: Response<Incoming>,
    pub(super) timings: Timings,
    pub(super) sent: Instant,
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            connections: Vec::new(),
        }
    }

    /// Closes all connections, as a user does who leaves.
    pub fn disconnect(&mut self) {
        self.connections.clear();
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When no complete answer came within the limits; the connection is then closed.
    pub async fn send(
        &mut self,
        url: &Url,
        request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Exchange, TransportError> {
        let sent = Instant::now();
        let mut seen = (None, Timings::default());
        let exchange = self.exchange(url, request, limits, &mut seen);
        match tokio::time::timeout(limits.timeout, exchange).await {
            Ok(Ok(exchange)) => Ok(exchange),
            Ok(Err(error)) => Err(error.at(
                seen.0,
                Timings {
                    end: sent.elapsed(),
                    ..seen.1
                },
            )),
            Err(_) => Err(timed_out(limits.timeout, seen.0).at(
                seen.0,
                Timings {
                    end: sent.elapsed(),
                    ..seen.1
                },
            )),
        }
    }

    async fn exchange(
        &mut self,
        url: &Url,
        request: Request<Full<Bytes>>,
        limits: Limits,
        seen: &mut (Option<u16>, Timings),
    ) -> Result<Exchange, TransportError> {
        let begun = self.begin(url, request).await?;
        let (mut timings, sent) = (begun.timings, begun.sent);
        let status = begun.response.status().as_u16();
        *seen = (Some(status), timings);
        let (parts, body) = begun.response.into_parts();
        let body = read_body(body, limits.max_body).await?;
        timings.end = sent.elapsed();
        self.keep(begun.origin, begun.sender);
        Ok(Exchange {
            status,
            headers: parts.headers,
            body,
            timings,
        })
    }

    /// Sends a request and waits for the headers of the answer.
    pub(super) async fn begin(
        &mut self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Begun, TransportError> {
        let origin = Origin::of(url)?;
        complete(url, &mut request)?;
        let sent = Instant::now();
        let mut timings = Timings::default();
        // A kept connection may have been closed by the server meanwhile. If it took nothing of the
        // request, the request goes on a new one; else the failure is real and is told.
        if let Some(mut sender) = self.take(&origin)
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    timings.headers = Some(sent.elapsed());
                    return Ok(Begun {
                        response,
                        timings,
                        sent,
                        origin,
                        sender,
                    });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(TransportError::http(error.error())),
                },
            }
        }
        let wire = self
            .connector
            .open(&origin.host, origin.port, origin.tls)
            .await?;
        let mut sender = handshake(wire).await?;
        timings.connect = Some(sent.elapsed());
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| TransportError::http(&e))?;
        timings.headers = Some(sent.elapsed());
        Ok(Begun {
            response,
            timings,
            sent,
            origin,
            sender,
        })
    }

    fn take(&mut self, origin: &Origin) -> Option<SendRequest<Full<Bytes>>> {
        let at = self.connections.iter().position(|(o, _)| o == origin)?;
        Some(self.connections.swap_remove(at).1)
    }

    fn keep(&mut self, origin: Origin, sender: SendRequest<Full<Bytes>>) {
        if !sender.is_closed() {
            self.connections.push((origin, sender));
        }
    }
}

/// The error of an exchange that took too long.
pub(super) fn timed_out(limit: Duration, status: Option<u16>) -> TransportError {
    let what = if status.is_some() {
        "the answer was not complete"
    } else {
        "no answer"
    };
    TransportError::new(
        ErrorKind::Timeout,
        format!("{what} within {}", crate::units::show_duration(limit)),
    )
}

impl Origin {
    fn of(url: &Url) -> Result<Self, TransportError> {
        let tls = matches!(url.scheme(), "https" | "wss");
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if tls || matches!(url.scheme(), "http" | "ws") => Ok(Self {
                host: host.to_owned(),
                port,
                tls,
            }),
            _ => Err(TransportError::new(
                ErrorKind::Local,
                format!("`{}:` is not an address to send to", url.scheme()),
            )),
        }
    }
}

/// Reduces the address to what an HTTP/1.1 request line holds, and names the host.
fn complete(url: &Url, request: &mut Request<Full<Bytes>>) -> Result<(), TransportError> {
    let invalid =
        |_| TransportError::new(ErrorKind::Local, "the address can't be sent in a request");
    *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery]
        .parse()
        .map_err(|e: http::uri::InvalidUri| invalid(e.to_string()))?;
    if !request.headers().contains_key(header::HOST) {
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let host = HeaderValue::from_str(host).map_err(|e| invalid(e.to_string()))?;
        request.headers_mut().insert(header::HOST, host);
    }
    if !request.headers().contains_key(header::USER_AGENT) {
        request.headers_mut().insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("gates/", env!("CARGO_PKG_VERSION"))),
        );
    }
    Ok(())
}

async fn read_body(mut body: Incoming, most: usize) -> Result<Bytes, TransportError> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| TransportError::http(&e))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > most {
            return Err(TransportError::new(
                ErrorKind::TooLarge,
                format!("the body is longer than {most} bytes"),
            ));
        }
        // Nearly every body is one piece: it is taken as it is, and copied only if another follows.
        match &first {
            None => first = Some(data),
            Some(piece) => {
                if rest.is_empty() {
                    rest.extend_from_slice(piece);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() {
        first.unwrap_or_default()
    } else {
        rest.freeze()
    })
}
