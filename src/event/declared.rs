//! Checks as they are declared before anything is sent: each one owes the run an outcome.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{Percentile, Rate, Ratio, show_duration};

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Is the stack there, and do its services work at all?
    Preflight,
    /// Each scenario once; every expectation decides.
    Smoke,
    /// Each agent by its own word, and whether the aggregate agrees.
    Agents,
    /// Many virtual users; targets decide.
    Load,
}

impl Stage {
    /// All stages in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Preflight, Self::Smoke, Self::Agents, Self::Load];

    /// The stage's name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Smoke => "smoke",
            Self::Agents => "agents",
            Self::Load => "load",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a check can stop a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// It can.
    Mandatory,
    /// It informs; at worst it raises a concern.
    Advisory,
}

/// A place in a file that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// Path as given, relative to the project.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl SourceRef {
    /// The beginning of a file.
    #[must_use]
    pub fn start_of(file: &str) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
        }
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One step of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The scenario's name.
    pub scenario: String,
    /// The step's name, unique in its scenario.
    pub step: String,
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.scenario, self.step)
    }
}

/// When a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before any load.
    Before,
    /// On a clock while load runs.
    During,
    /// Once the load is over.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before load",
            Self::During => "during load",
            Self::After => "after load",
        })
    }
}

/// Which of a request's clocks a target reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// From the scheduled instant to the last byte of the response: free of coordinated omission.
    Response,
    /// From the scheduled instant to the first non-empty piece of a stream.
    FirstToken,
    /// From one token of a stream to the next.
    Gap,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Response => "response time",
            Self::FirstToken => "first token",
            Self::Gap => "gap between tokens",
        })
    }
}

/// How a target treats an interval that straddles its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// The whole 95 % confidence interval must lie on one side of the limit; else inconclusive.
    #[default]
    Interval,
    /// The estimate alone decides.
    Point,
}

/// Which requests an error-rate target counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorScope {
    /// Those of one step.
    Step(StepKey),
    /// All requests of the load stage.
    All,
}

/// What a check is about, and the rule it is settled by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Subject {
    /// A probe's answer at one moment; under load, each of its answers.
    Probe {
        /// The probe's name, as in [`crate::event::Probed`].
        probe: String,
        /// When it asks.
        moment: Moment,
    },
    /// A step of a scenario, run once.
    Step(StepKey),
    /// A percentile of a step's latency under load.
    Latency {
        /// The step.
        step: StepKey,
        /// The clock that is read.
        clock: Clock,
        /// The percentile.
        percentile: Percentile,
        /// The longest time that passes.
        limit: Duration,
        /// How an interval that straddles the limit is treated.
        decide: Decide,
    },
    /// The share of requests that failed under load.
    Errors {
        /// Which requests.
        scope: ErrorScope,
        /// The largest share that passes.
        limit: Ratio,
        /// How an interval that straddles the limit is treated.
        decide: Decide,
    },
    /// The share of agents that were healthy, each by its own word, in every answer they gave.
    AgentHealth {
        /// The agents' probes; without any, the check fails.
        probes: Vec<String>,
        /// When each must have been asked.
        moments: Vec<Moment>,
        /// The smallest share that passes.
        at_least: Ratio,
    },
    /// Whether the load generator kept to its own plan.
    Generator {
        /// The longest p99 of the delay between the instant a request was due and the instant it was sent.
        delay: Duration,
    },
    /// Whether the load ran to its end, or a rule of its profile ended it before.
    NotAborted {
        /// The rules.
        rules: Vec<String>,
    },
    /// Whether all targets hold up to a rate, found by trying higher and higher ones.
    Breakpoint {
        /// The rate at which they have to hold.
        at_least: Rate,
        /// The targets, each asked of each attempt.
        targets: Vec<SearchTarget>,
        /// The longest p99 of the delay between due and sent with which an attempt counts.
        delay: Duration,
    },
    /// Whether the resource use of the services could be read while load ran.
    Resources {
        /// The Compose project whose containers were to be looked at, if any.
        project: Option<String>,
        /// Names of the queries that were to be asked of Prometheus.
        queries: Vec<String>,
    },
    /// Whether all containers of a Compose project ran through the load.
    Restarts {
        /// The project.
        project: String,
    },
    /// Excluded by the environment's own safety rules; never asked.
    NotAllowed {
        /// The rule that excludes it.
        rule: String,
    },
    /// Neither allowed nor excluded: nobody decided, so it is not asked, and nothing is known.
    NotSaid {
        /// What has to be decided.
        question: String,
    },
}

/// A target of one step, asked of each attempt of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchTarget {
    /// What reports call it: `learn-with-tutor/login/p95`.
    pub id: String,
    /// The target.
    pub subject: Subject,
}

impl Subject {
    /// What the check demands, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Probe {
                moment: Moment::During,
                ..
            } => "healthy at every probe during load".to_owned(),
            Self::Probe { .. } => "healthy".to_owned(),
            Self::Step(_) => "every expectation holds".to_owned(),
            Self::Latency {
                clock,
                percentile,
                limit,
                ..
            } => {
                format!("{clock} {percentile} ≤ {}", show_duration(*limit))
            }
            Self::Errors { limit, .. } => format!("errors ≤ {limit}"),
            Self::AgentHealth {
                at_least, moments, ..
            } => {
                let moments: Vec<_> = moments.iter().map(ToString::to_string).collect();
                format!(
                    "at least {at_least} of the agents healthy {}",
                    moments.join(", ")
                )
            }
            Self::Generator { delay } => {
                format!(
                    "requests sent on time: delay p99 ≤ {}",
                    show_duration(*delay)
                )
            }
            Self::NotAborted { rules } => format!("never {}", rules.join(", never ")),
            Self::Breakpoint {
                at_least, targets, ..
            } => format!("all {} targets hold at least at {at_least}", targets.len()),
            Self::Resources { project, queries } => {
                let project = project.as_ref().map(|p| format!("containers of `{p}`"));
                let queries = queries.iter().map(|q| format!("`{q}`"));
                let all: Vec<_> = project.into_iter().chain(queries).collect();
                format!("read while load ran: {}", all.join(", "))
            }
            Self::Restarts { project } => {
                format!("no container of `{project}` was killed or started anew")
            }
            Self::NotAllowed { .. } | Self::NotSaid { .. } => "not asked here".to_owned(),
        }
    }
}

/// A check that a run owes an answer to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeclaredCheck {
    /// Stable over runs, unique in a run: `smoke/learn-with-tutor/login`.
    pub id: String,
    /// The stage that answers it.
    pub stage: Stage,
    /// For a reader: `login`, `p95 of login`.
    pub title: String,
    /// What it is listed under within its stage: a scenario, `agents`, `services`.
    pub group: String,
    /// Whether it can stop a promotion.
    pub gate: Gate,
    /// What it is about and its rule.
    pub subject: Subject,
    /// Where it was asked for.
    pub source: Option<SourceRef>,
    /// What to do when it fails.
    pub remedy: String,
}
