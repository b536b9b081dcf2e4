//! One user's HTTP client: a kept connection per host, one exchange at a time.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::Full;
use std::sync::Arc;

use super::alarm::Alarm;
use super::body::{read, read_encoded};
use super::cookies::Jar;
use super::decode::Decoder;
use super::link::{Body, Head, Link};
use super::redirect::Redirects;
use super::{Connector, TransportError};
use crate::event::{ErrorKind, Timings};
use crate::plan::expectation::Headers;
use crate::plan::{Address, Origin};

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
    pub headers: Headers,
    /// The whole body, decoded if it came encoded.
    pub body: Bytes,
    /// Bytes of the body as it was sent, and of the bodies of redirects before it.
    pub bytes: u64,
    /// The clocks, from the moment of sending.
    pub timings: Timings,
}

/// One user's connections.
#[derive(Debug)]
pub struct Client {
    pub(super) connector: Arc<Connector>,
    // A journey talks to one host, rarely to two or three: a list is faster than a map.
    connections: Vec<(Arc<Origin>, Link)>,
    pub(super) alarm: Alarm,
    /// Nothing as long as no answer has set a cookie, so that who needs none pays for none.
    jar: Option<Box<Jar>>,
}

/// An answer whose body is still to come.
pub(super) struct Begun {
    pub(super) head: Head,
    pub(super) body: Body,
    pub(super) timings: Timings,
    pub(super) connection: Link,
    pub(super) origin: Arc<Origin>,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            connections: Vec::new(),
            alarm: Alarm::default(),
            jar: None,
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
    pub fn send(
        &mut self,
        address: &Address,
        request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> impl Future<Output = Result<Exchange, TransportError>> + Send {
        self.send_and(address, request, limits, None)
    }

    /// The same, and follows redirects if told how.
    ///
    /// # Errors
    /// Also when a redirect leads nowhere, or to where it must not be followed.
    pub async fn send_and(
        &mut self,
        address: &Address,
        request: Request<Full<Bytes>>,
        limits: Limits,
        redirects: Option<&Redirects<'_>>,
    ) -> Result<Exchange, TransportError> {
        let sent = Instant::now();
        let mut seen = Seen::default();
        let mut alarm = std::mem::take(&mut self.alarm);
        let ended = {
            let exchange = self.exchange(address, request, limits, redirects, sent, &mut seen);
            let exchange = pin!(exchange);
            alarm.within(sent, limits.timeout, exchange).await
        };
        self.alarm = alarm;
        if ended.is_none() {
            self.distrust();
        }
        seen.judge(ended, sent, limits)
    }

    async fn exchange(
        &mut self,
        address: &Address,
        request: Request<Full<Bytes>>,
        limits: Limits,
        redirects: Option<&Redirects<'_>>,
        sent: Instant,
        seen: &mut Seen,
    ) -> Result<Exchange, TransportError> {
        let mut passed = 0;
        let begun = match redirects {
            None => self.begin(address, request, sent).await?,
            Some(redirects) => {
                let way = self.follow(address, request, limits, redirects, sent, seen);
                let begun;
                (begun, passed) = Box::pin(way).await?;
                begun
            }
        };
        let Begun {
            head,
            body,
            mut timings,
            mut connection,
            origin,
        } = begun;
        let status = head.status.as_u16();
        seen.status = Some(status);
        seen.timings = timings;
        let (body, bytes) = if head.marks.encoding {
            let decoder = Decoder::of(&head.headers, limits.max_body)?;
            Box::pin(read_encoded(
                &mut connection,
                body,
                decoder,
                limits.max_body,
            ))
            .await?
        } else {
            let body = read(&mut connection, body, limits.max_body).await?;
            let bytes = body.len();
            (body, bytes)
        };
        timings.end = sent.elapsed();
        self.keep(origin, connection);
        Ok(Exchange {
            status,
            headers: head.headers,
            body,
            bytes: bytes as u64 + passed,
            timings,
        })
    }

    /// Sends a request and waits for the headers of the answer.
    pub(super) async fn begin(
        &mut self,
        address: &Address,
        mut request: Request<Full<Bytes>>,
        sent: Instant,
    ) -> Result<Begun, TransportError> {
        let origin = Arc::clone(&address.origin);
        complete(address, &mut request);
        self.add_cookies(address, request.headers_mut());
        let mut timings = Timings::default();
        let ((head, body), connection) = 'answer: {
            // A kept connection may have been closed by the server meanwhile. If it took nothing of the
            // request, the request goes on a new one; else the failure is real and is told.
            if let Some(mut connection) = self.take(&origin)
                && connection.is_ready().await
            {
                match connection.send(request).await {
                    Ok(answer) => break 'answer (answer, connection),
                    Err((_, Some(unsent))) => request = unsent,
                    Err((error, None)) => return Err(error),
                }
            }
            // One of HTTP/2 still stands there, and is of no use.
            self.forget(&origin);
            // What is rare stands in a box of its own, so that what every request moves about stays small.
            let mut connection = Box::pin(self.connector.link(&origin)).await?;
            if let Link::Http2(shared) = &connection {
                let shared = Link::Http2(shared.clone());
                self.connections.push((Arc::clone(&origin), shared));
            }
            timings.connect = Some(sent.elapsed());
            let answer = connection.send(request).await;
            (answer.map_err(|(error, _)| error)?, connection)
        };
        timings.headers = Some(sent.elapsed());
        if head.marks.cookies {
            self.store_cookies(address, &head.headers);
        }
        Ok(Begun {
            head,
            body,
            timings,
            connection,
            origin,
        })
    }

    /// Takes the cookies of an answer.
    pub(super) fn store_cookies(&mut self, address: &Address, headers: &HeaderMap) {
        self.jar.get_or_insert_default().store(address, headers);
    }

    /// Adds the cookies that belong to an address, unless the request has its own.
    pub(super) fn add_cookies(&self, address: &Address, headers: &mut HeaderMap) {
        if let Some(jar) = &self.jar
            && !headers.contains_key(header::COOKIE)
            && let Some(cookies) = jar.header(address)
        {
            headers.insert(header::COOKIE, cookies);
        }
    }

    /// Forgets all cookies, as a user who was not there before.
    pub fn forget_cookies(&mut self) {
        self.jar = None;
    }

    /// The values of all cookies that came since then. No report may show them.
    #[must_use]
    pub fn cookie_values(&self) -> &[String] {
        self.jar.as_deref().map_or(&[], Jar::seen)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&mut self, origin: Arc<Origin>, connection: Link) {
        if matches!(connection, Link::Http1(_)) {
            self.connections.push((origin, connection));
        }
    }

    /// A connection to use. That of HTTP/2 stays here at the same time: a stream that fails does not end it.
    fn take(&mut self, origin: &Arc<Origin>) -> Option<Link> {
        let at = self.connections.iter().position(|(o, _)| *o == *origin)?;
        if let (_, Link::Http2(connection)) = self.connections.get(at)? {
            return Some(Link::Http2(connection.clone()));
        }
        Some(self.connections.swap_remove(at).1)
    }

    fn forget(&mut self, origin: &Origin) {
        self.connections.retain(|(o, _)| **o != *origin);
    }

    /// After a time limit: a connection of HTTP/2 on which nothing came may be dead, and the next user of it is
    /// to find out on a new one.
    pub(super) fn distrust(&mut self) {
        self.connections
            .retain(|(_, link)| matches!(link, Link::Http1(_)));
    }
}

/// How far an exchange came, for the case that it goes no further.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) status: Option<u16>,
    pub(super) timings: Timings,
    /// From one token to the next.
    pub(super) gaps: Vec<Duration>,
}

impl Seen {
    /// What an exchange came to, with how far it came if that is not the end; nothing says that its time was over.
    pub(super) fn judge<T>(
        self,
        ended: Option<Result<T, TransportError>>,
        sent: Instant,
        limits: Limits,
    ) -> Result<T, TransportError> {
        let error = match ended {
            Some(Ok(whole)) => return Ok(whole),
            Some(Err(error)) => error,
            None => timed_out(limits.timeout, self.status),
        };
        let status = error.status.or(self.status);
        let timings = Timings {
            end: sent.elapsed(),
            ..self.timings
        };
        Err(error.at(status, timings, self.gaps))
    }
}

/// The error of an exchange that took too long.
fn timed_out(limit: Duration, status: Option<u16>) -> TransportError {
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

/// Puts in what a request line and every request of ours hold.
fn complete(address: &Address, request: &mut Request<Full<Bytes>>) {
    *request.uri_mut() = Uri::from(address.path.clone());
    let headers = request.headers_mut();
    headers
        .entry(header::HOST)
        .or_insert_with(|| address.origin.header.clone());
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
}

/// How this program calls itself to servers.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("gates/", env!("CARGO_PKG_VERSION")));
