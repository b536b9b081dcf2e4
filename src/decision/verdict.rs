//! Folds outcomes into one decision. Absent data never turns green, and no score outvotes a mandatory check.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Check, Outcome};
use crate::event::Gate;

/// The decision about a run, in the words of BMAD plus two that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Every mandatory check passed, no advisory one failed.
    Pass,
    /// Promotable, with warnings or failed advisory checks.
    Concerns,
    /// A mandatory check failed.
    Fail,
    /// Would have failed; every such check has a live waiver.
    Waived,
    /// Something mandatory could not be said. Never promotes.
    Inconclusive,
    /// A mandatory sign-off is missing. Never promotes.
    Held,
}

impl Verdict {
    /// Whether the release may be promoted.
    #[must_use]
    pub fn promotes(self) -> bool {
        match self {
            Self::Pass | Self::Concerns | Self::Waived => true,
            Self::Fail | Self::Inconclusive | Self::Held => false,
        }
    }

    /// The verdict's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Concerns => "CONCERNS",
            Self::Fail => "FAIL",
            Self::Waived => "WAIVED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Held => "HELD",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How many checks were declared, and what became of each: the sum must come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conservation {
    /// Checks the run owed an answer to.
    pub declared: usize,
    /// How many ended in each outcome; every outcome is listed.
    pub by_outcome: BTreeMap<Outcome, usize>,
}

impl Conservation {
    fn of(checks: &[Check], declared: usize) -> Self {
        let mut by_outcome: BTreeMap<_, _> = Outcome::ALL.map(|o| (o, 0)).into();
        for check in checks {
            *by_outcome.entry(check.outcome).or_insert(0) += 1;
        }
        Self {
            declared,
            by_outcome,
        }
    }

    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.by_outcome.get(&outcome).copied().unwrap_or(0)
    }

    /// Whether every declared check has exactly one outcome.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.declared == self.by_outcome.values().sum::<usize>()
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} declared =", self.declared)?;
        for (n, outcome) in Outcome::ALL.iter().enumerate() {
            let plus = if n == 0 { "" } else { " +" };
            write!(f, "{plus} {} {outcome}", self.count(*outcome))?;
        }
        Ok(())
    }
}

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The word.
    pub verdict: Verdict,
    /// Why, the weightiest first; each is a sentence a release manager can repeat.
    pub reasons: Vec<String>,
    /// The account of all checks.
    pub conservation: Conservation,
}

/// Folds settled checks. `declared` is how many were owed; `disturbances` are reasons that lie outside
/// of any check (an interrupt, a lost journal): such a run is cut short, so it is INCONCLUSIVE whatever
/// it had seen by then; what it had seen stays among the reasons.
///
/// Over the mandatory checks the weightiest outcome decides: fail, error, inconclusive, held, warn, pass.
/// An error is a question without an answer, so it decides as INCONCLUSIVE. An advisory check that
/// did not pass raises a concern and no more.
#[must_use]
pub fn decide(checks: &[Check], declared: usize, disturbances: &[String]) -> Decision {
    let conservation = Conservation::of(checks, declared);
    let mandatory = || checks.iter().filter(|c| c.declared.gate == Gate::Mandatory);
    let mut reasons = Vec::new();

    let weightiest = mandatory().map(|c| c.outcome).max();
    let asked_something = mandatory().any(|c| c.outcome != Outcome::NotApplicable);
    let advisory_concern = checks.iter().any(|c| {
        c.declared.gate == Gate::Advisory
            && !matches!(c.outcome, Outcome::Pass | Outcome::NotApplicable)
    });
    let mut verdict = match weightiest {
        Some(Outcome::Fail) => Verdict::Fail,
        Some(Outcome::Error | Outcome::Inconclusive) => Verdict::Inconclusive,
        Some(Outcome::Held) => Verdict::Held,
        Some(Outcome::Warn) => Verdict::Concerns,
        Some(Outcome::Pass) if advisory_concern => Verdict::Concerns,
        Some(Outcome::Pass) => Verdict::Pass,
        Some(Outcome::NotApplicable) | None => Verdict::Inconclusive,
    };
    if !disturbances.is_empty() || !conservation.holds() {
        verdict = Verdict::Inconclusive;
    }
    if !conservation.holds() {
        reasons.push(format!(
            "The account of checks does not come out: {conservation}."
        ));
    }
    reasons.extend(disturbances.iter().cloned());
    if !asked_something {
        reasons
            .push("No mandatory check was run, so nothing is known about the release.".to_owned());
    }
    for outcome in [
        Outcome::Fail,
        Outcome::Error,
        Outcome::Inconclusive,
        Outcome::Held,
        Outcome::Warn,
    ] {
        reasons.extend(checks.iter().filter(|c| c.outcome == outcome).map(reason));
    }
    if verdict == Verdict::Pass {
        reasons.push(format!(
            "All {} mandatory checks passed.",
            mandatory().filter(|c| c.outcome == Outcome::Pass).count()
        ));
    }
    Decision {
        verdict,
        reasons,
        conservation,
    }
}

/// One check's contribution to the reasons.
fn reason(check: &Check) -> String {
    let advisory = match check.declared.gate {
        Gate::Mandatory => "",
        Gate::Advisory => " (advisory)",
    };
    format!("{}{advisory}: {}", check.declared.id, check.seen)
}

#[cfg(test)]
mod tests;
