//! The contract, kept by a stack without faults: pages, health, agents, and what describes them.

use super::*;

#[tokio::test]
async fn pages_name_assets_that_are_there() {
    let demo = Demo::with(&[]).await;
    for (path, heading) in [
        ("/", "<h1>Learn a language</h1>"),
        ("/learn", "<h1>Your lessons</h1>"),
    ] {
        let page = demo.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.has("content-type", "text/html"), "{}", page.head);
        assert!(page.body.contains(heading));
        let assets: Vec<&str> = page
            .body
            .split('"')
            .filter(|s| s.starts_with("/_next/static/"))
            .collect();
        for (ending, kind) in [
            (".css", "text/css"),
            (".js", "text/javascript"),
            (".svg", "image/svg+xml"),
        ] {
            let asset = assets.iter().find(|a| a.ends_with(ending)).unwrap();
            let answer = demo.get(asset).await;
            assert_eq!(answer.status, 200, "{asset}");
            assert!(answer.has("content-type", kind), "{asset}: {}", answer.head);
        }
    }
    for missing in [
        "/_next/static/demo-1/none.js",
        "/_next/static/other/main.js",
        "/nowhere",
    ] {
        let answer = demo.get(missing).await;
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({"detail": "Not Found"}))
        );
    }
    let answer = demo.post("/courses", json!({})).await;
    assert_eq!(
        (answer.status, answer.json()),
        (405, json!({"detail": "Method Not Allowed"}))
    );
}

#[tokio::test]
async fn health_tells_that_all_is_well() {
    let demo = Demo::with(&[]).await;
    for path in ["/health", "/api/health"] {
        let health = demo.get(path).await.json();
        assert_eq!(health["status"], "healthy");
        assert_eq!(
            (&health["database"], &health["redis"]),
            (&json!("connected"), &json!("connected"))
        );
        assert!(health["version"].is_string() && health["environment"].is_string());
        assert!(health["response_time_ms"].is_number());
        assert_eq!(health["cors_origins"], json!([]));
        assert_fresh(&health["timestamp"]);
    }
    let simple = demo.get("/health/simple").await.json();
    assert_eq!(simple["status"], "healthy");
    assert!(simple["message"].is_string());
    assert_fresh(&simple["timestamp"]);

    assert_eq!(demo.get("/api/agents/status").await.status, 401);
    let (token, _) = demo.login().await;
    let status = demo.get_as(&token, "/api/agents/status").await.json();
    assert_eq!(status["system_status"], "operational");
    assert_eq!(status["agents_enabled"], true);
    assert_eq!(status["orchestrator_available"], true);
    assert_eq!(status["metrics"]["health_percentage"], 100);
    assert!(status["metrics"]["average_response_time_ms"].is_number());
}

#[tokio::test]
async fn agents_speak_for_themselves_and_the_orchestrator_for_all() {
    let demo = Demo::with(&[]).await;
    let orchestrator = demo.agent(AgentName::Orchestrator);
    for (address, path) in [
        (demo.base(), "/api/agents/health"),
        (orchestrator, "/agents/health"),
    ] {
        let answer = ask(address, "GET", path, None, None).await.unwrap();
        let aggregate = answer.json();
        assert_eq!(
            aggregate["summary"],
            json!({"healthy_agents": 3, "total_agents": 3, "all_healthy": true, "system_status": "healthy"})
        );
        let agents = aggregate["agent_health"].as_object().unwrap();
        assert_eq!(agents.len(), 3, "the orchestrator does not count itself");
        for (name, agent) in agents {
            assert_eq!(agent["agent"], *name);
            assert_eq!(agent["healthy"], true);
            assert_eq!(agent["response"]["status"], "healthy");
            assert_fresh(&agent["checked_at"]);
        }
        assert_fresh(&aggregate["checked_at"]);
    }
    for name in AgentName::ALL {
        let answer = ask(demo.agent(name), "GET", "/health", None, None).await;
        let health = answer.unwrap().json();
        assert_eq!(health["status"], "healthy");
        assert!(health["version"].is_string());
        assert_fresh(&health["timestamp"]);
        if name == AgentName::Orchestrator {
            assert_eq!(health["orchestrator"], "orchestrator");
            assert_eq!(health["agent_health"].as_object().unwrap().len(), 3);
        } else {
            assert_eq!(health["agent"], name.name());
            assert!(health["capabilities"].is_object());
        }
        let unknown = ask(demo.agent(name), "GET", "/nowhere", None, None).await;
        assert_eq!(unknown.unwrap().status, 500, "as the real agents answer");
    }
}

#[tokio::test]
async fn metrics_count_what_was_asked() {
    let demo = Demo::with(&[]).await;
    for _ in 0..3 {
        demo.get("/courses").await;
    }
    demo.get("/courses/99").await;
    demo.get("/nowhere").await;
    let metrics = demo.get("/metrics").await;
    assert!(metrics.has("content-type", "text/plain; version=0.0.4"));
    for line in [
        "http_requests_total{method=\"GET\",path=\"/courses\",status=\"200\"} 3",
        "http_requests_total{method=\"GET\",path=\"/courses/{id}\",status=\"404\"} 1",
        "http_requests_total{method=\"GET\",path=\"other\",status=\"404\"} 1",
        "http_request_duration_seconds_bucket{method=\"GET\",path=\"/courses\",status=\"200\",le=\"+Inf\"} 3",
        "http_request_duration_seconds_count{method=\"GET\",path=\"/courses\",status=\"200\"} 3",
        "# TYPE http_request_duration_seconds histogram",
        "agents_healthy 3",
    ] {
        assert!(
            metrics.body.lines().any(|l| l == line),
            "{line}\n{}",
            metrics.body
        );
    }
}

/// Calls each operation that is described; an answer that the description lacks fails.
#[tokio::test]
async fn the_description_is_of_what_is_served() {
    let demo = Demo::with(&[]).await;
    let (token, _) = demo.login().await;
    let description = demo.get("/openapi.json").await.json();
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 20);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let mut concrete = path
                .replace("{id}", "1")
                .replace("{lesson}", "1")
                .replace("{build}", "demo-1")
                .replace("{file}", "main.js");
            if path.contains("/ws/") {
                concrete = path.replace("{token}", "junk");
            }
            // An account is removed at the end only, so the others find it.
            let bearer = (path != "/auth/account" && path != "/auth/logout").then_some(&*token);
            let body = operation.get("requestBody").map(|_| json!({}));
            let method = method.to_uppercase();
            let answer = ask(demo.base(), &method, &concrete, bearer, body)
                .await
                .unwrap();
            // A plain request is no handshake: the upgrade itself is refused.
            if !path.contains("/ws/") {
                assert!(
                    operation["responses"]
                        .get(answer.status.to_string())
                        .is_some(),
                    "{method} {path} answered {}",
                    answer.status
                );
            }
        }
    }
}
