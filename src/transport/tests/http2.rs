//! HTTP/2: when it is spoken, and what becomes of requests when streams and connections fail.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{answer, answers, get, heard, in_time, says, send, server, soon, tight};
use crate::event::ErrorKind;
use crate::plan::{Address, Http2Use};
use crate::transport::{Client, Connector, Exchange, Limits, TransportError, Until};

/// What a server does with the nth request of its nth connection, both from 1.
type Habit = fn(usize, usize, Request<RecvStream>, SendResponse<Bytes>) -> Then;

/// What it does with the connection after that.
enum Then {
    GoOn,
    /// Takes no more requests, and finishes those that it has.
    GoAway,
    /// Drops it.
    Hang,
}

fn ok(_: usize, _: usize, request: Request<RecvStream>, mut to: SendResponse<Bytes>) -> Then {
    let seen = format!(
        "{:?} {} {} host:{}",
        request.version(),
        request.method(),
        request.uri(),
        request.headers().contains_key("host")
    );
    let mut stream = to.send_response(Response::new(()), false).unwrap();
    stream.send_data(seen.into(), true).unwrap();
    Then::GoOn
}

/// Serves one connection.
async fn serve<T: AsyncRead + AsyncWrite + Unpin>(io: T, nth: usize, habit: Habit) {
    let Ok(mut connection): Result<Connection<T, Bytes>, _> = h2::server::handshake(io).await
    else {
        return;
    };
    let mut request_nth = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        request_nth += 1;
        match habit(nth, request_nth, request, respond) {
            Then::GoOn => {}
            Then::GoAway => connection.graceful_shutdown(),
            Then::Hang => return,
        }
    }
}

/// A server of HTTP/2 in plain text, and the number of connections that came.
async fn plain(habit: Habit) -> (Address, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = Address::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let nth = counted.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::spawn(serve(stream, nth, habit));
        }
    });
    (to, count)
}

/// Knows that the server speaks it.
fn knowing(to: &Address) -> Client {
    let connector = Connector::new(None).unwrap();
    Client::new(Arc::new(
        connector.with_http2(Http2Use::PriorKnowledge, &to.to_string()),
    ))
}

async fn ask(client: &mut Client, to: &Address) -> Result<Exchange, TransportError> {
    in_time(client.send(to, get(), tight())).await
}

fn text(exchange: &Exchange) -> String {
    String::from_utf8_lossy(&exchange.body).into_owned()
}

#[tokio::test]
async fn prior_knowledge_is_of_one_server_alone() {
    let (to, count) = plain(ok).await;
    let mut client = knowing(&to);
    for _ in 0..5 {
        let exchange = ask(&mut client, &to).await.unwrap();
        assert_eq!(text(&exchange), format!("HTTP/2.0 GET {to} host:false"));
    }
    assert_eq!(count.load(Ordering::Relaxed), 1, "one connection for all");
    let other = answers(|request| answer(200, "", request));
    let exchange = ask(&mut client, &other).await.unwrap();
    assert!(
        text(&exchange).starts_with("GET /x HTTP/1.1"),
        "{}",
        text(&exchange)
    );

    let mut named = get();
    named
        .headers_mut()
        .insert("host", http::HeaderValue::from_static("name.test"));
    let exchange = in_time(client.send(&to, named, tight())).await.unwrap();
    assert_eq!(
        text(&exchange),
        "HTTP/2.0 GET http://name.test/x host:false"
    );
}

/// A TLS server that speaks what is chosen of these, with a certificate of its own; tells what was offered last.
async fn secure(alpn: &[&str]) -> (Address, Arc<Connector>, Arc<Mutex<Option<Vec<u8>>>>) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            key.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let chosen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&chosen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            told.lock().unwrap().clone_from(&alpn);
            if alpn.as_deref() == Some(b"h2") {
                tokio::spawn(serve(stream, 1, ok));
            } else {
                tokio::spawn(async move {
                    let _ = stream.write_all(answer(200, "", "one").as_bytes()).await;
                    let _ = stream.flush().await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                });
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, key.cert.pem()).unwrap();
    let connector = Connector::new(Some(&file)).unwrap();
    let to = Address::parse(&format!("https://localhost:{port}/x")).unwrap();
    (to, Arc::new(connector), chosen)
}

#[tokio::test]
async fn over_tls_the_server_chooses() {
    for (alpn, version, chosen) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0", Some("h2")),
        (&["http/1.1"], "one", Some("http/1.1")),
        (&[], "one", None),
    ] {
        let (to, connector, seen) = secure(alpn).await;
        let mut client = Client::new(connector);
        let exchange = ask(&mut client, &to).await.unwrap();
        assert!(
            text(&exchange).starts_with(version),
            "{alpn:?}: {}",
            text(&exchange)
        );
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.as_deref(), chosen.map(str::as_bytes), "{alpn:?}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off_and_websockets_never_use_it() {
    let (to, connector, seen) = secure(&["h2", "http/1.1"]).await;
    let connector = Arc::into_inner(connector).unwrap();
    let off = Arc::new(connector.with_http2(Http2Use::Off, &to.to_string()));
    let exchange = ask(&mut Client::new(off), &to).await.unwrap();
    assert_eq!(text(&exchange), "one");

    let (to, connector, _) = secure(&["h2", "http/1.1"]).await;
    *seen.lock().unwrap() = None;
    let talk = async {
        let mut client = Client::new(connector);
        client
            .converse(
                &to,
                Vec::new(),
                Vec::new(),
                tight(),
                Until::Event(&|_, _| true),
            )
            .await
    };
    // The server answers the handshake as it answers anything: over HTTP/1.1, and not with 101.
    let error = in_time(talk).await.unwrap_err();
    assert_eq!(error.status, Some(200), "{error}");
}

#[tokio::test]
async fn a_stream_that_is_reset_takes_no_other_with_it() {
    let (to, count) = plain(|_, nth, request, mut respond| match nth {
        1 => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            Then::GoOn
        }
        3 => {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data("half".into(), false).unwrap();
            stream.send_reset(Reason::CANCEL);
            Then::GoOn
        }
        _ => ok(1, nth, request, respond),
    })
    .await;
    let mut client = knowing(&to);
    for nth in 1..=4 {
        match ask(&mut client, &to).await {
            Ok(_) => assert!(nth % 2 == 0),
            Err(error) => {
                assert!(nth % 2 == 1, "{nth}: {error}");
                assert_eq!(error.kind, ErrorKind::Reset, "{error}");
            }
        }
    }
    assert_eq!(count.load(Ordering::Relaxed), 1, "the connection lived on");
}

#[tokio::test]
async fn what_was_not_looked_at_goes_out_again_once() {
    let (to, count) = plain(|connection, nth, request, mut respond| {
        if connection == 1 && nth == 2 {
            respond.send_reset(Reason::REFUSED_STREAM);
            return Then::GoOn;
        }
        ok(connection, nth, request, respond)
    })
    .await;
    let mut client = knowing(&to);
    for _ in 0..4 {
        in_time(send(&mut client, &to, "body")).await.unwrap();
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);

    let (to, count) = plain(|_, nth, request, mut respond| {
        if nth == 1 {
            return ok(1, nth, request, respond);
        }
        respond.send_reset(Reason::REFUSED_STREAM);
        Then::GoOn
    })
    .await;
    let mut client = knowing(&to);
    ask(&mut client, &to).await.unwrap();
    ask(&mut client, &to).await.unwrap();
    assert_eq!(
        count.load(Ordering::Relaxed),
        2,
        "refused on one, taken on another"
    );

    let (to, count) = plain(|_, _, _, mut respond| {
        respond.send_reset(Reason::REFUSED_STREAM);
        Then::GoOn
    })
    .await;
    let error = ask(&mut knowing(&to), &to).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Reset, "{error}");
    assert_eq!(
        count.load(Ordering::Relaxed),
        1,
        "one that is new is not doubted"
    );
}

#[tokio::test]
async fn a_server_that_goes_away_costs_no_request() {
    let (to, count) = plain(|connection, nth, request, respond| {
        let _ = ok(connection, nth, request, respond);
        if nth == 3 { Then::GoAway } else { Then::GoOn }
    })
    .await;
    let mut client = knowing(&to);
    for n in 0..60 {
        in_time(send(&mut client, &to, "body"))
            .await
            .unwrap_or_else(|e| panic!("request {n}: {e}"));
        if n % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let count = count.load(Ordering::Relaxed);
    assert!((15..=30).contains(&count), "{count} connections");

    let (to, _) = plain(|_, _, _, _| Then::Hang).await;
    let error = ask(&mut knowing(&to), &to).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Reset, "{error}");
}

/// A frame as it is written.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// Answers the first request of each connection, and says of the second that it was not taken, once it came.
#[tokio::test]
async fn a_request_that_crosses_a_goaway_goes_out_again() {
    let to = server(|stream| {
        let mut preface = [0; 24];
        let _ = stream.read_exact(&mut preface);
        let _ = stream.write_all(&frame(4, 0, 0, b""));
        let mut head = [0; 9];
        while stream.read_exact(&mut head).is_ok() {
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let _ = stream.read_exact(&mut vec![0; length]);
            let said = match (head[3], head[8]) {
                // HEADERS with `:status: 200`, the end of the stream.
                (1, 1) => frame(1, 5, 1, &[0x88]),
                // GOAWAY: the last that was taken is 1.
                (1, _) => frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
                _ => continue,
            };
            let _ = stream.write_all(&said);
        }
    });
    let mut client = knowing(&to);
    for n in 0..6 {
        let exchange = in_time(send(&mut client, &to, "body")).await;
        assert!(exchange.is_ok(), "request {n}: {exchange:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_the_next_request_goes_elsewhere() {
    let (to, count) = plain(|connection, nth, request, respond| {
        if connection == 1 {
            // Kept, so that the stream stays open.
            std::mem::forget(respond);
            return Then::GoOn;
        }
        ok(connection, nth, request, respond)
    })
    .await;
    let mut client = knowing(&to);
    let error = in_time(client.send(&to, get(), soon())).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Timeout, None),
        "{error}"
    );
    assert!(ask(&mut client, &to).await.is_ok());
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn bodies_streams_and_headers_are_bounded() {
    let (to, _) = plain(|_, _, request, mut respond| {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        match request.uri().path() {
            "/headers" => {
                for n in 0..3000 {
                    let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
                    headers.insert(name, "x".repeat(100).parse().unwrap());
                }
            }
            "/events" => {
                headers.insert("content-type", "text/event-stream".parse().unwrap());
            }
            _ => {}
        }
        let mut stream = respond.send_response(response, false).unwrap();
        // Waits for the peer's window of its own accord.
        for _ in 0..300 {
            let _ = stream.send_data(Bytes::from("data: x\n".repeat(1000)), false);
        }
        std::mem::forget(stream);
        Then::GoOn
    })
    .await;
    let mut client = knowing(&to);
    let error = ask(&mut client, &to).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::TooLarge, Some(200)),
        "{error}"
    );

    let events = super::at(&to, "/events");
    let stream = client.stream(&events, get(), tight(), Until::End, None);
    let error = in_time(stream).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::TooLarge, Some(200)),
        "{error}"
    );

    let headers = super::at(&to, "/headers");
    let error = ask(&mut client, &headers).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Protocol, None),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_speak_it_breaks_the_protocol() {
    for said in [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let to = server(move |stream| {
            heard(stream);
            let _ = stream.write_all(said.as_bytes());
            while !heard(stream).is_empty() {}
        });
        let error = ask(&mut knowing(&to), &to).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{said}: {error}");
    }
    let silent = says("");
    let error = ask(&mut knowing(&silent), &silent).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Reset, "{error}");
}

#[tokio::test]
async fn clocks_run_as_they_do_for_one() {
    let (to, _) = plain(ok).await;
    let mut client = knowing(&to);
    let first = ask(&mut client, &to).await.unwrap().timings;
    let second = ask(&mut client, &to).await.unwrap().timings;
    assert!(first.connect.is_some() && second.connect.is_none());
    assert!(first.connect <= first.headers && first.headers <= Some(first.end));
    let body = Full::new(Bytes::from(vec![b'x'; 3_000_000]));
    let limits = Limits {
        timeout: Duration::from_secs(3),
        ..tight()
    };
    assert!(
        in_time(client.send(&to, Request::post("/").body(body).unwrap(), limits))
            .await
            .is_ok()
    );
}
