//! The wording that all reports share, made once: the decision in a sentence, what was not checked, the stages in a line each.

use std::time::Duration;

use crate::decision::{Check, Evaluation, Outcome, StageReport, StageState, Verdict};
use crate::event::{Gate, LoadPlanned, Model, Phase, Shape, Stage, Subject, Tally};
use crate::units::show_duration;

/// The decision in one sentence that can be repeated in a meeting.
#[must_use]
pub fn headline(evaluation: &Evaluation) -> String {
    let name = &evaluation.run.environment;
    let failed = count(evaluation, Outcome::Fail);
    let open = open(evaluation);
    match evaluation.decision.verdict {
        Verdict::Pass => format!("{name} may be promoted: every mandatory check passed."),
        Verdict::Concerns => {
            format!("{name} may be promoted, with concerns: no mandatory check failed.")
        }
        Verdict::Waived => {
            format!("{name} may be promoted on waivers: what failed was excepted by name.")
        }
        Verdict::Fail => format!(
            "{name} must not be promoted: {} failed.",
            plural(failed, "mandatory check")
        ),
        Verdict::Inconclusive => match (evaluation.cut_short, open) {
            (Some(_), _) => {
                format!("Nothing is decided about {name}: the run did not come to its end.")
            }
            (None, 0) => format!("Nothing is decided about {name}: no mandatory check was run."),
            (None, open) => format!(
                "Nothing is decided about {name}: {} without an answer.",
                plural(open, "mandatory check")
            ),
        },
        Verdict::Held => format!("{name} is held: a sign-off is missing."),
    }
}

/// What would have to change for another decision; nothing where nothing would.
#[must_use]
pub fn what_would_change(evaluation: &Evaluation) -> Option<String> {
    let failed = count(evaluation, Outcome::Fail);
    let open = open(evaluation);
    match evaluation.decision.verdict {
        Verdict::Pass | Verdict::Waived => None,
        Verdict::Concerns => Some("It would be PASS without the concerns listed below.".to_owned()),
        Verdict::Held => Some("It needs the sign-offs listed below.".to_owned()),
        Verdict::Fail if open == 0 => Some(format!(
            "It would pass if {} did.",
            plural(failed, "failed check")
        )),
        Verdict::Fail => Some(format!(
            "It would pass if {} did, and {} got an answer that passes.",
            plural(failed, "failed check"),
            plural(open, "check")
        )),
        Verdict::Inconclusive if failed > 0 => Some(format!(
            "It can't pass as it is: {} already; and it needs a run that comes to its end.",
            plural(failed, "check has failed")
        )),
        Verdict::Inconclusive => {
            Some("It needs a run in which every mandatory check gets an answer.".to_owned())
        }
    }
}

/// `1 check`, `2 checks`; the last word but one takes the s in `check has failed`.
#[must_use]
pub fn plural(n: usize, what: &str) -> String {
    match (n, what) {
        (1, _) => format!("1 {what}"),
        (_, "check has failed") => format!("{n} checks have failed"),
        _ => format!("{n} {what}s"),
    }
}

fn count(evaluation: &Evaluation, outcome: Outcome) -> usize {
    mandatory(evaluation)
        .filter(|c| c.outcome == outcome)
        .count()
}

/// Mandatory checks that got no answer.
fn open(evaluation: &Evaluation) -> usize {
    count(evaluation, Outcome::Inconclusive) + count(evaluation, Outcome::Error)
}

fn mandatory(evaluation: &Evaluation) -> impl Iterator<Item = &Check> {
    evaluation
        .checks
        .iter()
        .filter(|c| c.declared.gate == Gate::Mandatory)
}

/// Checks that need somebody, the weightiest first.
#[must_use]
pub fn attention(evaluation: &Evaluation) -> Vec<&Check> {
    let mut checks: Vec<_> = evaluation
        .checks
        .iter()
        .filter(|c| {
            matches!(
                c.outcome,
                Outcome::Fail | Outcome::Error | Outcome::Held | Outcome::Warn
            )
        })
        .collect();
    checks.sort_by_key(|c| {
        (
            std::cmp::Reverse(c.outcome),
            c.declared.gate == Gate::Advisory,
        )
    });
    checks
}

/// Checks without an answer, and why: what this run says nothing about.
#[must_use]
pub fn not_checked(evaluation: &Evaluation) -> Vec<&Check> {
    let unanswered = |o: Outcome| matches!(o, Outcome::Inconclusive | Outcome::NotApplicable);
    let mut checks: Vec<_> = evaluation
        .checks
        .iter()
        .filter(|c| unanswered(c.outcome))
        .collect();
    // A generator that fell short may be why the others have no answer.
    checks.sort_by_key(|c| !matches!(c.declared.subject, Subject::Generator { .. }));
    checks
}

/// Checks of one stage.
pub fn of_stage(evaluation: &Evaluation, stage: Stage) -> impl Iterator<Item = &Check> {
    evaluation
        .checks
        .iter()
        .filter(move |c| c.declared.stage == stage)
}

/// What became of a stage, in a few words: `12 pass, 1 fail`.
#[must_use]
pub fn tally<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    let mut counts = [0_usize; Outcome::ALL.len()];
    for check in checks {
        for (n, outcome) in Outcome::ALL.iter().enumerate() {
            counts[n] += usize::from(check.outcome == *outcome);
        }
    }
    let parts: Vec<_> = Outcome::ALL
        .iter()
        .zip(counts)
        .filter(|(_, n)| *n > 0)
        .map(|(outcome, n)| format!("{n} {outcome}"))
        .collect();
    if parts.is_empty() {
        "no checks".to_owned()
    } else {
        parts.join(", ")
    }
}

/// How far a stage came, in words.
#[must_use]
pub fn stage_state(report: &StageReport) -> String {
    match (&report.state, report.took_us) {
        (StageState::Ended, Some(us)) => show_duration(Duration::from_micros(us)),
        (StageState::Ended, None) => "ended".to_owned(),
        (StageState::Skipped { reason }, _) => format!("skipped: {reason}"),
        (StageState::CutShort, _) => "cut short".to_owned(),
        (StageState::NotReached, _) => "not reached".to_owned(),
    }
}

/// The sign that stands beside an outcome, so that colour is never all there is.
#[must_use]
pub fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Fail => "✗",
        Outcome::Inconclusive => "?",
        Outcome::Error => "⚠",
        Outcome::Held => "…",
        Outcome::NotApplicable => "–",
    }
}

/// The load that was to be offered, in a few words.
#[must_use]
pub fn offered(load: &LoadPlanned) -> String {
    let most = load.shape.peak().show(load.model);
    let up_to = match &load.shape {
        Shape::Phases { phases } if phases.iter().filter(|p| p.is_judged()).count() > 1 => "up to ",
        _ => "",
    };
    match (&load.shape, load.model) {
        (Shape::Search(search), _) => format!(
            "a search for the highest rate, from {} to at most {}",
            search.start, search.most
        ),
        (_, Model::Closed) => format!("{up_to}{most}"),
        (_, Model::Open { spacing }) => format!(
            "{up_to}{most} journeys arriving {spacing}, at most {} users",
            load.users
        ),
    }
}

/// How much load there was in a phase: `20 users`, `from 20 to 40 users`.
#[must_use]
pub fn level(phase: &Phase, model: Model) -> String {
    let (from, to) = (phase.from.show(model), phase.to.show(model));
    if from == to {
        return to;
    }
    format!("from {from} to {to}")
}

/// How many failures of each kind there were.
#[must_use]
pub fn kinds(tally: &Tally) -> String {
    let kinds = tally.errors.iter().map(|(kind, n)| format!("{n} {kind}"));
    kinds.collect::<Vec<_>>().join(", ")
}

/// How many answers of each status there were; the most frequent of them, when there are many.
#[must_use]
pub fn statuses(tally: &Tally) -> String {
    const MOST: usize = 6;
    let mut statuses: Vec<_> = tally.statuses.iter().collect();
    statuses.sort_by_key(|(status, n)| (std::cmp::Reverse(**n), **status));
    let more: u64 = statuses.iter().skip(MOST).map(|(_, n)| **n).sum();
    let mut shown: Vec<String> = statuses
        .iter()
        .take(MOST)
        .map(|(status, n)| format!("{n} × {status}"))
        .collect();
    if more > 0 {
        shown.push(format!("{more} others"));
    }
    if shown.is_empty() {
        return "none".to_owned();
    }
    shown.join(", ")
}
