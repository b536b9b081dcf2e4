//! A virtual user and a real server: what is sent for a step, what is kept, what may be told of it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use super::{Detail, StepResult, VirtualUser, run_step};
use crate::plan::{LoadProfile, Plan, Vars};
use crate::transport::Connector;

/// A server that sets a cookie at `/login`, leads from `/go` elsewhere, and says what it heard.
fn server(elsewhere: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let elsewhere = elsewhere.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let elsewhere = elsewhere.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut request) {
                    let heard = String::from_utf8_lossy(&request[..length]).into_owned();
                    let (status, headers) = match heard.split(' ').nth(1) {
                        Some("/login") => {
                            (200, "set-cookie: sid=s3cr3t-value; path=/\r\n".to_owned())
                        }
                        Some("/go") => (307, format!("location: {elsewhere}\r\n")),
                        _ => (200, String::new()),
                    };
                    let length = heard.len();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{heard}"
                    );
                }
            });
        }
    });
    url
}

/// Walks a scenario of these steps twice, as one user; tells what each step came to, and what each answered.
async fn walk(url: &str, steps: &str) -> (VirtualUser, Vec<StepResult>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    std::fs::write(&file, format!("gates: 1\nname: s\nsteps:\n{steps}")).unwrap();
    let variables = BTreeMap::from([("key".to_owned(), "geheim".to_owned())]);
    let plan = Plan::of_scenario(
        &file,
        Some(url),
        variables,
        LoadProfile::default(),
        &Vars::default(),
    )
    .unwrap();
    let connector = Arc::new(Connector::new(None).unwrap());
    let environment = Arc::new(plan.environment.clone());
    let mut user = VirtualUser::new(connector, environment, plan.redactor.clone());
    let mut results = Vec::new();
    for _ in 0..2 {
        user.begin(&plan.scenarios[0]);
        for step in &plan.scenarios[0].steps {
            results.push(run_step(&mut user, step, Detail::Everything).await);
        }
    }
    (user, results)
}

/// What the server heard, as the last expectation saw it.
fn heard(result: &StepResult) -> String {
    result.expectations.last().unwrap().2.clone()
}

#[tokio::test]
async fn cookies_last_for_one_journey_and_are_never_told() {
    let url = server("");
    let (user, results) = walk(
        &url,
        "  - name: before
    http: GET ${url}/
    expect: [status == 200, body contains nothing]
  - name: login
    http: GET ${url}/login
    expect: [header set-cookie contains nothing]
  - name: after
    http: GET ${url}/
    expect: [status == 200, body contains nothing]
",
    )
    .await;
    for journey in results.chunks(3) {
        assert!(
            !heard(&journey[0]).contains("cookie:"),
            "a journey begins without"
        );
        assert!(
            !heard(&journey[1]).contains("s3cr3t"),
            "{}",
            heard(&journey[1])
        );
        assert!(heard(&journey[2]).contains("cookie: sid=s3cr3t-value"));
        let told = user.redactor().text(&heard(&journey[2]));
        assert!(!told.as_str().contains("s3cr3t"), "{told}");
    }
}

#[tokio::test]
async fn steps_offer_encodings_and_follow_redirects_as_they_say() {
    let other = server("");
    let url = server(&format!("{other}/end"));
    let (_, results) = walk(
        &url,
        "  - name: followed
    http: GET ${url}/go
    headers: {x-key: \"${key}\", x-plain: plain}
    redirects: follow
    expect: [status == 200, body contains nothing]
  - name: not followed
    http: GET ${url}/go
    headers: {accept-encoding: identity}
    expect: [status == 307, body contains nothing]
  - name: not told
    http: POST ${url}/go
    body: \"${key}\"
    redirects: 1
    expect: [status == 200]
",
    )
    .await;
    let followed = heard(&results[0]);
    assert!(followed.contains("GET /end "), "{followed}");
    assert!(
        followed.contains("accept-encoding: gzip, br, zstd"),
        "{followed}"
    );
    assert!(
        followed.contains("x-plain") && !followed.contains("geheim"),
        "{followed}"
    );
    assert_eq!(results[1].status, Some(307));
    assert!(heard(&results[1]).contains("accept-encoding: identity"));
    let problem = results[2].problem.as_ref().unwrap();
    assert!(
        problem.message.contains("secret in the body"),
        "{}",
        problem.message
    );
}
