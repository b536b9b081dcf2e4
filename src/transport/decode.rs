//! Bodies that come compressed: decoded piece by piece, with a bound on what comes out.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderValue, header};
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation as _};

use super::TransportError;
use super::error::cause_of;
use crate::event::ErrorKind;

/// The encodings that are offered to servers.
pub(crate) const OFFERED: HeaderValue = HeaderValue::from_static("gzip, br, zstd");
/// Most encodings one upon the other. Nobody uses two; each one more multiplies what a small body can become.
const MOST: usize = 3;
/// Bytes that are decoded at a time.
const CHUNK: usize = 16 * 1024;
/// Largest window of zstd, as a power of two: the 8 MB that RFC 9659 allows on the web.
const ZSTD_WINDOW: u32 = 23;

/// Decodes one body.
pub(super) struct Decoder {
    /// In the order in which they are taken off.
    stages: Vec<Stage>,
    came: usize,
    most: usize,
}

/// One encoding.
struct Stage {
    name: &'static str,
    coding: Coding,
}

enum Coding {
    Gzip(MultiGzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
    Brotli(Box<DecompressorWriter<Bounded>>),
    Zstd(Box<Zstd>),
}

impl Decoder {
    /// The decoder that an answer's headers ask for; nothing if its body is plain.
    pub(super) fn of(headers: &HeaderMap, most: usize) -> Result<Option<Self>, TransportError> {
        let mut stages = Vec::new();
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for name in text.split(',').map(str::trim) {
                if !name.is_empty() && !name.eq_ignore_ascii_case("identity") {
                    stages.push(Stage::new(name, most)?);
                }
            }
        }
        if stages.len() > MOST {
            return Err(cannot(&format!(
                "it is encoded {} times, and more than {MOST} are not decoded",
                stages.len()
            )));
        }
        stages.reverse();
        Ok((!stages.is_empty()).then_some(Self {
            stages,
            came: 0,
            most,
        }))
    }

    /// What a piece of the body says.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<Bytes, TransportError> {
        self.came += piece.len();
        self.through(0, piece)
    }

    /// The last of the body.
    ///
    /// # Errors
    /// When it ended in the middle.
    pub(super) fn finish(&mut self) -> Result<Bytes, TransportError> {
        let mut last = Vec::new();
        // Without a body, as after HEAD, there is nothing that could be incomplete.
        if self.came > 0 {
            for n in 0..self.stages.len() {
                let rest = match self.stages[n].finish() {
                    Ok(rest) => rest,
                    Err(error) => return Err(self.refuse(n, &error)),
                };
                last.extend_from_slice(&self.through(n + 1, rest)?);
            }
        }
        Ok(last.into())
    }

    fn through(&mut self, first: usize, mut piece: Bytes) -> Result<Bytes, TransportError> {
        for n in first..self.stages.len() {
            piece = match self.stages[n].push(&piece) {
                Ok(decoded) => decoded,
                Err(error) => return Err(self.refuse(n, &error)),
            };
        }
        Ok(piece)
    }

    fn refuse(&self, stage: usize, error: &io::Error) -> TransportError {
        if cause_of::<Full>(error).is_some() {
            return TransportError::new(
                ErrorKind::TooLarge,
                format!(
                    "the body is longer than {} bytes once decoded, from {} bytes that were sent",
                    self.most, self.came
                ),
            );
        }
        let name = self.stages.get(stage).map_or("?", |stage| stage.name);
        cannot(&format!("it is not valid {name}: {error}"))
    }
}

fn cannot(why: &str) -> TransportError {
    TransportError::new(
        ErrorKind::Protocol,
        format!("the body can't be decoded: {why}"),
    )
}

impl Stage {
    fn new(name: &str, most: usize) -> Result<Self, TransportError> {
        let out = Bounded {
            decoded: Vec::new(),
            left: most,
        };
        let (name, coding) = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => ("gzip", Coding::Gzip(MultiGzDecoder::new(out))),
            "deflate" => ("deflate", Coding::Deflate(ZlibDecoder::new(out))),
            "br" => (
                "br",
                Coding::Brotli(Box::new(DecompressorWriter::new(out, CHUNK))),
            ),
            "zstd" => {
                let decoder = Zstd::new(out).map_err(|e| cannot(&e.to_string()))?;
                ("zstd", Coding::Zstd(Box::new(decoder)))
            }
            other => {
                return Err(cannot(&format!(
                    "its encoding `{other}` is none of gzip, deflate, br, zstd"
                )));
            }
        };
        Ok(Self { name, coding })
    }

    fn push(&mut self, data: &[u8]) -> io::Result<Bytes> {
        let out = match &mut self.coding {
            Coding::Gzip(decoder) => feed(decoder, data)?.get_mut(),
            Coding::Deflate(decoder) => feed(decoder, data)?.get_mut(),
            Coding::Brotli(decoder) => feed(&mut **decoder, data)?.get_mut(),
            Coding::Zstd(decoder) => {
                decoder.push(data)?;
                &mut decoder.out
            }
        };
        Ok(out.take())
    }

    fn finish(&mut self) -> io::Result<Bytes> {
        let out = match &mut self.coding {
            Coding::Gzip(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut()
            }
            Coding::Deflate(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut()
            }
            Coding::Brotli(decoder) => {
                decoder.close()?;
                decoder.get_mut()
            }
            Coding::Zstd(decoder) => {
                decoder.finish()?;
                &mut decoder.out
            }
        };
        Ok(out.take())
    }
}

/// Lets a decoder have data and give all that it made of it: of a stream, each piece counts when it comes.
fn feed<'a, D: Write>(decoder: &'a mut D, data: &[u8]) -> io::Result<&'a mut D> {
    decoder.write_all(data)?;
    decoder.flush()?;
    Ok(decoder)
}

/// zstd, whose own writer does not tell whether its last frame was complete.
struct Zstd {
    decoder: ZstdDecoder<'static>,
    inside: bool,
    chunk: Vec<u8>,
    out: Bounded,
}

impl Zstd {
    fn new(out: Bounded) -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW))?;
        Ok(Self {
            decoder,
            inside: true,
            chunk: vec![0; CHUNK],
            out,
        })
    }

    fn push(&mut self, mut data: &[u8]) -> io::Result<()> {
        // A chunk that was filled may have left something behind.
        let mut filled = false;
        while !data.is_empty() || filled {
            let status = self.decoder.run_on_buffers(data, &mut self.chunk)?;
            if status.bytes_read + status.bytes_written > 0 {
                self.inside = status.remaining > 0;
            }
            filled = status.bytes_written == self.chunk.len();
            data = data.get(status.bytes_read..).unwrap_or_default();
            let decoded = self.chunk.get(..status.bytes_written).unwrap_or_default();
            self.out.write_all(decoded)?;
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        if self.inside {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Takes what was decoded, up to a bound for all of it.
#[derive(Debug)]
struct Bounded {
    decoded: Vec<u8>,
    left: usize,
}

/// More was decoded than may be.
#[derive(Debug, thiserror::Error)]
#[error("longer than it may be")]
struct Full;

impl Bounded {
    fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.decoded).into()
    }
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(data.len())
            .ok_or_else(|| io::Error::other(Full))?;
        self.decoded.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
