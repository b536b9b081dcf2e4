//! Reads the body of an answer, within its bound.

use bytes::{Bytes, BytesMut};

use super::TransportError;
use super::decode::Decoder;
use super::link::{Body, Link};
use crate::event::ErrorKind;

/// The error of a body beyond its bound.
pub(super) fn too_long(most: usize) -> TransportError {
    TransportError::new(
        ErrorKind::TooLarge,
        format!("the body is longer than {most} bytes"),
    )
}

/// Reads a body that is encoded; tells what it says and how many bytes were sent. Both are bounded.
pub(super) async fn read_encoded(
    connection: &mut Link,
    mut body: Body,
    mut decoder: Option<Decoder>,
    most: usize,
) -> Result<(Bytes, usize), TransportError> {
    let mut decoded = BytesMut::new();
    let mut length = 0_usize;
    while let Some(data) = connection.piece(&mut body).await {
        let data = data?;
        length += data.len();
        if length > most {
            return Err(too_long(most));
        }
        match &mut decoder {
            Some(decoder) => decoded.extend_from_slice(&decoder.push(data)?),
            None => decoded.extend_from_slice(&data),
        }
    }
    if let Some(decoder) = &mut decoder {
        decoded.extend_from_slice(&decoder.finish()?);
    }
    Ok((decoded.freeze(), length))
}

/// Reads a body as it is.
pub(super) async fn read(
    connection: &mut Link,
    mut body: Body,
    most: usize,
) -> Result<Bytes, TransportError> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    while let Some(data) = connection.piece(&mut body).await {
        let data = data?;
        length += data.len();
        if length > most {
            return Err(too_long(most));
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
