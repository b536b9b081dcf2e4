//! Cookies on the wire: who gets which, by which protocol.

use http::HeaderValue;

use super::{answer, answers, at, client, get, in_time, tight};
use crate::plan::Address;
use crate::transport::{Client, Redirects, Until};

/// A server whose `/set` sets a cookie, and whose other pages tell which came.
fn site() -> Address {
    answers(|request| {
        let cookie = request
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("cookie:"));
        let cookie = cookie.unwrap_or("none");
        match request.split(' ').nth(1) {
            Some("/set") => answer(
                200,
                "set-cookie: sid=abc; path=/\r\nset-cookie: b=2; path=/\r\n",
                cookie,
            ),
            Some("/go") => answer(
                302,
                "location: /page\r\nset-cookie: hop=1; path=/\r\n",
                cookie,
            ),
            Some("/stream") => answer(
                200,
                "content-type: text/event-stream\r\nset-cookie: stream=1; path=/\r\n",
                &format!("data: {cookie}\n\n"),
            ),
            _ => answer(200, "", cookie),
        }
    })
}

async fn cookies_at(client: &mut Client, to: &Address, path: &str) -> String {
    let exchange = in_time(client.send(&at(to, path), get(), tight()))
        .await
        .unwrap();
    String::from_utf8_lossy(&exchange.body).into_owned()
}

#[tokio::test]
async fn a_user_brings_back_what_it_was_given() {
    let (site, other) = (site(), site());
    let mut client = client();
    assert_eq!(cookies_at(&mut client, &site, "/page").await, "none");
    assert!(client.cookie_values().is_empty());
    assert_eq!(cookies_at(&mut client, &site, "/set").await, "none");
    assert_eq!(
        cookies_at(&mut client, &site, "/page").await,
        "cookie: sid=abc; b=2"
    );
    assert_eq!(client.cookie_values(), ["abc", "2"]);
    // By the standard a port is no site of its own; a name is.
    let elsewhere = Address::parse(&other.to_string().replace("127.0.0.1", "localhost")).unwrap();
    assert_eq!(cookies_at(&mut client, &elsewhere, "/page").await, "none");

    let mut request = get();
    request
        .headers_mut()
        .insert("cookie", HeaderValue::from_static("own=1"));
    let own = in_time(client.send(&at(&site, "/page"), request, tight()))
        .await
        .unwrap();
    assert_eq!(
        &*own.body, b"cookie: own=1",
        "what a step says itself stands"
    );

    client.forget_cookies();
    assert_eq!(cookies_at(&mut client, &site, "/page").await, "none");
}

#[tokio::test]
async fn streams_and_redirects_take_and_bring_them_too() {
    let site = site();
    let (stream, go) = (at(&site, "/stream"), at(&site, "/go"));
    let redirects = Redirects {
        most: 1,
        is_secret: &|_| false,
    };
    let mut client = client();
    let first = client.stream(&stream, get(), tight(), Until::End, None);
    assert_eq!(in_time(first).await.unwrap().body, b"none");
    let way = client.send_and(&go, get(), tight(), Some(&redirects));
    let told = in_time(way).await.unwrap().body;
    assert_eq!(&*told, b"cookie: stream=1; hop=1");
    let last = client.stream(&stream, get(), tight(), Until::End, None);
    assert_eq!(in_time(last).await.unwrap().body, &*told);
}
