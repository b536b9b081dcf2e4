//! The body of an answer: so many bytes, chunks, or all until the peer closes.

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;

use super::{MAX_HEAD, head_too_large, invalid};
use crate::transport::TransportError;

/// Longest line that begins a chunk; what follows its length is of no use to anybody.
const MAX_CHUNK_LINE: usize = 16 * 1024;

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is complete.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Everything that comes.
    UntilClosed,
    /// Chunks.
    Chunks(Chunk),
}

/// Where among its chunks a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before the line with the length of one.
    Length,
    /// So many bytes before the end of one.
    Data(u64),
    /// Before the end of the line that ends one.
    End,
    /// After the last one, and so many bytes of trailers.
    Trailers(usize),
}

impl Rest {
    /// A body of chunks, from its beginning.
    pub(super) fn chunks() -> Self {
        Self::Chunks(Chunk::Length)
    }

    /// Takes the next piece out of what was read; nothing if there is none in it yet, or will be none.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<Option<Bytes>, TransportError> {
        match self {
            Self::Nothing => Ok(None),
            Self::UntilClosed => Ok((!read.is_empty()).then(|| read.split().freeze())),
            Self::Length(left) => {
                let piece = piece(left, read);
                if *left == 0 {
                    *self = Self::Nothing;
                }
                Ok(piece)
            }
            Self::Chunks(chunk) => loop {
                if let Some(piece) = match chunk.step(read)? {
                    Step::Piece(piece) => Some(Some(piece)),
                    Step::More => Some(None),
                    Step::On => None,
                    Step::Over => {
                        *self = Self::Nothing;
                        return Ok(None);
                    }
                } {
                    return Ok(piece);
                }
            },
        }
    }
}

/// What a step among chunks came to.
enum Step {
    Piece(Bytes),
    /// The next step can be taken.
    On,
    /// More has to come first.
    More,
    /// That was the last chunk.
    Over,
}

impl Chunk {
    fn step(&mut self, read: &mut BytesMut) -> Result<Step, TransportError> {
        match self {
            Self::Length => {
                let parsed = httparse::parse_chunk_size(read)
                    .map_err(|_| invalid("the length of a chunk can't be read"))?;
                let Status::Complete((line, length)) = parsed else {
                    if read.len() > MAX_CHUNK_LINE {
                        return Err(invalid("the line before a chunk is too long"));
                    }
                    return Ok(Step::More);
                };
                read.advance(line);
                *self = match length {
                    0 => Self::Trailers(0),
                    length => Self::Data(length),
                };
                Ok(Step::On)
            }
            Self::Data(left) => match piece(left, read) {
                Some(piece) => {
                    if *left == 0 {
                        *self = Self::End;
                    }
                    Ok(Step::Piece(piece))
                }
                None => Ok(Step::More),
            },
            Self::End => {
                let end = match read.as_ref() {
                    [b'\r', b'\n', ..] => 2,
                    [b'\n', ..] => 1,
                    [] | [b'\r'] => return Ok(Step::More),
                    _ => return Err(invalid("a chunk is longer than it says")),
                };
                read.advance(end);
                *self = Self::Length;
                Ok(Step::On)
            }
            Self::Trailers(passed) => {
                let Some(end) = memchr::memchr(b'\n', read) else {
                    if *passed + read.len() > MAX_HEAD {
                        return Err(head_too_large());
                    }
                    return Ok(Step::More);
                };
                let is_last = matches!(read.get(..end), Some([] | [b'\r']));
                read.advance(end + 1);
                if is_last {
                    return Ok(Step::Over);
                }
                *passed += end + 1;
                if *passed > MAX_HEAD {
                    return Err(head_too_large());
                }
                Ok(Step::On)
            }
        }
    }
}

/// As much as there is of so many bytes.
fn piece(left: &mut u64, read: &mut BytesMut) -> Option<Bytes> {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    if length == 0 {
        return None;
    }
    *left -= length as u64;
    Some(read.split_to(length).freeze())
}
