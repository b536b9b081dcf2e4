//! Which cookies are kept, and where they go.

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn jar(given: &[(&str, &'static str)]) -> Jar {
    let mut jar = Jar::default();
    for (from, cookie) in given {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
        jar.store(&address(from), &headers);
    }
    jar
}

fn sent(jar: &Jar, to: &str) -> String {
    jar.header(&address(to))
        .map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
}

#[test]
fn a_cookie_goes_to_its_own_site_alone() {
    let site = "https://www.shop.example/a/b";
    for (cookie, to, goes) in [
        ("s=1", "https://www.shop.example/a/c", true),
        ("s=1", "https://www.shop.example:8443/a/", true),
        ("s=1", "http://www.shop.example/a/", true),
        ("s=1", "https://shop.example/a/", false),
        ("s=1", "https://x.www.shop.example/a/", false),
        ("s=1", "https://www.shop.example/", false),
        ("s=1; path=/", "https://www.shop.example/", true),
        ("s=1; path=/a/b", "https://www.shop.example/a/b", true),
        ("s=1; path=/a/b", "https://www.shop.example/a/b/c", true),
        ("s=1; path=/a/b", "https://www.shop.example/a/bc", false),
        ("s=1; path=x", "https://www.shop.example/a/x", true),
        (
            "s=1; domain=shop.example; path=/",
            "https://shop.example/",
            true,
        ),
        (
            "s=1; domain=.Shop.Example; path=/",
            "https://api.shop.example/",
            true,
        ),
        (
            "s=1; domain=shop.example; path=/",
            "https://evilshop.example/",
            false,
        ),
        (
            "s=1; domain=www.shop.example; path=/",
            "https://x.www.shop.example/",
            true,
        ),
        (
            "s=1; domain=other.example; path=/",
            "https://other.example/",
            false,
        ),
        (
            "s=1; domain=other.example; path=/",
            "https://www.shop.example/",
            false,
        ),
        (
            "s=1; domain=example; path=/",
            "https://other.example/",
            false,
        ),
        ("s=1; secure; path=/", "https://www.shop.example/", true),
        ("s=1; secure; path=/", "http://www.shop.example/", false),
        (
            "__Host-s=1; secure; path=/",
            "https://www.shop.example/",
            true,
        ),
        (
            "__Host-s=1; secure; path=/; domain=shop.example",
            "https://www.shop.example/",
            false,
        ),
        ("__Secure-s=1; path=/", "https://www.shop.example/", false),
    ] {
        let came = sent(&jar(&[(site, cookie)]), to);
        assert_eq!(!came.is_empty(), goes, "`{cookie}` to {to}: {came}");
    }
}

#[test]
fn public_suffixes_addresses_and_plain_text_are_kept_apart() {
    for (from, cookie, to, goes) in [
        (
            "https://a.co.uk/",
            "s=1; domain=co.uk",
            "https://b.co.uk/",
            false,
        ),
        (
            "https://a.github.io/",
            "s=1; domain=github.io",
            "https://b.github.io/",
            false,
        ),
        (
            "https://co.uk/",
            "s=1; domain=co.uk",
            "https://co.uk/",
            true,
        ),
        (
            "https://co.uk/",
            "s=1; domain=co.uk",
            "https://b.co.uk/",
            false,
        ),
        (
            "http://127.0.0.1/",
            "s=1; domain=0.0.1",
            "http://127.0.0.1/",
            false,
        ),
        (
            "http://127.0.0.1/",
            "s=1; domain=127.0.0.1",
            "http://127.0.0.1/",
            true,
        ),
        (
            "http://127.0.0.1/",
            "s=1; secure",
            "http://127.0.0.1/",
            true,
        ),
        ("http://[::1]/", "s=1; secure", "http://[::1]/", true),
        (
            "http://localhost:1/",
            "s=1; secure",
            "http://localhost:2/",
            true,
        ),
        ("http://a.test/", "s=1; secure", "https://a.test/", false),
    ] {
        let came = sent(&jar(&[(from, cookie)]), to);
        assert_eq!(
            !came.is_empty(),
            goes,
            "`{cookie}` of {from} to {to}: {came}"
        );
    }
}

#[test]
fn cookies_are_replaced_ordered_and_end() {
    let at = "http://a.test/x/y";
    let jar = |given: &[&'static str]| jar(&given.iter().map(|c| (at, *c)).collect::<Vec<_>>());
    let sent = |given| sent(&jar(given), at);
    assert_eq!(
        sent(&["a=1; path=/", "b=2", "c=3; path=/"]),
        "b=2; a=1; c=3"
    );
    assert_eq!(sent(&["a=1", "b=2", "a=3"]), "a=3; b=2");
    assert_eq!(sent(&["a=1", "a=x; max-age=0"]), "");
    assert_eq!(
        sent(&["a=1", "a=x; expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
        ""
    );
    assert_eq!(sent(&["a=1; max-age=-5"]), "");
    assert_eq!(
        sent(&["a=1; max-age=60; expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
        "a=1"
    );
    assert_eq!(sent(&["a=1; expires=Wed, 01 Jan 2200 00:00:00 GMT"]), "a=1");
    assert_eq!(sent(&["a=1; max-age=99999999999999999"]), "a=1");
    assert_eq!(sent(&["a=\"q\"; HttpOnly; SameSite=Lax"]), "a=\"q\"");
    assert_eq!(sent(&["", ";", "=", "no pair"]), "");
    let seen = jar(&["a=secret-one", "a=secret-two", "a=deleted; max-age=0"]);
    assert_eq!(seen.seen(), ["secret-one", "secret-two"]);
}

#[test]
fn a_jar_is_bounded() {
    let mut jar = Jar::default();
    let to = address("http://a.test/");
    for n in 0..5000 {
        let mut headers = HeaderMap::new();
        let cookie = HeaderValue::from_str(&format!("n{n}={}", "x".repeat(n))).unwrap();
        headers.append(header::SET_COOKIE, cookie);
        jar.store(&to, &headers);
    }
    assert_eq!((jar.kept.len(), jar.seen.len()), (MOST, MOST_SEEN));
    assert!(jar.kept.iter().all(|k| k.value.len() < MOST_BYTES));
}
