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

use super::NoDelay;
use super::fault::Fault;
use super::state::Shared;

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

/// Serves one agent, until the fault that takes it down begins.
pub(super) async fn serve(name: AgentName, listener: TcpListener, shared: Arc<Shared>) {
    let down_at = (name == AgentName::ContentCreator)
        .then(|| shared.begins(Fault::AgentDown))
        .flatten();
    let app = Router::new()
        .route("/health", get(health))
        .route("/agents/health", get(agents_health))
        .fallback(async || (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        .with_state((name, shared));
    let serving = async {
        let _ = axum::serve(NoDelay(listener), app).await;
    };
    match down_at {
        None => serving.await,
        // Dropping the future closes the listener: from now on connections are refused.
        Some(at) => tokio::select! {
            () = serving => {}
            () = tokio::time::sleep_until(at.into()) => {}
        },
    }
}

type Agent = (AgentName, Arc<Shared>);

async fn health(State((name, shared)): State<Agent>) -> Json<Value> {
    let stale = name == AgentName::CoursePlanner && shared.has(Fault::StaleAgent);
    let now = Timestamp::now();
    let timestamp = if stale {
        now.saturating_sub(Duration::from_secs(7200)).unwrap_or(now)
    } else {
        now
    };
    let sick = name == AgentName::QualityAssurance && shared.has(Fault::AgentLies);
    let mut answer = json!({
        "status": if sick { "unhealthy" } else { "healthy" },
        "version": "1.0.0",
        "timestamp": timestamp.to_string(),
    });
    match name {
        AgentName::Orchestrator => {
            answer["orchestrator"] = name.name().into();
            answer["agent_health"] = aggregate(&shared)["agent_health"].take();
        }
        _ => {
            answer["agent"] = name.name().into();
            answer["capabilities"] = name.capabilities();
        }
    }
    Json(answer)
}

async fn agents_health(State((name, shared)): State<Agent>) -> Response {
    match name {
        AgentName::Orchestrator => Json(aggregate(&shared)).into_response(),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
    }
}

/// What the orchestrator says of its workers. It notices one that is down; it does not notice one that says it is sick.
pub(super) fn aggregate(shared: &Shared) -> Value {
    let now = Timestamp::now().to_string();
    let mut agents = Map::new();
    let mut healthy_agents = 0;
    for worker in AgentName::WORKERS {
        let down = worker == AgentName::ContentCreator && shared.has(Fault::AgentDown);
        healthy_agents += u32::from(!down);
        let mut entry = json!({"agent": worker.name(), "healthy": !down, "checked_at": now});
        if down {
            entry["error"] = "Connection refused".into();
        } else {
            entry["response"] = json!({"status": "healthy", "agent": worker.name()});
        }
        agents.insert(worker.name().to_owned(), entry);
    }
    let all_healthy = healthy_agents == 3;
    json!({
        "agent_health": agents,
        "summary": {
            "healthy_agents": healthy_agents,
            "total_agents": 3,
            "all_healthy": all_healthy,
            "system_status": if all_healthy { "healthy" } else { "degraded" },
        },
        "checked_at": now,
    })
}
