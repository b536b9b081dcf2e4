//! Event streams without end, in every way in which they can have none.

use std::sync::atomic::Ordering;

use super::{SOCKETS, client, endless, get, in_time, says, tight};
use crate::event::ErrorKind;
use crate::plan::Address;
use crate::transport::sse::MAX_EVENT;
use crate::transport::{Limits, Streamed, TransportError, Until};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

async fn stream(to: &Address, limits: Limits) -> Result<Streamed, TransportError> {
    let never = |_: &str, _: &str| false;
    in_time(client().stream(to, get(), limits, Until::Event(&never), None)).await
}

#[tokio::test]
async fn endless_streams_are_too_large() {
    for then in [
        "data: x\n\n".repeat(100),
        ": comment\n".repeat(100),
        "event: x\n".repeat(100),
        "data: x\n".repeat(100),
        "x".repeat(1000),
        "\n".repeat(1000),
    ] {
        let (to, written) = endless(HEAD, then.as_str());
        let error = stream(&to, tight()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::TooLarge, Some(200)),
            "{then:.9}: {error}"
        );
        assert!(
            written.load(Ordering::Relaxed) < SOCKETS,
            "{then:.9}: it was read on"
        );
    }
}

#[tokio::test]
async fn one_event_is_bounded_more_tightly_than_the_stream() {
    let limits = Limits {
        max_body: 100 * MAX_EVENT,
        timeout: std::time::Duration::from_secs(2),
    };
    for then in [
        "data: x\n".repeat(1000),
        "x".repeat(8000),
        "event: x".repeat(1000),
    ] {
        let (to, written) = endless(HEAD, then.as_str());
        let error = stream(&to, limits).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge, "{then:.9}: {error}");
        assert!(error.to_string().contains("one event"), "{error}");
        // Only part of each line is kept.
        assert!(written.load(Ordering::Relaxed) < SOCKETS + 10 * MAX_EVENT as u64);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_told_as_what_it_is() {
    let ended = stream(&says(format!("{HEAD}data: x\n\ndata: y")), tight()).await;
    let error = ended.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Truncated, "{error}");

    let head = HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
    let cut = stream(&says(format!("{head}9\r\ndata: x\n\n\r\n")), tight()).await;
    let error = cut.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Reset, "{error}");
    assert!(error.timings.first_token.is_some(), "the first event came");

    let broken = stream(&says(format!("{head}zz\r\n")), tight()).await;
    assert_eq!(broken.unwrap_err().kind, ErrorKind::Protocol);
}
