//! What the load stage tells of the services' machines: CPU, memory, what became of containers, figures of Prometheus.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Moment, Redacted};

/// What one service used, at one instant while load ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// The service, as its Compose file calls it.
    pub service: Redacted,
    /// CPU since the sample before, in thousandths of one core; nothing in a first sample.
    pub cpu_permille: Option<u32>,
    /// Most CPU it may use, in thousandths of one core, if it is limited.
    pub cpu_limit_permille: Option<u32>,
    /// Memory that it can't give back: without the files that are only cached.
    pub memory_bytes: Option<u64>,
    /// Most memory it may use before it is killed, if it is limited.
    pub memory_limit_bytes: Option<u64>,
}

/// What one query said, at one instant while load ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSample {
    /// Its name in gates.toml.
    pub name: String,
    /// A number that compares: neither NaN nor infinite.
    pub value: f64,
}

/// A container as its engine describes it: told once at the beginning, whenever it changed, and once at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSeen {
    /// When this was seen.
    pub moment: Moment,
    /// The service.
    pub service: Redacted,
    /// The container and its state.
    pub state: ContainerState,
}

/// What an engine says of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// First digits of its id.
    pub id: Redacted,
    /// `running`, `exited`, `restarting` …; `removed` for one that is no longer there.
    pub status: Redacted,
    /// When it was started last, by the engine's clock.
    pub started_at: Redacted,
    /// How often the engine itself has started it again.
    pub restarts: u64,
    /// Whether the kernel killed one of its processes for want of memory since it was started.
    pub oom_killed: bool,
    /// How it ended, if it does not run.
    pub exit_code: Option<i64>,
}

impl ContainerState {
    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.status.as_str() == "running"
    }
}

/// Where figures of resource use come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ResourceSource {
    /// A Docker engine, for all services of a Compose project.
    Docker,
    /// One query of Prometheus.
    Query {
        /// Its name in gates.toml.
        name: String,
    },
}

impl fmt::Display for ResourceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker => f.write_str("Docker"),
            Self::Query { name } => write!(f, "`{name}` of Prometheus"),
        }
    }
}

/// Figures that could not be read; told when that begins, and when the reason becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcesUnavailable {
    /// Where they were to come from.
    pub source: ResourceSource,
    /// What happened, and what to do.
    pub why: Redacted,
}
