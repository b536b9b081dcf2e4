//! WebSockets that break off, flood, or were never any.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{SOCKETS, client, endless, heard, in_time, says, server, soon, tight};
use crate::event::ErrorKind;
use crate::plan::Address;
use crate::transport::{Conversed, Limits, TransportError, Until};

/// Takes a handshake, and tells what is said to a good one.
fn greeting(stream: &mut TcpStream) -> String {
    greeting_to(&heard(stream))
}

fn greeting_to(request: &str) -> String {
    let key = request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map_or("", |(_, key)| key);
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// A socket on which one thing is said, and then another again and again if there is one.
fn socket(first: &'static [u8], then: &'static [u8]) -> (Address, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let written = Arc::clone(&count);
    let then = then.repeat(1000);
    let address = server(move |stream| {
        let greeting = greeting(stream);
        let _ = stream.write_all(greeting.as_bytes());
        let _ = stream.write_all(first);
        while let Ok(1..) = stream.write(&then).inspect(|n| {
            written.fetch_add(*n as u64, Ordering::Relaxed);
        }) {}
    });
    (address, count)
}

async fn converse(to: &Address, limits: Limits) -> Result<Conversed, TransportError> {
    let never = Until::Event(&|_, _| false);
    in_time(client().converse(to, Vec::new(), Vec::new(), limits, never)).await
}

#[tokio::test]
async fn a_socket_that_breaks_off_is_told_as_what_it_is() {
    for (said, kind) in [
        // In the middle of a frame, without a farewell, with one.
        (&b"\x81\x05hel"[..], ErrorKind::Reset),
        (b"\x81\x02hi", ErrorKind::Reset),
        (b"\x81\x02hi\x88\x02\x03\xe8", ErrorKind::Truncated),
    ] {
        let (to, _) = socket(said, b"");
        let error = converse(&to, tight()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (kind, Some(101)),
            "{said:?}: {error}"
        );
    }
}

#[tokio::test]
async fn frames_that_break_the_protocol() {
    for said in [
        &b"\x81\x82\0\0\0\0hi"[..],
        b"\x83\x02hi",
        b"\xf1\x02hi",
        b"\x81\x02\xff\xfe",
        b"\x80\x02hi",
        b"\x09\x00",
    ] {
        let (to, _) = socket(said, b"");
        let error = converse(&to, tight()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{said:?}: {error}");
    }
}

#[tokio::test]
async fn floods_are_too_large() {
    for (what, first, then) in [
        (
            "one gigantic frame",
            &b"\x81\x7f\0\0\x01\0\0\0\0\0"[..],
            &b"xxxx"[..],
        ),
        (
            "a frame longer than can be",
            b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"xxxx",
        ),
        ("endless fragments", b"\x01\x02hi", b"\x00\x02hi"),
        ("endless messages", b"", b"\x81\x02hi"),
        ("endless pings", b"", b"\x89\x02hi"),
        ("endless fragments of nothing", b"\x01\x00", b"\x00\x00"),
        ("endless messages of nothing", b"", b"\x81\x00"),
    ] {
        let (to, written) = socket(first, then);
        let error = converse(&to, tight()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::TooLarge, Some(101)),
            "{what}: {error}"
        );
        assert!(
            written.load(Ordering::Relaxed) < SOCKETS,
            "{what}: it was read on"
        );
    }
}

#[tokio::test]
async fn handshakes_that_come_to_nothing() {
    let silent = server(|stream| {
        heard(stream);
        std::thread::sleep(Duration::from_secs(9));
    });
    let quiet = server(|stream| {
        let greeting = greeting(stream);
        let _ = stream.write_all(greeting.as_bytes());
        std::thread::sleep(Duration::from_secs(9));
    });
    for (to, kind, status) in [
        (silent, ErrorKind::Timeout, None),
        (quiet, ErrorKind::Timeout, Some(101)),
        (says(""), ErrorKind::Reset, None),
        (says("HTTP/1.1 101 Sw"), ErrorKind::Reset, None),
        (says("SSH-2.0-OpenSSH_9.6\r\n"), ErrorKind::Protocol, None),
        (
            says(
                "HTTP/1.1 101 Fine\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n",
            ),
            ErrorKind::Protocol,
            None,
        ),
        (
            says("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
            ErrorKind::Protocol,
            Some(403),
        ),
        (
            endless("HTTP/1.1 101 Fine\r\nx-a: ", "x".repeat(4096)).0,
            ErrorKind::TooLarge,
            None,
        ),
    ] {
        let limits = if kind == ErrorKind::Timeout {
            soon()
        } else {
            tight()
        };
        let error = converse(&to, limits).await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, status), "{error}");
    }
}

#[tokio::test]
async fn handshakes_bring_cookies_and_take_them() {
    let to = server(|stream| {
        let request = heard(stream);
        let told = request
            .lines()
            .find_map(|line| line.strip_prefix("cookie: "))
            .unwrap_or("none");
        let greeting = greeting_to(&request).replace("\r\n\r\n", "\r\nset-cookie: s=1\r\n\r\n");
        let length = u8::try_from(told.len()).unwrap();
        let _ = stream.write_all(&[greeting.as_bytes(), &[0x81, length], told.as_bytes()].concat());
        heard(stream);
    });
    let mut client = client();
    for told in ["none", "s=1"] {
        let talk = client.converse(
            &to,
            Vec::new(),
            Vec::new(),
            tight(),
            Until::Event(&|_, _| true),
        );
        let conversed = in_time(talk).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&conversed.body), told);
    }
}
