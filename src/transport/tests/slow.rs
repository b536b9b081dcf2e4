//! Servers that never come to an end: silence, trickles, floods. Time and memory are bounded all the same.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{SOCKETS, ask, ask_in_vain, endless, heard, server};
use crate::event::ErrorKind;

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[tokio::test]
async fn silence_is_a_timeout() {
    let to = server(|stream| {
        heard(stream);
        std::thread::sleep(Duration::from_secs(9));
    });
    let error = ask_in_vain(&to).await;
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert_eq!(error.status, None);
    assert_eq!(error.to_string(), "no answer within 400 ms");
    assert!(error.timings.connect.is_some() || error.timings.end > Duration::ZERO);
}

/// Says a text, a byte at a time.
fn trickle(stream: &mut TcpStream, text: &str) {
    for byte in text.bytes().cycle() {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_trickle_is_a_timeout() {
    let head = server(|stream| {
        heard(stream);
        trickle(
            stream,
            &format!("{OK}content-length: 2\r\nx-long: {}", "x".repeat(9999)),
        );
    });
    let error = ask_in_vain(&head).await;
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Timeout, None),
        "{error}"
    );

    let body = server(|stream| {
        heard(stream);
        let _ = write!(stream, "{OK}content-length: 9999\r\n\r\n");
        trickle(stream, "x");
    });
    let error = ask_in_vain(&body).await;
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Timeout, Some(200)),
        "{error}"
    );
    assert!(
        error.timings.headers.is_some(),
        "it came as far as the headers"
    );
}

#[tokio::test]
async fn an_endless_body_is_too_large() {
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for (head, then) in [
        (format!("{OK}\r\n"), "x".repeat(4096)),
        (format!("{OK}transfer-encoding: chunked\r\n\r\n"), chunk),
        (
            format!("{OK}content-length: 999999999999\r\n\r\n"),
            "x".repeat(4096),
        ),
    ] {
        let (to, written) = endless(head.as_str(), then);
        let error = ask(&to).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::TooLarge, Some(200)),
            "{head}{error}"
        );
        assert!(written.load(Ordering::Relaxed) < SOCKETS, "it was read on");
    }
}

#[tokio::test]
async fn endless_headers_are_too_large() {
    let many = endless(OK, "x-a: b\r\n");
    let long = endless(format!("{OK}x-a: "), "x".repeat(4096));
    for (to, written) in [many, long] {
        let error = ask(&to).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::TooLarge, None),
            "{error}"
        );
        assert!(written.load(Ordering::Relaxed) < SOCKETS, "it was read on");
    }
}

#[tokio::test]
async fn endless_trailers_and_chunk_extensions_are_refused() {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let trailers = endless(format!("{chunked}0\r\n"), "x-a: b\r\n");
    let extensions = endless(format!("{chunked}1;"), "x".repeat(4096));
    for ((to, written), kind) in [
        (trailers, ErrorKind::TooLarge),
        (extensions, ErrorKind::Protocol),
    ] {
        let error = ask(&to).await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(200)), "{error}");
        assert!(written.load(Ordering::Relaxed) < SOCKETS, "it was read on");
    }
}

/// None of them is the answer, and each is skipped.
#[tokio::test]
async fn informational_answers_in_a_row_are_a_timeout() {
    let flood = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let to = server(|stream| {
        heard(stream);
        while stream.write_all(flood.repeat(10).as_bytes()).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let error = ask_in_vain(&to).await;
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Timeout, None),
        "{error}"
    );

    let some = format!("{}{OK}content-length: 2\r\n\r\nok", flood.repeat(20));
    let answer = ask(&super::says(some)).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"ok"[..]));
}
