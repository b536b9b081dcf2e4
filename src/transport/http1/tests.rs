use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::answer;
use super::body::Rest;
use crate::transport::TransportError;

/// What a peer's bytes come to, handed over in pieces that end at these places: the status, the headers and the body.
fn heard(bytes: &[u8], cuts: &[usize]) -> Result<Option<(u16, String, Bytes)>, TransportError> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut pieces = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]);
    let (mut read, mut looked_at) = (BytesMut::new(), 0);
    let answer = loop {
        if let Some(answer) = answer::take(&mut read, &mut looked_at)? {
            break answer;
        }
        let Some(piece) = pieces.next() else {
            return Ok(None);
        };
        read.extend_from_slice(piece);
    };
    let (mut rest, mut body) = (answer.rest, BytesMut::new());
    loop {
        while let Some(piece) = rest.take(&mut read)? {
            body.extend_from_slice(&piece);
        }
        if rest == Rest::Nothing {
            break;
        }
        match pieces.next() {
            Some(piece) => read.extend_from_slice(piece),
            None if rest == Rest::UntilClosed => break,
            None => return Ok(None),
        }
    }
    let headers = format!("{:?}", *answer.head.headers);
    Ok(Some((answer.head.status.as_u16(), headers, body.freeze())))
}

#[test]
fn ends_of_bodies() {
    for (said, body) in [
        ("content-length: 5\r\n\r\nhello and more", Some("hello")),
        ("content-length: 5, 5\r\n\r\nhello", Some("hello")),
        ("content-length: 5\r\n\r\nhell", None),
        ("content-length: 0\r\n\r\nmore", Some("")),
        ("\r\nhello", Some("hello")),
        (
            "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\na: b\r\n\r\n",
            Some("hello"),
        ),
        ("transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n", None),
        (
            "transfer-encoding: gzip, chunked\r\ncontent-length: 3\r\n\r\n2\r\nhe\r\n0\r\n\r\n",
            Some("he"),
        ),
        (
            "transfer-encoding: gzip\r\ncontent-length: 3\r\n\r\nhello",
            Some("hello"),
        ),
    ] {
        let whole = format!("HTTP/1.1 200 OK\r\n{said}");
        let heard = heard(whole.as_bytes(), &[]).unwrap();
        assert_eq!(
            heard.map(|(_, _, body)| String::from_utf8_lossy(&body).into_owned()),
            body.map(str::to_owned),
            "{said}"
        );
    }
    let none = heard(b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello", &[]);
    assert_eq!(none.unwrap().unwrap().2, Bytes::new());
}

#[test]
fn who_says_so_closes() {
    for (said, keeps_alive) in [
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n", false),
        ("HTTP/1.0 200 OK\r\n", false),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", true),
        ("HTTP/1.1 101 Up\r\n", false),
        // Two ends for one body.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n",
            false,
        ),
    ] {
        let mut read = BytesMut::from(format!("{said}\r\n").as_bytes());
        let answer = answer::take(&mut read, &mut 0).unwrap().unwrap();
        assert_eq!(answer.keeps_alive, keeps_alive, "{said}");
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_it_says_the_same(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        sizes in proptest::collection::vec(1_usize..40, 1..8),
        framing in 0..3,
        interim in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        if interim {
            bytes.extend_from_slice(b"HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n");
        }
        bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\nx-a: b\r\n");
        match framing {
            0 => {
                bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
            }
            1 => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                let mut left = &body[..];
                for size in sizes.iter().cycle() {
                    let (chunk, rest) = left.split_at((*size).min(left.len()));
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                    left = rest;
                    if chunk.is_empty() {
                        break;
                    }
                }
            }
            _ => {
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&body);
            }
        }
        let whole = heard(&bytes, &[]).unwrap().unwrap();
        prop_assert_eq!((whole.0, &whole.2[..]), (200, &body[..]));
        prop_assert_eq!(heard(&bytes, &cuts).unwrap().unwrap(), whole);
    }

    #[test]
    fn nothing_that_a_peer_says_brings_it_down(
        head in "(HTTP/1\\.[01] [0-9]{3} [a-z]{0,4}\r?\n)?((content-length|transfer-encoding|connection|x): ?[a-z0-9, ]{0,9}\r?\n){0,4}(\r?\n)?",
        body in proptest::collection::vec(any::<u8>(), 0..60),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let bytes = [head.as_bytes(), &body].concat();
        let _ = heard(&bytes, &cuts);
    }
}
