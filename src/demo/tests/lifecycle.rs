//! How the stack starts, stops, and shares a process with others of its kind.

use std::time::{Duration, Instant};

use super::super::DemoError;
use super::*;

async fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let demo = Demo::with(&[]).await;
    let options = StackOptions {
        faults: Vec::new(),
        learner_password: PASSWORD.to_owned(),
        port: Some(demo.base().port()),
    };
    match Stack::start(options).await {
        Err(DemoError::Listen { address, error }) => {
            assert_eq!(address, demo.base());
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn stopping_lets_a_stream_under_way_end() {
    let demo = Demo::with(&[]).await;
    let (token, _) = demo.login().await;
    let base = demo.base();
    let question = json!({"question": "why?"});
    let asked = tokio::spawn(async move {
        ask(base, "POST", "/api/tutor/ask", Some(&token), Some(question)).await
    });
    tokio::time::sleep(Duration::from_millis(80)).await;
    let began = Instant::now();
    demo.stack.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2));
    let answer = asked.await.unwrap().unwrap();
    assert!(answer.body.contains("event: done"), "{}", answer.body);
    assert!(refuses(base).await);
}

#[tokio::test]
async fn stopping_does_not_wait_for_connections_that_are_idle() {
    let demo = Demo::with(&[]).await;
    let _idle = TcpStream::connect(demo.base()).await.unwrap();
    demo.get("/").await;
    let began = Instant::now();
    demo.stack.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn dropping_ends_all_at_once() {
    let demo = Demo::with(&["never-ending-stream"]).await;
    let (token, _) = demo.login().await;
    let (base, agent) = (demo.base(), demo.agent(AgentName::CoursePlanner));
    let question = json!({"question": "why?"});
    let asked = tokio::spawn(async move {
        ask(base, "POST", "/api/tutor/ask", Some(&token), Some(question)).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    drop(demo);
    assert!(began.elapsed() < Duration::from_millis(300));
    let _ = asked.await.unwrap();
    assert!(refuses(base).await && refuses(agent).await);
}

#[tokio::test]
async fn two_stacks_share_nothing() {
    let (one, other) = (Demo::with(&[]).await, Demo::with(&["reset"]).await);
    for _ in 0..9 {
        one.get("/courses/1").await;
    }
    assert_eq!(other.get("/courses/1").await.status, 200);
    let (token, _) = one.login().await;
    assert_eq!(other.get_as(&token, "/auth/profile").await.status, 401);
}
