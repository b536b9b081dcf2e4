//! A byte stream that is plain or encrypted, and an HTTP/1.1 connection over one.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::TransportError;

/// A connected byte stream.
#[derive(Debug)]
pub(super) enum Wire {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

/// Most bytes of a response head. A server that sends more is answered with an error, not with memory.
pub(super) const MAX_HEAD: usize = 256 * 1024;

/// An HTTP/1.1 connection that is moved by whoever waits for its answer. A task of its own would have to be
/// woken for every request and again for every answer, at a third of what a request costs in all.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    /// Nothing when it is over: only its end tells those who wait for an answer that there will be none.
    connection: Option<Moved>,
}

type Moved = Pin<Box<Connection<TokioIo<Wire>, Full<Bytes>>>>;

impl std::fmt::Debug for Http1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http1")
    }
}

impl Http1 {
    /// Begins HTTP/1.1 on a stream.
    pub(super) async fn begin(wire: Wire) -> Result<Self, TransportError> {
        let (sender, connection) = Builder::new()
            .max_buf_size(MAX_HEAD)
            // Requests are small: one piece costs less to hand over than a list of pieces.
            .writev(false)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|e| TransportError::http(&e))?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
        })
    }

    /// Whether the peer still takes requests, as far as can be known without sending one.
    pub(super) async fn is_ready(&mut self) -> bool {
        let Self { sender, connection } = self;
        drive(connection, pin!(sender.ready())).await.is_ok()
    }

    /// Sends a request and waits for the head of its answer. One that was never written comes back.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, (TransportError, Option<Request<Full<Bytes>>>)> {
        let answer = pin!(self.sender.try_send_request(request));
        let answer = drive(&mut self.connection, answer).await;
        answer.map_err(|mut error| {
            let unsent = error.take_message();
            (TransportError::http(error.error()), unsent)
        })
    }

    /// Waits for something that this connection brings.
    pub(super) fn bring<F: Future>(
        &mut self,
        what: Pin<&mut F>,
    ) -> impl Future<Output = F::Output> {
        drive(&mut self.connection, what)
    }
}

/// Waits for something that a connection brings, and moves the connection meanwhile.
async fn drive<F: Future>(connection: &mut Option<Moved>, mut what: Pin<&mut F>) -> F::Output {
    poll_fn(|cx| {
        // What is waited for comes through the connection alone, which is moved right here, so it needs no waker.
        // Twice, since asking for a body lets the connection go on.
        let mut quiet = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            // Its error reaches the request under way; without one, nobody needs it.
            if connection
                .as_mut()
                .is_some_and(|c| c.as_mut().poll(cx).is_ready())
            {
                *connection = None;
            }
            if let Poll::Ready(output) = what.as_mut().poll(&mut quiet) {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}
