//! What happens in a run, as data: [`Event`] is the only language between the stages that execute,
//! the journal that stores, the evaluation that judges and the terminal that shows.

mod declared;
mod error_kind;
mod latency;
mod load;
mod observed;
mod phase;
mod redact;
mod resource;
mod tally;
mod teller;

use serde::{Deserialize, Serialize};

pub use declared::{
    Clock, Decide, DeclaredCheck, ErrorScope, Gate, Moment, SearchTarget, SourceRef, Stage,
    StepKey, Subject,
};
pub use error_kind::ErrorKind;
pub use latency::Latency;
pub use load::{Aborted, FailureSample, GeneratorSample, LoadPlanned, StepWindow, Window};
pub use observed::{ExpectationResult, ProbeState, Probed, StepFailure, StepRan, Timings};
pub use phase::{Figures, Level, Model, Phase, PhaseIndex, Search, Shape, Spacing};
pub use redact::{Redacted, Redactor};
pub use resource::{
    ContainerSeen, ContainerState, MetricSample, ResourceSample, ResourceSource,
    ResourcesUnavailable,
};
pub use tally::Tally;
pub use teller::Teller;

/// Version of the journal's format; a reader refuses another one.
pub const SCHEMA: u32 = 2;

/// One line of the journal: an event and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since the run began, on the monotonic clock.
    pub at_us: u64,
    /// What happened.
    pub event: Event,
}

/// Everything a run can tell. A stage tells what it saw and never what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Event {
    /// First line of every journal: what will be checked, where, by whom.
    RunStarted(Box<RunStarted>),
    /// A stage begins.
    StageStarted {
        /// Which one.
        stage: Stage,
    },
    /// A stage did all it set out to do.
    StageEnded {
        /// Which one.
        stage: Stage,
    },
    /// A stage will not run, so its checks stay without an answer.
    StageSkipped {
        /// Which one.
        stage: Stage,
        /// Why, for the reader of the report.
        reason: String,
    },
    /// One system was asked whether it is healthy.
    Probed(Probed),
    /// One step of a scenario ran in the smoke stage.
    StepRan(Box<StepRan>),
    /// A step could not run, because of another one.
    StepBlocked {
        /// The step that did not run.
        step: StepKey,
        /// Why.
        reason: String,
    },
    /// The load stage begins: what it will offer.
    LoadPlanned(LoadPlanned),
    /// A phase of the load begins.
    PhaseStarted {
        /// Which one.
        phase: Phase,
    },
    /// What was measured in about one second of load.
    Window(Window),
    /// The load ends before its time, since a rule of its profile said so.
    LoadAborted(Aborted),
    /// One failed request under load, told in full (the first few of each kind only).
    FailureSample(FailureSample),
    /// How the load generator itself is doing.
    Generator(GeneratorSample),
    /// What one service used of its machine while load ran.
    Resource(ResourceSample),
    /// What one query of Prometheus said while load ran.
    Metric(MetricSample),
    /// A container at the beginning and at the end of the load, and whenever it changed between.
    Container(ContainerSeen),
    /// Figures of resource use could not be read.
    ResourcesUnavailable(ResourcesUnavailable),
    /// Somebody stopped the run.
    Interrupted {
        /// `SIGINT` or `SIGTERM`.
        signal: String,
    },
    /// The harness could not do a part of its own work.
    HarnessFailed {
        /// What it was doing.
        doing: String,
        /// What went wrong.
        problem: Redacted,
    },
    /// Last line of a journal that was closed in an orderly way.
    RunEnded,
}

/// What was known when the run began; enough, with the events after it, to judge the run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// Name of the run's folder.
    pub run_id: String,
    /// Wall-clock time at the start, RFC 3339 in UTC.
    pub started_at: String,
    /// Version of `gates`.
    pub tool_version: String,
    /// Name of the project, from gates.toml.
    pub project: String,
    /// Name of the environment, from gates.toml.
    pub environment: String,
    /// The environment's base URL.
    pub url: Redacted,
    /// The commit of the work tree the plan came from, if it is one.
    pub commit: Option<String>,
    /// Faults that were asked of the embedded stack, if any.
    pub faults: Vec<String>,
    /// Every check this run owes an answer to.
    pub checks: Vec<DeclaredCheck>,
}
