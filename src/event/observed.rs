//! What smoke steps and probes saw, with enough beside it to act on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Moment, Redacted, SourceRef, StepKey};

/// A probe's answer about one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The probe's name: `service/backend`, `agent/orchestrator`.
    pub probe: String,
    /// When it asked.
    pub moment: Moment,
    /// What it found.
    pub state: ProbeState,
    /// What was asked and seen, in one line.
    pub seen: Redacted,
    /// How long it took.
    pub took: Duration,
}

/// What a system turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeState {
    /// It answers and works.
    Healthy,
    /// It works, and will not for long.
    AtRisk,
    /// It answers and does not work.
    NotFunctional,
    /// It does not answer.
    Unreachable,
    /// It could not be asked: nothing is known.
    NotAsked,
}

/// The instants of one exchange, each counted from the moment it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Name resolution, TCP and TLS; nothing on a connection that was open already.
    pub connect: Option<Duration>,
    /// Response headers complete.
    pub headers: Option<Duration>,
    /// First non-empty piece of a stream.
    pub first_token: Option<Duration>,
    /// Longest silence between two pieces of a stream.
    pub max_gap: Option<Duration>,
    /// Last byte.
    pub end: Duration,
}

/// One step of a scenario, run in the smoke stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRan {
    /// The step.
    pub step: StepKey,
    /// `GET https://…` as it was sent.
    pub request: Redacted,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// Bytes of its body.
    pub bytes: u64,
    /// Its clocks.
    pub timings: Timings,
    /// Each expectation, in the order of the file.
    pub expectations: Vec<ExpectationResult>,
    /// What went wrong beside expectations.
    pub failure: Option<StepFailure>,
}

/// One `expect` line against one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// As it stands in the file.
    pub text: String,
    /// Whether it held.
    pub held: bool,
    /// What was there instead, or the value that satisfied it.
    pub seen: Redacted,
    /// Where it stands.
    pub source: SourceRef,
}

/// Why a step has no answer, or its answer can't be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFailure {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened, in one line.
    pub message: Redacted,
    /// The line of the file it belongs to.
    pub source: Option<SourceRef>,
}
