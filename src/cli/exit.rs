//! The exit codes: what CI can trust.

use std::process::ExitCode;

use crate::decision::{CutShort, Evaluation, Verdict};
use crate::stop::Signal;

/// How the program ends. The table in README.md is this enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// PASS, CONCERNS or WAIVED; or a command that did what it was asked.
    Success,
    /// FAIL.
    Fail,
    /// Usage, or a plan that does not load; nothing was sent.
    Usage,
    /// INCONCLUSIVE.
    Inconclusive,
    /// The harness could not do its work.
    Harness,
    /// CONCERNS, under `--fail-on concerns`.
    Concerns,
    /// HELD.
    Held,
    /// Stopped by SIGINT; INCONCLUSIVE.
    Interrupted,
    /// Stopped by SIGTERM; INCONCLUSIVE.
    Terminated,
}

/// Whether CONCERNS ends with a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConcerns {
    /// They promote.
    Promote,
    /// They don't.
    Refuse,
}

impl Exit {
    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Harness => 4,
            Self::Concerns => 5,
            Self::Held => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The exit of a judged run. A report that could not be written takes a promotion back, for nobody can
    /// see what it rests on; a refusal stays the refusal it is.
    #[must_use]
    pub fn of(
        evaluation: &Evaluation,
        stopped: Option<Signal>,
        on_concerns: OnConcerns,
        reports_written: bool,
    ) -> Self {
        match (stopped, evaluation.cut_short) {
            (Some(Signal::Interrupt), _) => return Self::Interrupted,
            (Some(Signal::Terminate), _) => return Self::Terminated,
            (Some(Signal::JournalLost), _) | (_, Some(CutShort::HarnessFailed)) => {
                return Self::Harness;
            }
            (None, Some(CutShort::Interrupted | CutShort::BrokenOff) | None) => {}
        }
        match evaluation.decision.verdict {
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Held => Self::Held,
            Verdict::Pass | Verdict::Concerns | Verdict::Waived if !reports_written => {
                Self::Harness
            }
            Verdict::Concerns if on_concerns == OnConcerns::Refuse => Self::Concerns,
            Verdict::Pass | Verdict::Concerns | Verdict::Waived => Self::Success,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
