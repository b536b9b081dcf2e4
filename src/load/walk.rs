//! One virtual user under load: journeys one after the other, each request on a schedule, each result recorded.

use std::sync::Arc;
use std::time::Instant;

use super::recorder::Sample;
use super::{AFTER_FAILURE, Course, Field, show};
use crate::event::{ErrorKind, Event, FailureSample, Phase};
use crate::journey::{Detail, Problem, StepResult, VirtualUser, run_step};
use crate::plan::{Scenario, Step};

/// A virtual user and its scenario.
pub(super) struct Walker {
    field: Arc<Field>,
    scenario: Arc<Scenario>,
    first_step: usize,
    user: VirtualUser,
}

impl Walker {
    pub(super) fn new(field: Arc<Field>, scenario: usize) -> Self {
        let (scenario, first_step) = {
            let (scenario, first) = &field.scenarios[scenario];
            (Arc::clone(scenario), *first)
        };
        let user = field.session.user();
        field.record(|r| r.users += 1);
        Self { field, scenario, first_step, user }
    }

    /// Walks the scenario once, then its teardown.
    pub(super) async fn journey(&mut self) {
        let scenario = Arc::clone(&self.scenario);
        self.user.begin(&scenario);
        let mut due = Instant::now();
        let mut failed = false;
        for (index, step) in scenario.steps.iter().enumerate() {
            if *self.field.course.borrow() != Course::Run {
                break;
            }
            due = self.paced(due).await;
            if !self.step(index, step, due).await {
                failed = true;
                break;
            }
            due = Instant::now();
            if let Some((least, most)) = step.think {
                due += self.user.pause(least, most);
                self.sleep_until(due).await;
            }
        }
        for (index, step) in scenario.teardown.iter().enumerate() {
            // Also while winding down: what the journey made is removed.
            if *self.field.course.borrow() == Course::Cut || self.user.lacks(step).is_some() {
                break;
            }
            let due = Instant::now();
            self.step(scenario.steps.len() + index, step, due).await;
        }
        if failed {
            self.sleep_until(Instant::now() + AFTER_FAILURE).await;
        }
    }

    /// The instant at which the next request is due, given the environment's limit.
    async fn paced(&self, due: Instant) -> Instant {
        match &self.field.pace {
            None => due,
            Some(pace) => {
                let at = pace.next(due);
                self.sleep_until(at).await;
                at
            }
        }
    }

    /// Sleeps, but not beyond the end of the load.
    async fn sleep_until(&self, at: Instant) {
        let mut course = self.field.course.subscribe();
        tokio::select! {
            () = tokio::time::sleep_until(at.into()) => {}
            _ = course.wait_for(|c| *c != Course::Run) => {}
        }
    }

    /// Runs and records one step; tells whether it succeeded.
    async fn step(&mut self, index: usize, step: &Step, due: Instant) -> bool {
        let mut course = self.field.course.subscribe();
        let outcome = tokio::select! {
            biased;
            _ = course.wait_for(|c| *c == Course::Cut) => None,
            result = run_step(&mut self.user, step, Detail::FailuresOnly) => Some(result),
        };
        let phase = if due < self.field.hold_from { Phase::WarmUp } else { Phase::Hold };
        let index = self.first_step + index;
        match outcome {
            Some(result) => self.record(index, step, phase, due, &result),
            // Cut off by the end of the load: it had no answer within its grace, and counts as such.
            // Cut off by an interrupt: the run is void anyway.
            None => {
                self.field.record(|r| r.unanswered(index, phase, ErrorKind::CutOff));
                false
            }
        }
    }

    fn record(&self, index: usize, step: &Step, phase: Phase, due: Instant, result: &StepResult) -> bool {
        let late = result.began.saturating_duration_since(due);
        let until_sent = result.sent.saturating_duration_since(due);
        let kind = result.problem.as_ref().map(|p| p.kind);
        let sample = Sample {
            delay: late,
            response: until_sent + result.timings.end,
            service: result.timings.end,
            first_token: result.timings.first_token.map(|t| until_sent + t),
            bytes: result.bytes,
            kind,
        };
        let mut tell = false;
        self.field.record(|r| tell = r.record(index, phase, &sample));
        if let (true, Some(problem)) = (tell, &result.problem) {
            self.tell_failure(step, problem, result.status);
        }
        kind.is_none()
    }

    fn tell_failure(&self, step: &Step, problem: &Problem, status: Option<u16>) {
        let status = status.map_or_else(String::new, |s| format!("{s}: "));
        let redactor = self.user.redactor();
        self.field.session.teller.tell(Event::FailureSample(FailureSample {
            step: self.scenario.key(step),
            kind: problem.kind,
            seen: show(&redactor, &format!("{status}{}", problem.message)),
            source: problem.place.clone().or_else(|| Some(step.place.clone())),
        }));
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        self.field.record(|r| r.users = r.users.saturating_sub(1));
    }
}
