//! What the load stage tells: what it set out to do, what each second brought, how the generator itself fared.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Latency, Redacted, SourceRef, StepKey};
use crate::units::Rate;

/// A part of the load with one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Users arrive, caches fill; measured, shown, not judged.
    WarmUp,
    /// The load that is judged.
    Hold,
}

/// Who decides when the next journey begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Model {
    /// The users do: each begins a journey when it has ended the one before. A slow stack is asked less.
    Closed,
    /// A clock does: journeys arrive whether or not those before have ended, as visitors do.
    Open {
        /// Arrivals per second.
        rate: Rate,
        /// What lies between two arrivals.
        spacing: Spacing,
    },
}

impl Model {
    /// Two loads at the same time: their rates add up.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        match (self, other) {
            (Self::Open { rate, spacing }, Self::Open { rate: more, .. }) => Self::Open {
                rate: rate.plus(more),
                spacing,
            },
            (own, _) => own,
        }
    }
}

/// What lies between two arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Always the same.
    #[default]
    Even,
    /// Independent of each other, as visitors are who do not know of each other: bursts and lulls.
    Poisson,
}

/// The load that will be offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPlanned {
    /// Who decides when the next journey begins.
    pub model: Model,
    /// Most virtual users at the same time; in the closed model, all of them.
    pub users: u32,
    /// Time in which the users arrive.
    pub warm_up: Duration,
    /// Time that is judged.
    pub hold: Duration,
    /// Every step that load will run; each must bring samples.
    pub steps: Vec<StepKey>,
}

/// What was measured in about one second of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The phase in which the requests were due.
    pub phase: Phase,
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
    /// Response times of successes, from the scheduled instant.
    pub ok: Latency,
    /// Response times of answers that failed an expectation or a capture.
    pub failed: Latency,
    /// Times from the instant a request was sent (uncorrected), for comparison.
    pub service: Latency,
    /// Times to the first token, for streams.
    pub first_token: Latency,
    /// Everything that was not a success, by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Bytes of response bodies.
    pub bytes: u64,
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

/// A look at the load generator itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneratorSample {
    /// Share of one core that this process used since the last look, in thousandths (embedded stack included).
    pub cpu_permille: u32,
    /// Virtual users at work.
    pub users: u32,
}
