//! Searches for the highest rate at which all targets hold: one attempt after the other, each judged when its last
//! request has ended.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::Field;
use super::conductor::Ticker;
use super::open::Batch;
use crate::decision::LoadAccount;
use crate::decision::breakpoint::{Attempt, attempt, next_rate};
use crate::event::{
    ErrorKind, Event, Figures, Level, LoadPlanned, Phase, PhaseIndex, Search, SearchTarget, Subject,
};
use crate::units::Rate;

/// How often the end of the last requests of an attempt is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Makes attempts until the search is over.
pub(super) async fn search(
    field: &Arc<Field>,
    ticker: &mut Ticker<'_>,
    search: &Search,
    batches: &std::sync::mpsc::Sender<Batch>,
) {
    let targets = targets(field);
    ticker.account = Some(account(field));
    let mut made = Vec::new();
    while let Some(rate) = next_rate(search, &made) {
        let Some(phase) = offer(field, ticker, search, batches, rate).await else {
            return;
        };
        let Some(went) = judge(field, ticker, &targets, phase) else {
            return;
        };
        made.push(went);
    }
}

/// The targets that the plan declared for the search.
fn targets(field: &Field) -> Vec<SearchTarget> {
    let mut declared = field.session.plan.declare().into_iter();
    let targets = declared.find_map(|check| match check.subject {
        Subject::Breakpoint { targets, .. } => Some(targets),
        _ => None,
    });
    targets.unwrap_or_default()
}

/// The account that a reader of the journal begins with.
fn account(field: &Field) -> LoadAccount {
    let profile = &field.session.environment.load;
    let mut steps = Vec::new();
    field.record(|r| steps = r.steps().to_vec());
    LoadAccount::new(LoadPlanned {
        profile: profile.name.clone(),
        model: profile.model,
        users: profile.users,
        shape: profile.shape.clone(),
        steps,
    })
}

/// Offers one rate and waits for the last of its requests; the phase in which it was measured, or nothing if the load
/// was ended.
async fn offer(
    field: &Field,
    ticker: &mut Ticker<'_>,
    search: &Search,
    batches: &std::sync::mpsc::Sender<Batch>,
    rate: Rate,
) -> Option<PhaseIndex> {
    let grace = field.session.environment.load.grace;
    let phases = phases(search, rate, grace);
    let begin = Instant::now();
    let begun = ticker.account.as_ref().map_or(0, |a| a.phases.len());
    let measured = PhaseIndex(u32::try_from(begun + 1).ok()?);
    field.timeline.add(begin, &phases);
    let batch = Batch {
        begin,
        phases: phases.to_vec(),
    };
    batches.send(batch).ok()?;
    let mut to = begin;
    for phase in &phases[..2] {
        ticker.begin(phase);
        to += phase.lasts;
        if let Some(aborted) = ticker.until(to).await {
            ticker.tell(Event::LoadAborted(aborted));
            return None;
        }
    }
    ticker.begin(&phases[2]);
    let latest = to + grace;
    loop {
        let mut hanging = Vec::new();
        field.record(|r| hanging = r.in_flight(measured));
        if hanging.is_empty() || Instant::now() >= latest {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    ticker.empty();
    Some(measured)
}

/// The rate rises, is measured, and what it left behind ends.
fn phases(search: &Search, rate: Rate, grace: Duration) -> [Phase; 3] {
    let level = Level::rate(rate);
    [
        Phase {
            name: format!("up to {rate}"),
            lasts: search.settle,
            from: Level::NONE,
            to: level,
            figures: Figures::Shown,
        },
        Phase {
            name: rate.to_string(),
            lasts: search.measure,
            from: level,
            to: level,
            figures: Figures::Judged,
        },
        Phase {
            name: format!("after {rate}"),
            lasts: grace,
            from: Level::NONE,
            to: Level::NONE,
            figures: Figures::Shown,
        },
    ]
}

/// How the attempt in one phase went.
fn judge(
    field: &Field,
    ticker: &mut Ticker<'_>,
    targets: &[SearchTarget],
    phase: PhaseIndex,
) -> Option<Attempt> {
    let account = ticker.account.as_mut()?;
    let teller = &field.session.teller;
    {
        let mut sick = field.sick.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, probe, state) in sick.drain(..) {
            account.probed(teller.micros(at), &probe, state);
        }
    }
    let mut account = account.clone();
    let mut hanging = Vec::new();
    field.record(|r| hanging = r.in_flight(phase));
    for (step, n) in hanging {
        // Whoever has waited for so long will not be told of a success in time.
        if let Some(account) = account.steps.iter_mut().find(|a| a.step == step) {
            let tally = account.phases.entry(phase).or_default();
            *tally.errors.entry(ErrorKind::CutOff).or_insert(0) += n;
        }
    }
    let max_delay = field.session.plan.max_delay();
    attempt(&account, phase, targets, max_delay)
}
