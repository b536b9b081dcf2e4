//! Each query and predicate on an answer that satisfies it and on one that does not; each mistake as it is told.

use std::time::Duration;

use super::*;
use crate::event::Timings;
use crate::plan::expectation::Reply;

fn parse(line: &str) -> Result<Expectation, Finding> {
    let source = SourceFile::new("a.yaml", line);
    Expectation::parse(
        &source,
        &Located {
            value: line.to_owned(),
            span: 0..line.len(),
        },
    )
}

fn holds(line: &str) -> bool {
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "content-type",
        "application/json; charset=utf-8".parse().unwrap(),
    );
    headers.insert("content-length", "120".parse().unwrap());
    let body = br#"{"status":"healthy","n":3,"none":null,"ok":true,"empty":[],"odd key":"x y","list":["a","b"],
        "agents":[{"name":"a","status":"healthy"},{"name":"b","status":"healthy"}]}"#;
    let timings = Timings {
        connect: None,
        headers: Some(Duration::from_millis(20)),
        first_token: None,
        max_gap: None,
        end: Duration::from_millis(300),
    };
    let headers = headers.into();
    let reply = Reply::new(Some(200), Some(&headers), body, timings);
    let expectation = parse(line).unwrap_or_else(|finding| panic!("{finding}"));
    let verdict = expectation.check(&reply);
    assert_eq!(verdict.held, expectation.holds(&reply));
    verdict.held
}

#[test]
fn expectations_that_hold() {
    for line in [
        "status == 200",
        "status != 500",
        "status in 200..299",
        "status in [200, 201]",
        "status < 300",
        "status >= 200",
        "header content-type startsWith application/json",
        "header Content-Type contains charset",
        "header x-none not exists",
        "header content-length == 120",
        "header content-length in 100..200",
        "jsonpath $.status == healthy",
        "jsonpath $.status == \"healthy\"",
        "jsonpath $.n > 2",
        "jsonpath $.ok == true",
        "jsonpath $.none == null",
        "jsonpath $.nothere not exists",
        "jsonpath $['odd key'] == 'x y'",
        "jsonpath $.agents[*].status all == healthy",
        "jsonpath $.agents[*].name any == b",
        "jsonpath $.agents[*].status none == failed",
        "jsonpath $.agents count == 2",
        "jsonpath $.agents[*] count >= 2",
        "jsonpath $.list contains b",
        "jsonpath $.empty isEmpty",
        "jsonpath $.status matches ^heal",
        "jsonpath $.status endsWith thy",
        "body contains healthy",
        "bytes > 10",
        "duration < 500ms",
        "ttfb <= 20ms",
        "jsonpath $.agents[?@.name == 'a'].status == healthy",
    ] {
        assert!(holds(line), "{line}");
    }
}

#[test]
fn expectations_that_do_not_hold() {
    for line in [
        "status == 500",
        "status != 200",
        "status in 400..499",
        "status in [201, 204]",
        "header content-type == text/html",
        "header x-none exists",
        "header x-none != a",
        "header content-type not exists",
        "jsonpath $.status == sick",
        "jsonpath $.nothere == x",
        "jsonpath $.nothere != x",
        "jsonpath $.nothere[*] all == healthy",
        "jsonpath $.nothere[*] != x",
        "jsonpath $.none exists",
        "jsonpath $.n == \"3\"",
        "jsonpath $.n > 3",
        "jsonpath $.ok == false",
        "jsonpath $.ok == \"true\"",
        "jsonpath $.empty all == healthy",
        "jsonpath $.empty none == failed",
        "jsonpath $.nothere[*].status none == failed",
        "jsonpath $.agents[*].status any == failed",
        "jsonpath $.agents[*].status none == healthy",
        "jsonpath $.agents count == 3",
        "jsonpath $.status count == 1",
        "jsonpath $.list contains c",
        "jsonpath $.list isEmpty",
        "body contains sick",
        "bytes == 0",
        "duration > 500ms",
        "first_token < 3s",
        "max_gap < 10s",
        "event == done",
        "jsonpath $.status < 5",
        "jsonpath $.list == a",
    ] {
        assert!(!holds(line), "{line}");
    }
}

#[test]
fn what_is_not_json_satisfies_nothing() {
    let reply = Reply::new(Some(200), None, b"<html>", Timings::default());
    for line in [
        "jsonpath $.a == b",
        "jsonpath $.a exists",
        "jsonpath $.a != b",
        "jsonpath $[*] all == x",
        "jsonpath $.error not exists",
        "jsonpath $.errors[*] not exists",
        "jsonpath $[*] none == failed",
        "jsonpath $[*] count == 0",
        "jsonpath $[*] isEmpty",
    ] {
        assert!(!parse(line).unwrap().holds(&reply), "{line}");
    }
    assert_eq!(
        parse("jsonpath $.a exists").unwrap().check(&reply).seen,
        "a body that is not JSON"
    );
}

#[test]
fn mistakes_are_told() {
    let bad = [
        "",
        "stauts == 200",
        "status",
        "status = 200",
        "status equals 200",
        "status ==",
        "header == 200",
        "header content type == x",
        "jsonpath status == 1",
        "jsonpath",
        "duration < 500",
        "duration < fast",
        "status in",
        "status in []",
        "status in 299..200",
        "status in 200..abc",
        "body matches (",
        "body contains",
        "body contains \"\"",
        "body == \"open",
        "body == 'open",
        "jsonpath $.a count many",
        "jsonpath $.a all",
        "jsonpath $.a exists now",
        "jsonpath $.a not == 1",
        "jsonpath $.a < true",
        "jsonpath $.a exists redact",
        "jsonpath $.token redact",
    ];
    let told: Vec<String> = bad
        .iter()
        .map(|line| parse(line).expect_err(line).render(false))
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn captures() {
    let capture = |line: &str| {
        let source = SourceFile::new("a.yaml", line);
        let name = Located {
            value: "token".to_owned(),
            span: 0..0,
        };
        Capture::parse(
            &source,
            &name,
            &Located {
                value: line.to_owned(),
                span: 0..line.len(),
            },
        )
    };
    let reply = Reply::new(
        Some(200),
        None,
        br#"{"t":"abc","n":5,"l":[1,2],"z":null}"#,
        Timings::default(),
    );
    let value = |line: &str| capture(line).unwrap().find(&reply);
    assert_eq!(value("jsonpath $.t redact"), Some("abc".to_owned()));
    assert!(capture("jsonpath $.t redact").unwrap().secret);
    assert!(!capture("jsonpath $.t").unwrap().secret);
    assert_eq!(value("jsonpath $.n"), Some("5".to_owned()));
    assert_eq!(value("jsonpath $.z"), None);
    assert_eq!(value("jsonpath $.l[*]"), None, "two values are not one");
    assert!(capture("jsonpath $.t == abc").is_err());
}
