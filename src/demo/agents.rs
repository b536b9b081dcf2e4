//! The four agents, each on a listener of its own, and what they and the orchestrator say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::fault::Fault;
use super::state::Shared;
use super::wire::Listener;

const VERSION: &str = "1.0.0";

/// One of the platform's agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentName {
    /// Speaks for the others.
    Orchestrator,
    /// Plans courses.
    CoursePlanner,
    /// Writes lessons.
    ContentCreator,
    /// Reviews them.
    QualityAssurance,
}

impl AgentName {
    /// All four, the orchestrator first.
    pub const ALL: [Self; 4] = [
        Self::Orchestrator,
        Self::CoursePlanner,
        Self::ContentCreator,
        Self::QualityAssurance,
    ];
    const WORKERS: [Self; 3] = [
        Self::CoursePlanner,
        Self::ContentCreator,
        Self::QualityAssurance,
    ];

    /// The name in every answer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::CoursePlanner => "course-planner",
            Self::ContentCreator => "content-creator",
            Self::QualityAssurance => "quality-assurance",
        }
    }

    fn capabilities(self) -> Value {
        match self {
            Self::Orchestrator => json!({"workflows": true, "max_concurrent_workflows": 5}),
            Self::CoursePlanner => {
                json!({"course_planning": true, "levels": ["A1", "A2", "B1", "B2"]})
            }
            Self::ContentCreator => json!({"lessons": true, "exercises": true}),
            Self::QualityAssurance => json!({"review": true, "content_filter": true}),
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Serves one agent until `stopped`, or until the fault that takes it down begins.
pub(super) async fn serve(
    name: AgentName,
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: impl Future<Output = ()> + Send + 'static,
) {
    let down_at = (name == AgentName::ContentCreator)
        .then(|| shared.begins(Fault::AgentDown))
        .flatten();
    let app = Router::new()
        .route("/health", get(health))
        .route("/agents/health", get(agents_health))
        .fallback(async || (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        .with_state((name, shared));
    // Not only the listener: a connection kept open would go on saying that the agent is well.
    let ended = async move {
        match down_at {
            None => stopped.await,
            Some(at) => tokio::select! {
                () = stopped => {}
                () = tokio::time::sleep_until(at.into()) => {}
            },
        }
    };
    let _ = axum::serve(Listener(listener), app)
        .with_graceful_shutdown(ended)
        .await;
}

type Agent = (AgentName, Arc<Shared>);

/// What a worker says of itself, to whoever asks.
fn worker_health(name: AgentName, status: &str, shared: &Shared) -> Value {
    let stale = name == AgentName::CoursePlanner && shared.has(Fault::StaleAgent);
    let now = Timestamp::now();
    let timestamp = if stale {
        now.saturating_sub(Duration::from_secs(7200)).unwrap_or(now)
    } else {
        now
    };
    json!({
        "status": status,
        "agent": name.name(),
        "version": VERSION,
        "timestamp": timestamp.to_string(),
        "capabilities": name.capabilities(),
    })
}

async fn health(State((name, shared)): State<Agent>) -> Json<Value> {
    Json(match name {
        AgentName::Orchestrator => json!({
            "status": "healthy",
            "orchestrator": name.name(),
            "version": VERSION,
            "timestamp": Timestamp::now().to_string(),
            "agent_health": aggregate(&shared)["agent_health"].take(),
        }),
        AgentName::QualityAssurance if shared.has(Fault::AgentLies) => {
            worker_health(name, "unhealthy", &shared)
        }
        _ => worker_health(name, "healthy", &shared),
    })
}

async fn agents_health(State((name, shared)): State<Agent>) -> Response {
    match name {
        AgentName::Orchestrator => Json(aggregate(&shared)).into_response(),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
    }
}

fn is_down(worker: AgentName, shared: &Shared) -> bool {
    worker == AgentName::ContentCreator && shared.has(Fault::AgentDown)
}

/// Workers that answer.
pub(super) fn healthy_workers(shared: &Shared) -> usize {
    AgentName::WORKERS
        .into_iter()
        .filter(|worker| !is_down(*worker, shared))
        .count()
}

/// What the orchestrator says of its workers. It notices one that is down; it does not notice one that says it is sick.
pub(super) fn aggregate(shared: &Shared) -> Value {
    let now = Timestamp::now().to_string();
    let mut agents = Map::new();
    for worker in AgentName::WORKERS {
        let down = is_down(worker, shared);
        let mut entry = json!({"agent": worker.name(), "healthy": !down, "checked_at": now});
        if down {
            entry["error"] = "Connection refused".into();
        } else {
            entry["response"] = worker_health(worker, "healthy", shared);
        }
        agents.insert(worker.name().to_owned(), entry);
    }
    let healthy = healthy_workers(shared);
    let all_healthy = healthy == AgentName::WORKERS.len();
    json!({
        "agent_health": agents,
        "summary": {
            "healthy_agents": healthy,
            "total_agents": AgentName::WORKERS.len(),
            "all_healthy": all_healthy,
            "system_status": if all_healthy { "healthy" } else { "degraded" },
        },
        "checked_at": now,
    })
}
