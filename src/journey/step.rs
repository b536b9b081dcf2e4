//! Runs one step: one exchange (or several, with `retry`), then its expectations and captures.

use std::time::{Duration, Instant};

use super::VirtualUser;
use super::exchange::{Answer, exchange};
use crate::event::{ErrorKind, SourceRef, Timings};
use crate::plan::Step;
use crate::plan::expectation::{Expectation, Reply};

/// How much is told about a step that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every expectation with the value that satisfied it.
    Everything,
    /// Nothing but its clocks: a load makes millions of them.
    FailuresOnly,
}

/// Why a step did not succeed. The text is not redacted yet.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened, in one line.
    pub message: String,
    /// The line of the file it belongs to.
    pub place: Option<SourceRef>,
}

impl Problem {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
        }
    }
}

/// What a step came to.
#[derive(Debug)]
pub struct StepResult {
    /// The instant at which the first request was handed to the wire.
    pub began: Instant,
    /// The instant at which the last request was handed to the wire; another one only with `retry`.
    pub sent: Instant,
    /// Method and address; not redacted yet. Empty under [`Detail::FailuresOnly`].
    pub request: String,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// Bytes of the answer.
    pub bytes: u64,
    /// The clocks of the last exchange.
    pub timings: Timings,
    /// For streams: the times between one token and the next.
    pub gaps: Vec<Duration>,
    /// Every expectation, under [`Detail::Everything`]; those that failed otherwise.
    pub expectations: Vec<(ExpectationText, bool, String)>,
    /// Why it did not succeed.
    pub problem: Option<Problem>,
    /// With `retry`: what went wrong on the wire, or with a status of 5xx, in the attempts before the last.
    pub failed_attempts: Vec<ErrorKind>,
}

impl StepResult {
    /// Notes what is asked, where that is told.
    pub(super) fn asks(&mut self, detail: Detail, text: impl FnOnce() -> String) {
        if detail == Detail::Everything {
            self.request = text();
        }
    }
}

/// An expectation's text and place.
type ExpectationText = (String, SourceRef);

/// Runs a step once, or with `retry` until its condition holds.
pub async fn run_step(user: &mut VirtualUser, step: &Step, detail: Detail) -> StepResult {
    let began = Instant::now();
    let mut sent = began;
    let mut failed_attempts = Vec::new();
    loop {
        let mut result = attempt(user, step, detail, sent).await;
        result.0.began = began;
        result.0.failed_attempts.clone_from(&failed_attempts);
        let Some(retry) = &step.retry else {
            return result.0;
        };
        let settled = result
            .1
            .as_ref()
            .is_some_and(|answer| retry.until.holds(&answer.reply()));
        if settled {
            return result.0;
        }
        if began.elapsed() + retry.every > retry.within {
            let seen = match (&result.1, &result.0.problem) {
                (Some(answer), _) => retry.until.check(&answer.reply()).seen,
                (None, Some(problem)) => problem.message.clone(),
                (None, None) => "no answer".to_owned(),
            };
            let within = crate::units::show_duration(retry.within);
            result.0.problem = Some(Problem {
                kind: ErrorKind::Timeout,
                message: format!(
                    "`{}` did not come to hold within {within}; last seen: {seen}",
                    retry.until.text
                ),
                place: Some(retry.until.place.clone()),
            });
            return result.0;
        }
        match (&result.1, &result.0.problem) {
            (None, Some(problem)) => failed_attempts.push(problem.kind),
            (Some(answer), _) if answer.status >= 500 => {
                failed_attempts.push(ErrorKind::Expectation);
            }
            _ => {}
        }
        tokio::time::sleep(retry.every).await;
        sent = Instant::now();
    }
}

async fn attempt(
    user: &mut VirtualUser,
    step: &Step,
    detail: Detail,
    sent: Instant,
) -> (StepResult, Option<Answer>) {
    let mut result = StepResult {
        began: sent,
        sent,
        request: String::new(),
        status: None,
        bytes: 0,
        timings: Timings::default(),
        gaps: Vec::new(),
        expectations: Vec::new(),
        problem: None,
        failed_attempts: Vec::new(),
    };
    let mut answer = match exchange(user, step, detail, &mut result).await {
        Ok(answer) => answer,
        Err(problem) => {
            result.problem = Some(problem);
            if result.timings.end.is_zero() {
                result.timings.end = sent.elapsed();
            }
            return (result, None);
        }
    };
    result.status = Some(answer.status);
    result.bytes = answer.bytes;
    result.timings = answer.timings;
    result.gaps = std::mem::take(&mut answer.gaps);
    judge(user, step, detail, &answer, &mut result);
    (result, Some(answer))
}

/// Asks the answer each expectation, then captures; a capture after a failed expectation is still tried,
/// so that later steps can show what they are worth.
fn judge(
    user: &mut VirtualUser,
    step: &Step,
    detail: Detail,
    answer: &Answer,
    result: &mut StepResult,
) {
    let captured: Vec<_> = {
        let reply = answer.reply();
        for expectation in &step.expect {
            check(expectation, &reply, detail, result);
        }
        step.capture
            .iter()
            .map(|capture| (capture, capture.find(&reply)))
            .collect()
    };
    for (capture, value) in captured {
        match value {
            Some(value) => user.keep(&capture.name, value, capture.secret),
            None if result.problem.is_none() => {
                result.problem = Some(Problem {
                    kind: ErrorKind::Capture,
                    message: format!(
                        "nothing to capture as `{}`: the answer holds no such single value",
                        capture.name
                    ),
                    place: Some(capture.place.clone()),
                });
            }
            None => {}
        }
    }
}

fn check(expectation: &Expectation, reply: &Reply<'_>, detail: Detail, result: &mut StepResult) {
    if detail == Detail::FailuresOnly && expectation.holds(reply) {
        return;
    }
    let verdict = expectation.check(reply);
    let text = (expectation.text.clone(), expectation.place.clone());
    if !verdict.held && detail == Detail::FailuresOnly && result.problem.is_none() {
        result.problem = Some(Problem {
            kind: ErrorKind::Expectation,
            message: format!("expected `{}`, saw {}", expectation.text, verdict.seen),
            place: Some(expectation.place.clone()),
        });
    }
    result.expectations.push((text, verdict.held, verdict.seen));
}
