//! What the load stage tells: what it set out to do, what each second brought, how the generator itself fared.

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Latency, Model, PhaseIndex, Redacted, Shape, SourceRef, StepKey, Tally};

/// The load that will be offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPlanned {
    /// Name of the profile.
    pub profile: String,
    /// Who decides when the next journey begins.
    pub model: Model,
    /// Most virtual users at the same time; in the closed model, all of them.
    pub users: u32,
    /// How much load there is over time.
    pub shape: Shape,
    /// Every step that load will run; each must bring samples.
    pub steps: Vec<StepKey>,
}

/// What was measured in about one second of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The phase in which the requests were due.
    pub phase: PhaseIndex,
    /// Start of the window, microseconds since the run began.
    pub from_us: u64,
    /// End of the window, on the same clock.
    pub to_us: u64,
    /// Virtual users at work at its end.
    pub users: u32,
    /// Journeys that arrived (open model).
    pub arrived: u64,
    /// Those among them that were not begun, since all users were at work.
    pub dropped: u64,
    /// Delay between the instant a request was due and the instant it was sent.
    pub delay: Latency,
    /// Steps that ended something in this window.
    pub steps: Vec<StepWindow>,
}

/// One step's part of a [`Window`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepWindow {
    /// The step.
    pub step: StepKey,
    /// What was counted.
    pub tally: Tally,
}

/// A failed request under load, told in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureSample {
    /// The step.
    pub step: StepKey,
    /// Its kind.
    pub kind: ErrorKind,
    /// What was expected and seen, in one line.
    pub seen: Redacted,
    /// The line of the file that asked for it.
    pub source: Option<SourceRef>,
}

/// A look at the load generator itself, about once a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneratorSample {
    /// The phase that it is about.
    pub phase: PhaseIndex,
    /// How long it is since the last look, microseconds.
    pub over_us: u64,
    /// Share of one core that the thread of the users had since the last look, in thousandths.
    pub cpu_permille: u32,
    /// Share of the time in which it could have run and was not let, in thousandths: others had the CPU.
    pub starved_permille: u32,
    /// How much later than it should a short sleep ended on that thread: what an answer waits to be noticed.
    pub lag: Latency,
    /// Virtual users at work.
    pub users: u32,
}

/// Why a load was ended before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aborted {
    /// The rule that was broken.
    pub rule: String,
    /// What was seen.
    pub seen: Redacted,
}
