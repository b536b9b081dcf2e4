//! Settles one declared check by what the journal holds about it.

use std::time::Duration;

use super::{Evaluator, StageState};
use crate::decision::breakpoint::{attempts, judge_breakpoint};
use crate::decision::judge::Judgement;
use crate::decision::outcome::Detail;
use crate::decision::target::{judge_generator, judge_phases};
use crate::decision::{
    Check, LoadAccount, Outcome, ResourceAccount, judge_resources, judge_restarts,
};
use crate::event::{
    DeclaredCheck, Moment, ProbeState, Probed, Redacted, Redactor, SearchTarget, StepKey, StepRan,
    Subject,
};
use crate::units::{Rate, Ratio, show_duration, show_percent};

/// More than this many lines about one check hide rather than show.
const MAX_DETAILS: usize = 5;

/// A check's answer before it is put beside its declaration.
struct Answer {
    outcome: Outcome,
    request: Option<Redacted>,
    seen: Redacted,
    details: Vec<Detail>,
    measured: Option<crate::decision::Measured>,
    took: Option<Duration>,
}

impl Answer {
    fn new(outcome: Outcome, seen: Redacted) -> Self {
        Self {
            outcome,
            request: None,
            seen,
            details: Vec::new(),
            measured: None,
            took: None,
        }
    }

    fn of(judgement: Judgement) -> Self {
        Self {
            measured: judgement.measured,
            ..Self::new(judgement.outcome, plain(&judgement.seen))
        }
    }
}

/// Text that was made here, of nothing that a stack said.
fn plain(text: &str) -> Redacted {
    Redactor::default().text(text)
}

impl Evaluator {
    pub(super) fn settle(&self, declared: &DeclaredCheck) -> Check {
        let answer = match &declared.subject {
            Subject::NotAllowed { rule } => {
                Answer::new(Outcome::NotApplicable, plain(&format!("not run: {rule}")))
            }
            Subject::NotSaid { question } => Answer::new(
                Outcome::Inconclusive,
                plain(&format!("not run: {question}")),
            ),
            Subject::Step(step) => self.settle_step(declared, step),
            Subject::Probe { probe, moment } => self.settle_probe(declared, probe, *moment),
            Subject::AgentHealth {
                probes,
                moments,
                at_least,
            } => self.settle_agent_health(declared, probes, moments, *at_least),
            subject @ (Subject::Latency { .. } | Subject::Errors { .. }) => {
                self.settle_load(declared, |load| judge_phases(subject, load))
            }
            Subject::Generator { delay } => {
                self.settle_load(declared, |load| Some(judge_generator(load, *delay)))
            }
            Subject::NotAborted { .. } => self.settle_abort(declared),
            Subject::Resources { project, queries } => self.settle_resources(declared, |account| {
                judge_resources(account, project.as_deref(), queries)
            }),
            Subject::Restarts { .. } => self.settle_resources(declared, judge_restarts),
            Subject::Breakpoint {
                at_least,
                targets,
                delay,
            } => self.settle_breakpoint(declared, targets, *at_least, *delay),
        };
        Check {
            declared: declared.clone(),
            outcome: answer.outcome,
            expected: declared.subject.expected(),
            request: answer.request,
            seen: answer.seen,
            details: answer.details,
            measured: answer.measured,
            took_us: answer
                .took
                .map(|t| u64::try_from(t.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// The answer of a check whose stage never got to it.
    fn not_run(&self, declared: &DeclaredCheck) -> Answer {
        let why = match self.stage_report(declared.stage).state {
            StageState::Skipped { reason } => reason,
            StageState::CutShort => format!("the {} stage was cut short", declared.stage),
            StageState::NotReached => format!("the run ended before the {} stage", declared.stage),
            StageState::Ended => {
                format!("the {} stage ended without an answer to it", declared.stage)
            }
        };
        Answer::new(Outcome::Inconclusive, plain(&format!("not run: {why}")))
    }

    fn settle_step(&self, declared: &DeclaredCheck, step: &StepKey) -> Answer {
        match (self.steps.get(step), self.blocked.get(step)) {
            (Some(ran), _) => judge_step(ran),
            (None, Some(reason)) => {
                Answer::new(Outcome::Inconclusive, plain(&format!("not run: {reason}")))
            }
            (None, None) => self.not_run(declared),
        }
    }

    fn settle_probe(&self, declared: &DeclaredCheck, probe: &str, moment: Moment) -> Answer {
        let answers = self
            .probes
            .get(&(probe.to_owned(), moment))
            .map_or(&[][..], Vec::as_slice);
        match (moment, answers) {
            (Moment::During, []) if self.load_complete() => Answer::new(
                Outcome::Fail,
                plain("no samples: never asked while load ran"),
            ),
            (_, []) => self.not_run(declared),
            (Moment::Before | Moment::After, [.., (_, last)]) => Answer {
                took: Some(last.took),
                ..Answer::new(state_outcome(last.state), last.seen.clone())
            },
            (Moment::During, all) => judge_probes(all),
        }
    }

    /// An agent counts as healthy when it was so in every answer. One that was not asked at some moment
    /// leaves the share open, unless too many others are known to be unhealthy.
    fn settle_agent_health(
        &self,
        declared: &DeclaredCheck,
        probes: &[String],
        moments: &[Moment],
        at_least: Ratio,
    ) -> Answer {
        if probes.is_empty() {
            return Answer::new(
                Outcome::Fail,
                plain("no samples: no agent is named for this environment"),
            );
        }
        let (mut healthy, mut unhealthy, mut unknown) = (0_usize, Vec::new(), Vec::new());
        for probe in probes {
            let answers: Vec<&[(u64, Probed)]> = moments
                .iter()
                .map(|m| {
                    self.probes
                        .get(&(probe.clone(), *m))
                        .map_or(&[][..], Vec::as_slice)
                })
                .collect();
            let states = || answers.iter().flat_map(|a| a.iter()).map(|(_, p)| p.state);
            let name = probe.trim_start_matches("agent/");
            if states().any(|s| matches!(s, ProbeState::NotFunctional | ProbeState::Unreachable)) {
                unhealthy.push(name);
            } else if answers.iter().any(|a| a.is_empty())
                || states().any(|s| s == ProbeState::NotAsked)
            {
                unknown.push(name);
            } else {
                healthy += 1;
            }
        }
        let asked = |probe: &String| {
            moments
                .iter()
                .any(|m| self.probes.contains_key(&(probe.clone(), *m)))
        };
        if !probes.iter().any(asked) {
            return self.not_run(declared);
        }
        #[expect(clippy::cast_precision_loss, reason = "a handful of agents")]
        let share = |n: usize| n as f64 / probes.len() as f64;
        let total = probes.len();
        let (outcome, seen) = if share(healthy) >= at_least.get() {
            (
                Outcome::Pass,
                format!(
                    "{healthy} of {total} agents healthy in every answer ({})",
                    show_percent(share(healthy))
                ),
            )
        } else if share(healthy + unknown.len()) < at_least.get() {
            let names = unhealthy.join(", ");
            (
                Outcome::Fail,
                format!(
                    "{healthy} of {total} agents healthy in every answer, not healthy: {names}"
                ),
            )
        } else {
            let names = unknown.join(", ");
            (
                Outcome::Inconclusive,
                format!(
                    "{healthy} of {total} agents healthy in every answer, not asked at every moment: {names}"
                ),
            )
        };
        Answer::new(outcome, plain(&seen))
    }

    /// Whether all that was to be offered was offered.
    fn load_complete(&self) -> bool {
        let aborted = self.load.as_ref().is_some_and(|l| l.aborted.is_some());
        !aborted && self.stage_report(crate::event::Stage::Load).state == StageState::Ended
    }

    /// Judges what the load stage brought. A load that was cut short can't say "no samples": it says nothing.
    fn settle_load(
        &self,
        declared: &DeclaredCheck,
        judge: impl FnOnce(&LoadAccount) -> Option<Judgement>,
    ) -> Answer {
        let Some(judgement) = self.load.as_ref().and_then(judge) else {
            return self.not_run(declared);
        };
        if judgement.measured.is_none()
            && judgement.outcome != Outcome::Pass
            && !self.load_complete()
        {
            return self.not_run(declared);
        }
        Answer::of(judgement)
    }

    /// Every attempt is a line of the answer, whatever it came to.
    fn settle_breakpoint(
        &self,
        declared: &DeclaredCheck,
        targets: &[SearchTarget],
        at_least: Rate,
        delay: Duration,
    ) -> Answer {
        let made = self
            .load
            .as_ref()
            .map(|load| attempts(load, targets, delay))
            .unwrap_or_default();
        let complete = self.load_complete();
        let answer = self.settle_load(declared, |_| {
            (complete && !made.is_empty()).then(|| judge_breakpoint(&made, at_least))
        });
        let details = made.iter().map(|attempt| Detail {
            expected: format!("all targets at {}", attempt.rate),
            seen: plain(&attempt.went.to_string()),
            source: None,
        });
        Answer {
            details: details.collect(),
            ..answer
        }
    }

    /// A load that its own rule ended failed; one that somebody else ended says nothing.
    fn settle_abort(&self, declared: &DeclaredCheck) -> Answer {
        match self.load.as_ref().map(|load| &load.aborted) {
            Some(Some(aborted)) => Answer::new(Outcome::Fail, aborted.seen.clone()),
            Some(None) if self.load_complete() => {
                Answer::new(Outcome::Pass, plain("it ran to its end"))
            }
            _ => self.not_run(declared),
        }
    }

    /// Of a load that was cut short, only what went wrong is known.
    fn settle_resources(
        &self,
        declared: &DeclaredCheck,
        judge: impl FnOnce(&ResourceAccount) -> Judgement,
    ) -> Answer {
        let Some(load) = &self.load else {
            return self.not_run(declared);
        };
        let judgement = judge(&load.resources);
        if judgement.outcome != Outcome::Fail && !self.load_complete() {
            return self.not_run(declared);
        }
        Answer::of(judgement)
    }
}

fn state_outcome(state: ProbeState) -> Outcome {
    match state {
        ProbeState::Healthy => Outcome::Pass,
        ProbeState::AtRisk => Outcome::Warn,
        ProbeState::NotFunctional | ProbeState::Unreachable => Outcome::Fail,
        ProbeState::NotAsked => Outcome::Error,
    }
}

/// Every probe under load must find the system healthy; each that did not is placed in time.
fn judge_probes(all: &[(u64, Probed)]) -> Answer {
    let outcome = all
        .iter()
        .map(|(_, p)| state_outcome(p.state))
        .max()
        .unwrap_or(Outcome::Fail);
    let bad: Vec<_> = all
        .iter()
        .filter(|(_, p)| p.state != ProbeState::Healthy)
        .collect();
    let seen = match bad.first() {
        None => plain(&format!("healthy in all {} probes", all.len())),
        Some((at, first)) => plain(&format!(
            "not healthy in {} of {} probes, first {} into the run: {}",
            bad.len(),
            all.len(),
            show_duration(Duration::from_micros(*at)),
            first.seen
        )),
    };
    let mut details: Vec<Detail> = Vec::new();
    for (at, probed) in &bad {
        // A system that is down says the same each time: once is enough.
        if details.len() < MAX_DETAILS && details.iter().all(|d| d.seen != probed.seen) {
            details.push(Detail {
                expected: format!(
                    "healthy {} into the run",
                    show_duration(Duration::from_micros(*at))
                ),
                seen: probed.seen.clone(),
                source: None,
            });
        }
    }
    Answer {
        details,
        ..Answer::new(outcome, seen)
    }
}

/// A step passes when it was answered and every expectation held.
fn judge_step(ran: &StepRan) -> Answer {
    let mut details: Vec<Detail> = ran
        .expectations
        .iter()
        .filter(|e| !e.held)
        .map(|e| Detail {
            expected: e.text.clone(),
            seen: e.seen.clone(),
            source: Some(e.source.clone()),
        })
        .collect();
    let outcome = match &ran.failure {
        Some(failure) if failure.kind.own_side() => Outcome::Error,
        Some(_) => Outcome::Fail,
        None if details.is_empty() => Outcome::Pass,
        None => Outcome::Fail,
    };
    if let Some(failure) = &ran.failure {
        details.insert(
            0,
            Detail {
                expected: "an answer that can be used".to_owned(),
                seen: failure.message.clone(),
                source: failure.source.clone(),
            },
        );
    }
    let took = show_duration(ran.timings.end);
    let seen = match (details.as_slice(), ran.status) {
        ([], Some(status)) => plain(&format!(
            "{status} in {took}, {} expectations held",
            ran.expectations.len()
        )),
        ([], None) => plain(&format!(
            "done in {took}, {} expectations held",
            ran.expectations.len()
        )),
        ([first, ..], _) if ran.failure.is_some() => first.seen.clone(),
        ([first, rest @ ..], _) => {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" (and {} more)", rest.len())
            };
            plain(&format!(
                "expected `{}`, saw {}{more}",
                first.expected, first.seen
            ))
        }
    };
    let request = Some(ran.request.clone()).filter(|r| !r.as_str().is_empty());
    Answer {
        request,
        details,
        took: Some(ran.timings.end),
        ..Answer::new(outcome, seen)
    }
}
