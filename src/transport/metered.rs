//! A byte stream of which no more than so many bytes are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;

/// What a WebSocket's own words may add to its messages: its handshake, heads of frames, pings.
const OVERHEAD: u64 = 256 * 1024;

/// A stream that fails with [`Spent`] once the peer has sent too much. Messages alone can't be counted: a peer
/// may send pings or empty fragments without end, and none of them ever becomes a message.
#[derive(Debug)]
pub(super) struct Metered {
    wire: Wire,
    left: u64,
    most: usize,
}

/// More came than may.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes came before the message waited for")]
pub(super) struct Spent(usize);

impl Metered {
    /// A stream that brings messages of `most` bytes in all, and what belongs to them.
    pub(super) fn new(wire: Wire, most: usize) -> Self {
        Self {
            wire,
            left: (most as u64).saturating_add(OVERHEAD),
            most,
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buf))?;
        let came = buf.filled().len().saturating_sub(before) as u64;
        Poll::Ready(match self.left.checked_sub(came) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(io::Error::other(Spent(self.most))),
        })
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
