//! One virtual user under load: journeys one after the other, each request on a schedule, each result recorded.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::course::{Listener, State};
use super::recorder::{Sample, Stream};
use super::{AFTER_FAILURE, Field, show};
use crate::event::{ErrorKind, Event, FailureSample, PhaseIndex};
use crate::journey::{Detail, Problem, StepResult, VirtualUser, run_step};
use crate::plan::{Scenario, Step};

/// A virtual user and its scenario.
pub(super) struct Walker {
    field: Arc<Field>,
    scenario: Arc<Scenario>,
    first_step: usize,
    user: VirtualUser,
    listener: Listener,
}

/// The instant from which a request's latency counts, and how late the generator came to it.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    late: Duration,
}

impl Due {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            late: Duration::ZERO,
        }
    }
}

impl Walker {
    pub(super) fn new(field: Arc<Field>, scenario: usize) -> Self {
        let (scenario, first_step) = {
            let (scenario, first) = &field.scenarios[scenario];
            (Arc::clone(scenario), *first)
        };
        let user = field.session.user();
        let listener = field.course.listen();
        Self {
            field,
            scenario,
            first_step,
            user,
            listener,
        }
    }

    /// Leaves: the connections are closed.
    pub(super) fn leave(&mut self) {
        self.user.leave();
    }

    /// Walks the scenario once, then its teardown. `arrival` is when its first request is due, if a clock says so.
    /// Tells whether anything was sent at all.
    pub(super) async fn journey(&mut self, arrival: Option<Instant>) -> bool {
        let scenario = Arc::clone(&self.scenario);
        self.user.begin(&scenario);
        let mut planned = None;
        let (mut began, mut failed) = (false, false);
        for (index, step) in scenario.steps.iter().enumerate() {
            let due = match (index, arrival) {
                (0, Some(arrival)) => self.appointed(arrival).await,
                _ => self.due(planned).await,
            };
            // Who arrived in time begins, also when that is noticed after the last moment of the load.
            let in_time = index == 0 && arrival.is_some() && self.field.pace.is_none();
            match self.field.course.state() {
                State::Run => {}
                State::WindDown if in_time => {}
                State::WindDown | State::Cut => break,
            }
            began = true;
            if !self.step(index, step, due).await {
                failed = true;
                break;
            }
            planned = step
                .think
                .map(|(least, most)| Instant::now() + self.user.pause(least, most));
        }
        for (index, step) in scenario.teardown.iter().enumerate() {
            // Also while winding down: what the journey made is removed.
            if self.field.course.state() == State::Cut {
                break;
            }
            if self.user.lacks(step).is_some() {
                continue;
            }
            let due = Due::now();
            self.step(scenario.steps.len() + index, step, due).await;
        }
        if failed {
            self.sleep_until(Instant::now() + AFTER_FAILURE).await;
        } else if let Some(planned) = planned {
            // The pause after the last step.
            self.sleep_until(planned).await;
        }
        began
    }

    /// Waits for the planned instant, and for a slot if the environment has a limit.
    ///
    /// A user of the closed model has no appointment: it sends when it has woken. So its latency counts
    /// from waking, and how late it woke is kept apart, as a figure about the generator.
    async fn due(&self, planned: Option<Instant>) -> Due {
        let planned = match (planned, &self.field.pace) {
            (None, None) => return Due::now(),
            (Some(planned), None) => planned,
            (planned, Some(pace)) => pace.next(planned.unwrap_or_else(Instant::now)),
        };
        self.sleep_until(planned).await;
        let at = Instant::now();
        Due {
            at,
            late: at.saturating_duration_since(planned),
        }
    }

    /// Waits for nothing but a slot: what has an appointment is due then, however late it is met. A wait for a slot
    /// means that the planned rate is more than the environment allows: that is lateness, and no figure of the stack.
    async fn appointed(&self, arrival: Instant) -> Due {
        if let Some(pace) = &self.field.pace {
            self.sleep_until(pace.next(arrival)).await;
        }
        Due {
            at: arrival,
            late: Duration::ZERO,
        }
    }

    /// Sleeps, but not beyond the end of the load.
    async fn sleep_until(&self, at: Instant) {
        if at <= Instant::now() {
            return;
        }
        let sleep = pin!(tokio::time::sleep_until(at.into()));
        self.listener
            .unless(&self.field.course, State::WindDown, sleep)
            .await;
    }

    /// Runs and records one step; tells whether it succeeded.
    async fn step(&mut self, index: usize, step: &Step, due: Due) -> bool {
        let timeline = &self.field.timeline;
        let phase = timeline.phase_of(due.at);
        let index = self.first_step + index;
        if self.field.waits_for_each {
            self.field.record(|r| r.sent(index, phase));
        }
        let outcome = {
            let run = pin!(run_step(&mut self.user, step, Detail::FailuresOnly));
            self.listener
                .unless(&self.field.course, State::Cut, run)
                .await
        };
        let answered = match &outcome {
            Some(result) => result.problem.as_ref().is_none_or(|p| p.kind.answered()),
            None => false,
        };
        if self.field.waits_for_each {
            self.field.record(|r| r.ended(index, phase));
        }
        let phase = if answered {
            phase
        } else {
            let timeline = &self.field.timeline;
            timeline.phase_of_hung(due.at, Instant::now())
        };
        match outcome {
            Some(result) => self.record(index, step, phase, due, &result),
            // Cut off by the end of the load: it had no answer within its grace, and counts as such.
            // Cut off by an interrupt: the run is void anyway.
            None => {
                self.field
                    .record(|r| r.unanswered(index, phase, ErrorKind::CutOff));
                false
            }
        }
    }

    fn record(
        &self,
        index: usize,
        step: &Step,
        phase: PhaseIndex,
        due: Due,
        result: &StepResult,
    ) -> bool {
        let until_sent = result.sent.saturating_duration_since(due.at);
        let kind = result.problem.as_ref().map(|p| p.kind);
        let first_token = result.timings.first_token.map(|t| until_sent + t);
        let sample = Sample {
            delay: due.late + result.began.saturating_duration_since(due.at),
            response: until_sent + result.timings.end,
            service: result.timings.end,
            status: result.status,
            bytes: result.bytes,
            kind,
            stream: first_token.map(|_| Stream {
                first_token,
                gaps: &result.gaps,
            }),
        };
        // Asking again must not hide what the stack failed to answer.
        for kind in &result.failed_attempts {
            self.field.record(|r| r.unanswered(index, phase, *kind));
        }
        let mut tell = false;
        self.field
            .record(|r| tell = r.record(index, phase, &sample));
        if let (true, Some(problem)) = (tell, &result.problem) {
            self.tell_failure(step, problem, result.status);
        }
        kind.is_none()
    }

    fn tell_failure(&self, step: &Step, problem: &Problem, status: Option<u16>) {
        let status = status.map_or_else(String::new, |s| format!("{s}: "));
        let redactor = self.user.redactor();
        self.field
            .session
            .teller
            .tell(Event::FailureSample(FailureSample {
                step: self.scenario.key(step),
                kind: problem.kind,
                seen: show(&redactor, &format!("{status}{}", problem.message)),
                source: problem.place.clone().or_else(|| Some(step.place.clone())),
            }));
    }
}

/// A user at work, counted as such as long as this lives.
pub(super) struct AtWork(Arc<Field>);

impl AtWork {
    pub(super) fn begin(field: &Arc<Field>) -> Self {
        field.record(|r| r.users += 1);
        Self(Arc::clone(field))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.record(|r| r.users = r.users.saturating_sub(1));
        if std::thread::panicking() {
            // Its request was never counted: the run can't be judged by the others alone.
            let problem = "a virtual user panicked; this is a defect of gates";
            self.0.session.teller.tell(Event::HarnessFailed {
                doing: "walking a journey".to_owned(),
                problem: show(&self.0.session.plan.redactor, problem),
            });
        }
    }
}
