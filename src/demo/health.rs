//! What the backend says of itself and of the agents. It answers 200 also when it is degraded, as the real one does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::accounts::{refuse, unauthorized};
use super::agents;
use super::fault::Fault;
use super::state::Shared;

pub(super) async fn backend(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let degraded = shared.has(Fault::Degraded200);
    Json(json!({
        "status": if degraded { "degraded" } else { "healthy" },
        "timestamp": Timestamp::now().to_string(),
        "version": "1.0.0",
        "environment": "demo",
        "database": if degraded { "unreachable" } else { "connected" },
        "redis": "connected",
        "response_time_ms": 1,
        "cors_origins": [],
    }))
}

pub(super) async fn simple() -> Json<Value> {
    Json(
        json!({"status": "healthy", "timestamp": Timestamp::now().to_string(), "message": "API is running"}),
    )
}

pub(super) async fn aggregate(State(shared): State<Arc<Shared>>) -> Response {
    if shared.has(Fault::MissingRoute) {
        // The real backend answers so to paths it does not know.
        return not_allowed().await;
    }
    Json(agents::aggregate(&shared)).into_response()
}

pub(super) async fn status(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if shared.bearer(&headers).is_none() {
        return unauthorized();
    }
    let aggregate = agents::aggregate(&shared);
    let healthy = agents::healthy_workers(&shared);
    Json(json!({
        "agents_enabled": true,
        "orchestrator_available": true,
        "agent_health": aggregate["agent_health"],
        "system_status": if healthy == 3 { "operational" } else { "degraded" },
        "metrics": {
            "healthy_agents": healthy,
            "total_agents": 3,
            "health_percentage": healthy * 100 / 3,
            "average_response_time_ms": 1,
        },
        "checked_at": Timestamp::now().to_string(),
    }))
    .into_response()
}

/// A method that a path does not have.
pub(super) async fn not_allowed() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// A path that there is not.
pub(super) async fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "Not Found")
}
