//! The smoke stage: each scenario once, by one user, every expectation told.

use std::pin::pin;
use std::time::Duration;

use crate::event::{Event, ExpectationResult, Redactor, Stage, StepFailure, StepKey, StepRan};
use crate::journey::{Detail, Session, StepResult, VirtualUser, run_step};
use crate::plan::{Scenario, Step};
use crate::stop::Signal;

/// Runs every smoke scenario, one after the other.
///
/// # Errors
/// The signal that ended it early.
pub async fn run(session: &Session) -> Result<(), Signal> {
    for scenario in session.plan.scenarios_for(Stage::Smoke) {
        let mut user = session.user();
        user.begin(scenario);
        let outcome = session
            .stop
            .unless(journey(session, scenario, &mut user))
            .await;
        let cut = tidy(session, scenario, &mut user).await;
        user.leave();
        outcome.and(cut)?;
    }
    Ok(())
}

/// How long what a journey made may take to be removed, once the run is to stop.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Removes what the journey made, even when it was cut short; but a run that is to stop does not wait for long.
async fn tidy(
    session: &Session,
    scenario: &Scenario,
    user: &mut VirtualUser,
) -> Result<(), Signal> {
    let mut work = pin!(teardown(session, scenario, user));
    let cut = session.stop.unless(work.as_mut()).await;
    if cut.is_err() {
        // Where it was going on already, it goes on from there.
        let _ = tokio::time::timeout(LAST_WORDS, work).await;
    }
    cut
}

/// Runs the steps up to the first that fails; those behind it are told as blocked.
async fn journey(session: &Session, scenario: &Scenario, user: &mut VirtualUser) {
    let mut failed: Option<&Step> = None;
    for step in &scenario.steps {
        if let Some(before) = failed {
            block(
                session,
                scenario.key(step),
                format!("step `{}` before it failed", before.name),
            );
            continue;
        }
        if !run(session, scenario, user, step).await {
            failed = Some(step);
        }
        if let Some((least, most)) = step.think {
            tokio::time::sleep(user.pause(least, most)).await;
        }
    }

    async fn run(
        session: &Session,
        scenario: &Scenario,
        user: &mut VirtualUser,
        step: &Step,
    ) -> bool {
        let result = run_step(user, step, Detail::Everything).await;
        let ran = told(scenario.key(step), result, &user.redactor());
        let passed = ran.failure.is_none() && ran.expectations.iter().all(|e| e.held);
        session.teller.tell(Event::StepRan(Box::new(ran)));
        passed
    }
}

/// Runs what is done at the end, as far as there is something to undo.
async fn teardown(session: &Session, scenario: &Scenario, user: &mut VirtualUser) {
    for step in &scenario.teardown {
        if let Some(variable) = user.lacks(step) {
            block(
                session,
                scenario.key(step),
                format!("`${{{variable}}}` was never captured"),
            );
            continue;
        }
        let result = run_step(user, step, Detail::Everything).await;
        let ran = told(scenario.key(step), result, &user.redactor());
        session.teller.tell(Event::StepRan(Box::new(ran)));
    }
}

fn block(session: &Session, step: StepKey, reason: String) {
    session.teller.tell(Event::StepBlocked { step, reason });
}

/// Redacts a result into what is told of it.
fn told(step: StepKey, result: StepResult, redactor: &Redactor) -> StepRan {
    StepRan {
        step,
        request: redactor.text(&result.request),
        status: result.status,
        bytes: result.bytes,
        timings: result.timings,
        expectations: result
            .expectations
            .into_iter()
            .map(|((text, source), held, seen)| ExpectationResult {
                text,
                held,
                seen: redactor.text(&seen),
                source,
            })
            .collect(),
        failure: result.problem.map(|problem| StepFailure {
            kind: problem.kind,
            message: redactor.text(&problem.message),
            source: problem.place,
        }),
    }
}
