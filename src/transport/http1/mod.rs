//! An HTTP/1.1 connection that is moved by whoever waits for its answer.
//!
//! hyper's client hands each request to a second future through a channel and each answer back through another, which
//! is what a client needs whose requests come from anywhere. A virtual user has one request at a time: it writes, then
//! reads, and that costs a third of it. Everything that a server may do wrong is tried out in [`super::tests`].

mod answer;
mod body;
mod request;

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use self::answer::Answer;
use self::body::Rest;
use super::TransportError;
use super::link::{Head, Unanswered};
use super::wire::Wire;
use crate::event::ErrorKind;

/// Most bytes of a response head. A server that sends more is answered with an error, not with memory.
pub(super) const MAX_HEAD: usize = 256 * 1024;
/// Least room for what comes next; most answers fit.
const ROOM: usize = 4 * 1024;
/// Most room for it.
const MOST_ROOM: usize = 256 * 1024;
/// A request that was longer does not leave its room behind.
const KEPT_ROOM: usize = 16 * 1024;

/// A connection, between two answers or within one.
#[derive(Debug)]
pub(super) struct Http1 {
    wire: Wire,
    /// The request as it is written.
    request: Vec<u8>,
    /// What was read and not looked at yet.
    read: BytesMut,
    /// Room that is made for what comes next.
    room: usize,
    /// What is still to come of the answer.
    rest: Rest,
    /// Whether another request may follow.
    reusable: bool,
}

impl Http1 {
    /// Begins HTTP/1.1 on a stream.
    pub(super) fn begin(wire: Wire) -> Self {
        Self {
            wire,
            request: Vec::new(),
            read: BytesMut::new(),
            room: ROOM,
            rest: Rest::Nothing,
            reusable: true,
        }
    }

    /// Whether the peer still takes requests, as far as can be known without sending one: it has not closed, and has
    /// said nothing that nobody asked for.
    pub(super) async fn is_ready(&mut self) -> bool {
        if !self.reusable || self.rest != Rest::Nothing || !self.read.is_empty() {
            return false;
        }
        let mut room = [0];
        let mut buffer = ReadBuf::new(&mut room);
        poll_fn(|cx| {
            let read = Pin::new(&mut self.wire).poll_read(cx, &mut buffer);
            Poll::Ready(read.is_pending())
        })
        .await
    }

    /// Sends a request and waits for the head of its answer. One of which nothing was written comes back.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Head, Unanswered> {
        self.request.clear();
        let asked = request::write(&request, &mut self.request);
        let mut progress = Progress::default();
        let answer = poll_fn(|cx| self.poll_answer(cx, &mut progress)).await;
        if self.request.capacity() > KEPT_ROOM {
            self.request = Vec::new();
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.reusable = false;
                let unsent = (progress.written == 0).then_some(request);
                return Err((error, unsent));
            }
        };
        // An answer before the whole request was taken: what follows of it would be taken for the next one.
        let whole = progress.flushed;
        self.reusable = answer.keeps_alive && asked.keeps_alive && whole;
        self.rest = if asked.wants_no_body {
            Rest::Nothing
        } else {
            answer.rest
        };
        self.reusable &= self.rest != Rest::UntilClosed;
        Ok(answer.head)
    }

    /// Writes what is left of the request, and looks at what came.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        progress: &mut Progress,
    ) -> Poll<Result<Answer, TransportError>> {
        if !progress.flushed && progress.broken.is_none() {
            match self.poll_write(cx, &mut progress.written) {
                Poll::Ready(Ok(())) => progress.flushed = true,
                // The peer may have said why before it closed.
                Poll::Ready(Err(error)) if progress.written > 0 => progress.broken = Some(error),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error))),
                Poll::Pending => {}
            }
        }
        loop {
            if let Some(answer) = answer::take(&mut self.read, &mut progress.looked_at)? {
                return Poll::Ready(Ok(answer));
            }
            let came = ready!(self.poll_fill(cx));
            if let (Ok(0) | Err(_), Some(error)) = (&came, &progress.broken) {
                return Poll::Ready(Err(broken(error)));
            }
            if came.map_err(|e| broken(&e))? == 0 {
                return Poll::Ready(Err(cut_short()));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, written: &mut usize) -> Poll<io::Result<()>> {
        while let Some(left) = self.request.get(*written..).filter(|left| !left.is_empty()) {
            match ready!(Pin::new(&mut self.wire).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    /// Reads what is there; nothing when the peer has closed.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < ROOM / 4 {
            self.read.reserve(self.room);
        }
        let free = self.read.capacity() - self.read.len();
        let n = ready!(poll_read_buf(&mut self.wire, cx, &mut self.read))?;
        if n == free {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        Poll::Ready(Ok(n))
    }

    /// Waits for the next piece of the answer's body; nothing when it is complete.
    pub(super) async fn piece(&mut self) -> Option<Result<Bytes, TransportError>> {
        let piece = poll_fn(|cx| self.poll_piece(cx)).await;
        match piece {
            Ok(piece) => piece.map(Ok),
            Err(error) => {
                self.reusable = false;
                self.rest = Rest::Nothing;
                Some(Err(error))
            }
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, TransportError>> {
        loop {
            if let Some(piece) = self.rest.take(&mut self.read)? {
                return Poll::Ready(Ok(Some(piece)));
            }
            if self.rest == Rest::Nothing {
                return Poll::Ready(Ok(None));
            }
            let came = ready!(self.poll_fill(cx)).map_err(|e| broken(&e))?;
            if came == 0 {
                if self.rest == Rest::UntilClosed {
                    self.rest = Rest::Nothing;
                    return Poll::Ready(Ok(None));
                }
                return Poll::Ready(Err(cut_short()));
            }
        }
    }
}

/// How far a request has come.
#[derive(Debug, Default)]
struct Progress {
    written: usize,
    flushed: bool,
    /// The peer takes no more of it.
    broken: Option<io::Error>,
    looked_at: usize,
}

/// Reads into the free room of a buffer.
fn poll_read_buf(
    wire: &mut Wire,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    use tokio::io::AsyncReadExt as _;
    let read = std::pin::pin!(wire.read_buf(buffer));
    read.poll(cx)
}

fn broken(error: &io::Error) -> TransportError {
    TransportError::io("the connection failed", error)
}

fn cut_short() -> TransportError {
    let what = "the connection was closed before the answer was complete";
    TransportError::new(ErrorKind::Reset, what)
}

/// What came is not what HTTP says.
fn invalid(what: impl std::fmt::Display) -> TransportError {
    TransportError::new(
        ErrorKind::Protocol,
        format!("the answer is not valid HTTP: {what}"),
    )
}

fn head_too_large() -> TransportError {
    let what = "the headers of the answer are more than 100, or longer than 256 KB";
    TransportError::new(ErrorKind::TooLarge, what)
}
