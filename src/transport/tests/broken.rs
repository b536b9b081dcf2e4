//! Servers that break off, or speak something that is no HTTP.

use std::io::Write as _;
use std::time::Duration;

use super::{ask, ask_in_vain, client, heard, in_time, says, send, server};
use crate::event::ErrorKind;
use crate::plan::Address;

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[tokio::test]
async fn a_reset_is_a_reset_wherever_it_comes() {
    for said in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let to = server(move |stream| {
            // What was not read when a socket is closed makes its end a reset.
            let _ = stream.write_all(said.as_bytes());
            std::thread::sleep(Duration::from_millis(50));
        });
        let error = ask(&to).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Reset, "{said}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_lost() {
    for said in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nx-a: b",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let error = ask(&says(said)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Reset, "{said}: {error}");
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_no_part_of_the_next() {
    // More than announced: what is too much must not be taken for the answer to the next request.
    let surplus = format!("{OK}content-length: 2\r\n\r\nok{OK}content-length: 4\r\n\r\nevil");
    let to = server(move |stream| {
        while !heard(stream).is_empty() {
            let _ = stream.write_all(surplus.as_bytes());
        }
    });
    let mut client = client();
    for n in 0..50 {
        let answer = in_time(send(&mut client, &to, "x")).await.unwrap();
        assert_eq!(&*answer.body, b"ok", "request {n}");
    }
}

#[tokio::test]
async fn broken_chunks_and_lengths_break_the_protocol() {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    for said in [
        format!("{chunked}zz\r\nhello\r\n0\r\n\r\n"),
        format!("{chunked}-1\r\nhello\r\n0\r\n\r\n"),
        format!("{chunked}2\r\nhello\r\n0\r\n\r\n"),
        format!("{chunked}fffffffffffffffff\r\nhello"),
        format!("{OK}content-length: two\r\n\r\nok"),
        format!("{OK}content-length: -2\r\n\r\nok"),
        format!("{OK}content-length: 2\r\ncontent-length: 3\r\n\r\nok!"),
    ] {
        let error = ask(&says(said.as_str())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{said}: {error}");
    }
}

#[tokio::test]
async fn garbage_breaks_the_protocol() {
    for said in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"\0\x01\x02\xff\xfe\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 xyz OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
    ] {
        let error = ask(&says(said)).await.unwrap_err();
        let said = String::from_utf8_lossy(said);
        assert_eq!(error.kind, ErrorKind::Protocol, "{said}: {error}");
    }
}

#[tokio::test]
async fn tls_and_plain_never_meet() {
    // What a TLS server says to a request in plain text: an alert, and it closes.
    let to = says(&b"\x15\x03\x01\x00\x02\x02\x46"[..]);
    let error = ask(&to).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("https://"), "{error}");

    for said in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let to = says(said).to_string().replace("http:", "https:");
        let error = ask(&Address::parse(&to).unwrap()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Tls, "{said}: {error}");
    }
    let silent = server(|stream| {
        heard(stream);
        std::thread::sleep(Duration::from_secs(9));
    });
    let to = Address::parse(&silent.to_string().replace("http:", "https:")).unwrap();
    let error = ask_in_vain(&to).await;
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
}
