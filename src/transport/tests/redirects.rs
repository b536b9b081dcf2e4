//! Redirects: what is sent where, and what is not.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::{answer, answers, at, client, get, in_time, soon, tight};
use crate::event::ErrorKind;
use crate::plan::Address;
use crate::transport::{Exchange, Redirects, TransportError, Until};

/// A server whose `/STATUS` redirects with that status to another address, and whose other pages repeat what came.
fn echo_and_redirect(elsewhere: String) -> Address {
    answers(move |request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path.trim_start_matches('/').parse::<u16>() {
            Ok(status) => answer(status, &format!("location: {elsewhere}\r\n"), "moved"),
            Err(_) => answer(200, "", request),
        }
    })
}

async fn follow(
    to: &Address,
    request: Request<Full<Bytes>>,
    most: u8,
) -> Result<Exchange, TransportError> {
    let redirects = Redirects {
        most,
        is_secret: &|text| text.contains("geheim"),
    };
    in_time(client().send_and(to, request, tight(), Some(&redirects))).await
}

fn post(headers: &[(&'static str, &'static str)], body: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

fn text(exchange: &Exchange) -> String {
    String::from_utf8_lossy(&exchange.body).into_owned()
}

#[tokio::test]
async fn each_status_keeps_or_drops_method_and_body() {
    let to = echo_and_redirect("/page?q".to_owned());
    for (status, method) in [
        (301, "GET"),
        (302, "GET"),
        (303, "GET"),
        (307, "POST"),
        (308, "POST"),
    ] {
        let request = post(
            &[
                ("content-type", "text/plain"),
                ("authorization", "Bearer geheim"),
            ],
            "hello geheim",
        );
        let exchange = follow(&at(&to, &format!("/{status}")), request, 3)
            .await
            .unwrap();
        let said = text(&exchange);
        assert_eq!(exchange.status, 200, "{status}");
        assert!(
            said.starts_with(&format!("{method} /page?q ")),
            "{status}: {said}"
        );
        let kept = method == "POST";
        assert_eq!(said.ends_with("hello geheim"), kept, "{status}: {said}");
        assert_eq!(said.contains("content-type"), kept, "{status}: {said}");
        assert!(
            said.contains("Bearer geheim"),
            "the same server may know it"
        );
        assert_eq!(exchange.bytes, (said.len() + "moved".len()) as u64);
    }
    let mut request = get();
    *request.method_mut() = http::Method::PUT;
    let said = text(&follow(&at(&to, "/302"), request, 3).await.unwrap());
    assert!(said.starts_with("PUT "), "only POST becomes GET: {said}");
}

#[tokio::test]
async fn another_server_is_told_no_secret() {
    let other = echo_and_redirect(String::new());
    let to = echo_and_redirect(at(&other, "/page").to_string());
    let headers = [
        ("authorization", "Basic x"),
        ("cookie", "a=b"),
        ("x-key", "geheim"),
        ("x-plain", "plain"),
        ("host", "first.test"),
    ];
    let said = text(
        &follow(&at(&to, "/307"), post(&headers, "hello"), 3)
            .await
            .unwrap(),
    );
    assert!(
        said.contains("x-plain: plain") && said.ends_with("hello"),
        "{said}"
    );
    for gone in ["authorization", "cookie", "geheim", "first.test"] {
        assert!(!said.contains(gone), "{gone}: {said}");
    }
    let error = follow(&at(&to, "/307"), post(&[], "geheim"), 3)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Protocol, Some(307)),
        "{error}"
    );
    assert!(error.to_string().contains("secret in the body"), "{error}");
}

#[tokio::test]
async fn what_is_lost_on_the_way_stays_lost() {
    // There and back again: the first server sees that it is asked without credentials.
    let first = answers(|request| {
        let to = request
            .split("there=")
            .nth(1)
            .and_then(|r| r.split(' ').next());
        match to {
            Some(to) => answer(302, &format!("location: {to}\r\n"), ""),
            None => answer(200, "", request),
        }
    });
    let other = echo_and_redirect(at(&first, "/end").to_string());
    let start = at(&first, &format!("/?there={}", at(&other, "/302")));
    let mut request = get();
    request
        .headers_mut()
        .insert("authorization", http::HeaderValue::from_static("Bearer x"));
    let said = text(&follow(&start, request, 3).await.unwrap());
    assert!(
        said.starts_with("GET /end ") && !said.contains("authorization"),
        "{said}"
    );
}

#[tokio::test]
async fn loops_end_and_are_shown() {
    let to = answers(|request| match request.split(' ').nth(1) {
        Some("/a?t=token") => answer(302, "location: /b\r\n", ""),
        _ => answer(302, "location: /a?t=token\r\n", ""),
    });
    let error = follow(&to, get(), 3).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Protocol, Some(302)),
        "{error}"
    );
    let base = to.to_string().replace("/x", "");
    assert_eq!(
        error.to_string(),
        format!(
            "redirected more than 3 times: {base}/x → {base}/a → {base}/b → {base}/a → {base}/b"
        )
    );
    let twice = answers(|request| match request.split(' ').nth(1) {
        Some("/x") => answer(302, "location: /1\r\n", ""),
        Some("/1") => answer(302, "location: /2\r\n", ""),
        _ => answer(200, "", "end"),
    });
    assert_eq!(text(&follow(&twice, get(), 2).await.unwrap()), "end");
    assert!(follow(&twice, get(), 1).await.is_err(), "at most so many");
}

#[tokio::test]
async fn what_is_no_redirect_is_the_answer() {
    let to = echo_and_redirect("/page".to_owned());
    for status in [300, 304, 305, 201] {
        assert_eq!(
            follow(&at(&to, &format!("/{status}")), get(), 3)
                .await
                .unwrap()
                .status,
            status
        );
    }
    let bare = answers(|_| answer(302, "", "nowhere"));
    let answer = follow(&bare, get(), 3).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (302, &b"nowhere"[..]));
    // Nobody asked for more.
    let plain = in_time(client().send(&at(&to, "/302"), get(), tight()))
        .await
        .unwrap();
    assert_eq!(plain.status, 302);
}

#[tokio::test]
async fn all_hops_share_one_limit_and_one_clock() {
    let slow = answers(|_| {
        std::thread::sleep(std::time::Duration::from_millis(150));
        answer(302, "location: /x\r\n", "")
    });
    let redirects = Redirects {
        most: 9,
        is_secret: &|_| false,
    };
    let way = async {
        let mut client = client();
        client
            .send_and(&slow, get(), soon(), Some(&redirects))
            .await
    };
    let error = in_time(way).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::Timeout, Some(302)),
        "{error}"
    );

    let late = answers(|request| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        match request.split(' ').nth(1) {
            Some("/x") => answer(302, "location: /y\r\n", ""),
            _ => answer(200, "", ""),
        }
    });
    let exchange = follow(&late, get(), 9).await.unwrap();
    let (connect, headers) = (
        exchange.timings.connect.unwrap(),
        exchange.timings.headers.unwrap(),
    );
    assert!(
        connect.as_millis() < 300 && headers.as_millis() >= 600,
        "{:?}",
        exchange.timings
    );
}

#[tokio::test]
async fn streams_follow_too() {
    let to = answers(|request| match request.split(' ').nth(1) {
        Some("/x") => answer(302, "location: /y\r\n", ""),
        _ => answer(200, "content-type: text/event-stream\r\n", "data: x\n\n"),
    });
    let redirects = Redirects {
        most: 1,
        is_secret: &|_| false,
    };
    let streamed = in_time(client().stream(&to, get(), tight(), Until::End, Some(&redirects)))
        .await
        .unwrap();
    assert_eq!((streamed.status, streamed.events), (200, 1));
}
