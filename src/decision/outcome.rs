//! The outcome of one check, and the check once it is settled.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{DeclaredCheck, Redacted, SourceRef};

/// What became of a check. Ordered from the one that weighs least to the one that weighs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It does not apply here, by a rule that somebody wrote.
    NotApplicable,
    /// It did what was demanded.
    Pass,
    /// It did, and will not for long.
    Warn,
    /// A sign-off is missing or has expired.
    Held,
    /// It ran, or should have run, and nothing can be said.
    Inconclusive,
    /// It could not run.
    Error,
    /// It did not do what was demanded.
    Fail,
}

impl Outcome {
    /// All outcomes, in the order in which a summary lists them.
    pub const ALL: [Self; 7] = [
        Self::Pass,
        Self::Warn,
        Self::Fail,
        Self::Inconclusive,
        Self::Error,
        Self::Held,
        Self::NotApplicable,
    ];

    /// The outcome's name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Held => "held",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }

    /// Whether the check gave an answer about the stack.
    #[must_use]
    pub fn answered(self) -> bool {
        matches!(self, Self::Pass | Self::Warn | Self::Fail)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The figures behind a target's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Number of samples.
    pub n: u64,
    /// The estimate, in the target's own unit as text.
    pub estimate: String,
    /// One-sided 95 % bounds, lower and upper, as text; `–` where the samples don't bound it.
    pub interval: (String, String),
    /// Estimate as a share of the limit: 0.25 is a quarter of what is allowed.
    pub of_limit: Option<f64>,
}

/// A check with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was declared.
    pub declared: DeclaredCheck,
    /// What became of it.
    pub outcome: Outcome,
    /// What was demanded, in words.
    pub expected: String,
    /// What was sent, where that is one request.
    pub request: Option<Redacted>,
    /// What was seen, in one line.
    pub seen: Redacted,
    /// More lines for whoever has to act: failed expectations, when a probe failed.
    pub details: Vec<Detail>,
    /// Figures, for targets.
    pub measured: Option<Measured>,
    /// How long the check took, where that is a single time.
    pub took_us: Option<u64>,
}

/// One line of what was seen, with the line of the file that asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// What was demanded.
    pub expected: String,
    /// What was there.
    pub seen: Redacted,
    /// Where it was demanded.
    pub source: Option<SourceRef>,
}
