//! An environment: where the stack is, what may be done to it, and whom to ask how it is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::expectation::Expectation;
use super::profile::LoadProfile;
use super::resources::Resources;
use crate::event::{Gate, SourceRef, Stage, Subject};

/// A place where the stack is deployed.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name in gates.toml.
    pub name: String,
    /// Base URL, without a slash at the end.
    pub url: String,
    /// Where it stands in gates.toml.
    pub place: SourceRef,
    /// The stages that make up a whole run here.
    pub stages: Vec<Stage>,
    /// What may be done to it.
    pub safety: Safety,
    /// Systems that preflight asks.
    pub services: Vec<Service>,
    /// Agents, each asked by itself.
    pub agents: Vec<Agent>,
    /// The answer in which one system speaks for the agents.
    pub aggregate: Option<Aggregate>,
    /// Where resource use is read while load runs.
    pub resources: Option<Resources>,
    /// Variables for scenarios.
    pub variables: BTreeMap<String, Setting>,
    /// Further certificate authorities to trust, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether HTTP/2 is spoken with it.
    pub http2: Http2Use,
    /// The load that is offered.
    pub load: LoadProfile,
}

/// Whether HTTP/2 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Http2Use {
    /// Over TLS, if the server chooses it (ALPN).
    #[default]
    Auto,
    /// Never.
    Off,
    /// Also without TLS, unasked: the server is known to speak it.
    PriorKnowledge,
}

/// A variable for scenarios.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its value.
    pub value: String,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// What may be done to an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Safety {
    /// Steps that change state.
    pub writes: Permission,
    /// A load stage.
    pub load: Permission,
    /// Most virtual users at a time.
    pub max_users: Option<u32>,
    /// Most requests per second, all users together.
    pub max_rps: Option<u32>,
}

/// Whether something may be done, and by which rule not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Allowed,
    /// gates.toml excludes it.
    Excluded,
    /// gates.toml says nothing about it.
    Unsaid,
    /// The environment is protected, and the run did not name it.
    Protected,
}

/// Why something is not done to an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody decided so; what is not asked then does not apply.
    Rule(String),
    /// Nobody decided; what is not asked then is not known.
    Unsaid(String),
}

impl Refusal {
    /// What a check becomes by it.
    #[must_use]
    pub fn subject(self) -> Subject {
        match self {
            Self::Rule(rule) => Subject::NotAllowed { rule },
            Self::Unsaid(question) => Subject::NotSaid { question },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Rule(text) | Self::Unsaid(text)) = self;
        f.write_str(text)
    }
}

impl Permission {
    /// Why something may not be done, `what` by the key of gates.toml that allows it; nothing if it may.
    #[must_use]
    pub fn refusal(self, what: &str, key: &str, environment: &str) -> Option<Refusal> {
        match self {
            Self::Allowed => None,
            Self::Excluded => Some(Refusal::Rule(format!(
                "`{environment}` does not allow {what} ({key} = false in gates.toml)"
            ))),
            Self::Unsaid => Some(Refusal::Unsaid(format!(
                "gates.toml does not say whether `{environment}` allows {what}: set `{key}` to true or false"
            ))),
            // A flag that is missing is nobody's decision about this release.
            Self::Protected => Some(Refusal::Unsaid(format!(
                "`{environment}` is protected: {what} needs `--allow-protected {environment}`, or `{key} = false` to do without"
            ))),
        }
    }
}

/// A system that preflight asks.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// How it is asked.
    pub ask: Ask,
    /// Whether it can stop a promotion.
    pub gate: Gate,
    /// Longest time for an answer.
    pub timeout: Duration,
    /// What to do when it is not healthy.
    pub remedy: String,
    /// Where it stands in gates.toml.
    pub place: SourceRef,
}

/// How a system is asked whether it works.
#[derive(Debug, Clone)]
pub enum Ask {
    /// One GET; every expectation must hold.
    Http {
        /// The address.
        url: String,
        /// What must hold.
        expect: Vec<Expectation>,
    },
    /// Connect as the application's user and run a query.
    Postgres {
        /// `postgresql://user:password@host:port/database`.
        url: String,
    },
    /// Authenticate and `PING`.
    Redis {
        /// `redis://:password@host:port/0`.
        url: String,
    },
}

/// An agent, asked by itself.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its name, as the aggregate calls it.
    pub name: String,
    /// Address of its own health answer.
    pub url: String,
    /// What must hold of it.
    pub expect: Vec<Expectation>,
    /// Oldest `timestamp` that still counts as an answer of now.
    pub fresh: Option<Duration>,
    /// Longest time for an answer.
    pub timeout: Duration,
    /// What to do when it is not healthy.
    pub remedy: String,
    /// Where it stands in gates.toml.
    pub place: SourceRef,
}

/// The answer in which one system speaks for the agents: `{agent_health: {NAME: {healthy: bool}}}`.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Its address.
    pub url: String,
    /// The agents it speaks for.
    pub agents: Vec<String>,
    /// Longest time for an answer.
    pub timeout: Duration,
    /// Where it stands in gates.toml.
    pub place: SourceRef,
}
