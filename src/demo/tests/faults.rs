//! Each fault shows as it is described. What the contract's tests assert is its absence without the fault.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::*;

const SOON: Duration = Duration::from_millis(500);

async fn tutor(demo: &Demo) -> Answer {
    let (token, _) = demo.login().await;
    demo.post_as(&token, "/api/tutor/ask", json!({"question": "why?"}))
        .await
}

/// What the tutor has sent when `time` is over and it is still sending.
async fn tutor_until(demo: &Demo, time: Duration) -> String {
    let (token, _) = demo.login().await;
    let body = r#"{"question": "why?"}"#;
    let mut stream = TcpStream::connect(demo.base()).await.unwrap();
    let request = format!(
        "POST /api/tutor/ask HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    assert!(
        outlasts(time, async {
            while stream.read_buf(&mut seen).await.unwrap() > 0 {}
        })
        .await,
        "it ended"
    );
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn slow_endpoint() {
    let demo = Demo::with(&["slow-endpoint"]).await;
    assert!(outlasts(SOON, demo.get("/courses")).await);
    assert_eq!(demo.get("/courses/1").await.status, 200);
}

#[tokio::test]
async fn error_burst() {
    let demo = Demo::with(&["error-burst"]).await;
    let (token, _) = demo.login().await;
    let mut failed = Vec::new();
    for n in 0..40 {
        let answer = demo
            .post_as(&token, "/api/exercises/1/submit", json!({"answer": "b"}))
            .await;
        if answer.status == 500 {
            assert!(answer.has("content-type", "text/plain"));
            failed.push(n);
        }
    }
    assert_eq!(failed, [17, 18, 19, 37, 38, 39]);
}

#[tokio::test]
async fn reset() {
    let demo = Demo::with(&["reset"]).await;
    let mut failed = Vec::new();
    for n in 0..30 {
        match ask(demo.base(), "GET", "/courses/1", None, None).await {
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                failed.push(n);
            }
        }
    }
    assert_eq!(failed, [9, 19, 29]);
}

#[tokio::test]
async fn agent_down_begins_in_the_middle_and_ends_open_connections() {
    let demo = Demo::with(&["agent-down@300ms"]).await;
    let address = demo.agent(AgentName::ContentCreator);
    let mut kept = TcpStream::connect(address).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    kept.write_all(request).await.unwrap();
    let mut seen = [0; 2048];
    let n = kept.read(&mut seen).await.unwrap();
    assert!(seen[..n].starts_with(b"HTTP/1.1 200"));
    assert_eq!(
        demo.get("/api/agents/health").await.json()["summary"]["all_healthy"],
        true
    );

    tokio::time::sleep(Duration::from_millis(400)).await;
    let refused = ask(address, "GET", "/health", None, None)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let _ = kept.write_all(request).await;
    assert!(!matches!(kept.read(&mut seen).await, Ok(n) if n > 0));

    let answer = demo.get("/api/agents/health").await;
    assert_eq!(answer.status, 200);
    let aggregate = answer.json();
    assert_eq!(
        aggregate["summary"],
        json!({"healthy_agents": 2, "total_agents": 3, "all_healthy": false, "system_status": "degraded"})
    );
    let creator = &aggregate["agent_health"]["content-creator"];
    assert_eq!(creator["healthy"], false);
    assert!(creator["error"].is_string() && creator.get("response").is_none());
    let (token, _) = demo.login().await;
    let status = demo.get_as(&token, "/api/agents/status").await.json();
    assert_eq!(status["system_status"], "degraded");
    assert!(demo.get("/metrics").await.body.contains("agents_healthy 2"));
}

#[tokio::test]
async fn agent_lies() {
    let demo = Demo::with(&["agent-lies"]).await;
    let address = demo.agent(AgentName::QualityAssurance);
    let own = ask(address, "GET", "/health", None, None).await.unwrap();
    assert_eq!(
        (own.status, &own.json()["status"]),
        (200, &json!("unhealthy"))
    );
    let aggregate = demo.get("/api/agents/health").await.json();
    assert_eq!(aggregate["summary"]["all_healthy"], true);
}

#[tokio::test]
async fn stale_agent() {
    let demo = Demo::with(&["stale-agent"]).await;
    let address = demo.agent(AgentName::CoursePlanner);
    let own = ask(address, "GET", "/health", None, None).await.unwrap();
    let at: jiff::Timestamp = own.json()["timestamp"].as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(at).as_secs();
    assert!((7195..7210).contains(&age), "{age}");
    assert_eq!(own.json()["status"], "healthy");
}

#[tokio::test]
async fn degraded_200() {
    let demo = Demo::with(&["degraded-200"]).await;
    for path in ["/health", "/api/health"] {
        let answer = demo.get(path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["status"], "degraded");
        assert_eq!(answer.json()["database"], "unreachable");
    }
}

#[tokio::test]
async fn routes_and_pages_that_break() {
    let demo = Demo::with(&[
        "missing-route",
        "frontend-down",
        "metrics-json",
        "login-fails",
    ])
    .await;
    let aggregate = demo.get("/api/agents/health").await;
    assert_eq!(
        (aggregate.status, aggregate.json()),
        (405, json!({"detail": "Method Not Allowed"}))
    );
    let home = demo.get("/").await;
    assert_eq!(home.status, 502);
    assert!(home.has("content-type", "text/html"));
    let metrics = demo.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.has("content-type", "application/json"));
    assert!(metrics.json()["http_requests_total"].is_number());
    let body = json!({"email": "learner-01@example.test", "password": PASSWORD});
    assert_eq!(demo.post("/auth/login", body).await.status, 500);
}

#[tokio::test]
async fn stalling_stream() {
    let demo = Demo::with(&["stalling-stream"]).await;
    let seen = tutor_until(&demo, SOON).await;
    assert_eq!(seen.matches("event: token").count(), 3);
}

#[tokio::test]
async fn never_ending_stream() {
    let demo = Demo::with(&["never-ending-stream"]).await;
    let seen = tutor_until(&demo, Duration::from_millis(800)).await;
    assert!(seen.matches("event: token").count() > 20);
    assert!(!seen.contains("event: done"));
}

#[tokio::test]
async fn truncated_stream() {
    let demo = Demo::with(&["truncated-stream"]).await;
    let answer = tutor(&demo).await;
    let events = events(&answer.body);
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|(name, _)| *name == "token"));
}

#[tokio::test]
async fn websocket_closes() {
    let demo = Demo::with(&["websocket-closes"]).await;
    let (token, _) = demo.login().await;
    let mut socket = demo.socket(&token).await.unwrap();
    let hello = socket.next().await.unwrap().unwrap();
    assert!(
        hello
            .into_text()
            .unwrap()
            .contains("connection_established")
    );
    let _ = socket
        .send(Message::text(r#"{"type": "subscribe_health"}"#))
        .await;
    let next = socket.next().await;
    assert!(!matches!(next, Some(Ok(Message::Text(_)))), "{next:?}");
}

#[tokio::test]
async fn a_fault_waits_for_its_time() {
    let demo = Demo::with(&["login-fails@10m", "frontend-down@200ms"]).await;
    demo.login().await;
    assert_eq!(demo.get("/").await.status, 200);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(demo.get("/").await.status, 502);
    demo.login().await;
}
