//! Bodies in every encoding, whole, broken, and far larger than they look.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::{ask, client, get, heard, in_time, says, server, tight};
use crate::event::ErrorKind;
use crate::plan::Address;
use crate::transport::{Limits, Until};

fn text() -> String {
    format!("hello, hello, hello: {}", "x".repeat(300))
}

/// The same text as brotli writes it, and 100 MB of `x`.
const BROTLI: &str = "1b4001f8254174f072906036cb041cb8c84ee3720e";
const BROTLI_BOMB: &str = "cbffff3ff825f0e2b14020f7fe8fffff7ff04b00c4611180eefd1fffffffe0970088c30200ddfb3ffeffffc12f0110870500baf77ffcffff835f02200e0b0074effff8ffff07bf04401c1600e8defff1ffff0f7e0980382c00d0bdffe3ffff1ffc1200715800a07bffc7ffff3ff82500e2b00040f7fe8fffff7ff04b00c4610180eefd1fffffffe0970088c30200ddfb3ffeffffc12f0110870500baf77ff9ffff835f02200e0b0074ef7f00";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A server whose answers are encoded so.
fn encoded(encoding: &str, body: &[u8]) -> Address {
    says(answer(encoding, body))
}

fn answer(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[tokio::test]
async fn what_is_encoded_is_decoded() {
    let plain = text();
    for (encoding, body) in [
        ("gzip", gzip(plain.as_bytes())),
        ("X-GZip", gzip(plain.as_bytes())),
        ("deflate", deflate(plain.as_bytes())),
        ("br", bytes(BROTLI)),
        ("zstd", zstd(plain.as_bytes())),
        ("identity", plain.clone().into_bytes()),
        ("br, gzip", gzip(&bytes(BROTLI))),
        (
            "gzip\r\ncontent-encoding: zstd, identity,",
            zstd(&gzip(plain.as_bytes())),
        ),
        (
            "gzip",
            [gzip(&plain.as_bytes()[..9]), gzip(&plain.as_bytes()[9..])].concat(),
        ),
        (
            "zstd",
            [zstd(&plain.as_bytes()[..9]), zstd(&plain.as_bytes()[9..])].concat(),
        ),
    ] {
        let answer = ask(&encoded(encoding, &body)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.body), plain, "{encoding}");
        assert_eq!(
            answer.bytes,
            body.len() as u64,
            "{encoding}: bytes of the wire"
        );
    }
}

#[tokio::test]
async fn bodies_of_every_length_are_whole() {
    for length in [
        1,
        16 * 1024 - 1,
        16 * 1024,
        16 * 1024 + 1,
        48 * 1024,
        64 * 1024,
    ] {
        let plain: Vec<u8> = (0..length).map(|n: u64| (n * n % 251) as u8).collect();
        for (encoding, body) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain))] {
            let answer = ask(&encoded(encoding, &body)).await.unwrap();
            assert!(answer.body == plain, "{encoding}, {length} bytes");
        }
    }
}

#[tokio::test]
async fn an_encoded_answer_without_a_body_is_whole() {
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, br"] {
        let answer = ask(&encoded(encoding, b"")).await.unwrap();
        assert_eq!((&*answer.body, answer.bytes), (&b""[..], 0), "{encoding}");
    }
}

#[tokio::test]
async fn a_bomb_is_too_large() {
    let big = vec![b'x'; 20 * 1024 * 1024];
    for (encoding, body) in [
        ("gzip", gzip(&big)),
        ("deflate", deflate(&big)),
        ("br", bytes(BROTLI_BOMB)),
        ("zstd", zstd(&big)),
        ("gzip, gzip", gzip(&gzip(&big))),
        // What comes out in between is bounded too, though nothing comes out at the end.
        ("br, gzip", gzip(&[bytes(BROTLI), big.clone()].concat())),
    ] {
        let error = ask(&encoded(encoding, &body)).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::TooLarge, Some(200)),
            "{encoding}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains("65536 bytes once decoded"), "{text}");
        assert!(text.contains("bytes that were sent"), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_breaks_the_protocol() {
    let plain = text();
    let whole = [
        ("gzip", gzip(plain.as_bytes())),
        ("deflate", deflate(plain.as_bytes())),
        ("br", bytes(BROTLI)),
        ("zstd", zstd(plain.as_bytes())),
    ];
    let mut broken: Vec<(&str, Vec<u8>)> = vec![
        ("rot13", b"uryyb".to_vec()),
        ("gzip, gzip, gzip, gzip", b"x".to_vec()),
    ];
    for (encoding, body) in whole {
        broken.push((
            encoding,
            b"this is plain text, not what it is said to be".to_vec(),
        ));
        for cut in [1, 5, body.len() / 2, body.len() - 1] {
            broken.push((encoding, body[..cut].to_vec()));
        }
    }
    for (encoding, body) in broken {
        let error = ask(&encoded(encoding, &body)).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::Protocol, Some(200)),
            "{encoding}, {} bytes: {error}",
            body.len()
        );
        assert!(error.to_string().contains("decoded"), "{error}");
    }
}

#[tokio::test]
async fn a_compressed_stream_is_read_as_it_comes() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut piece = |text: &str| {
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.flush().unwrap();
        std::mem::take(encoder.get_mut())
    };
    let pieces = [piece("data: one\n\n"), piece("event: done\ndata: two\n\n")];
    let to = server(move |stream| {
        heard(stream);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        for piece in &pieces {
            let _ = stream.write_all(piece);
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
    });
    let limits = Limits {
        timeout: std::time::Duration::from_secs(2),
        ..tight()
    };
    let done = |name: &str, _: &str| name == "done";
    let streamed = in_time(client().stream(&to, get(), limits, Until::Event(&done), None))
        .await
        .unwrap();
    assert_eq!((streamed.events, &*streamed.body), (2, &b"two"[..]));
    assert!(
        streamed.timings.first_token.unwrap().as_millis() < 300,
        "the first piece was held back"
    );
    assert!(streamed.timings.max_gap.unwrap().as_millis() >= 300);

    let bomb = gzip(&vec![b'\n'; 1 << 20]);
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";
    let to = says([head.as_bytes(), &bomb].concat());
    let error = in_time(client().stream(&to, get(), tight(), Until::End, None))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge, "{error}");
}
