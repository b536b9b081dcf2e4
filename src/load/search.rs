//! Searches for the highest rate at which all targets hold: one attempt after the other, each judged when its last
//! request has ended.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::Field;
use super::conductor::Ticker;
use super::open::Batch;
use crate::decision::breakpoint::{Attempt, attempt, next_rate};
use crate::decision::{LoadAccount, ProbePoint};
use crate::event::{
    ErrorKind, Event, Figures, Level, LoadPlanned, Phase, PhaseIndex, Search, SearchTarget,
    Subject, Window,
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
    let mut attempts = Attempts::new(field);
    while let Some(rate) = next_rate(search, &attempts.made) {
        let went = attempts.make(field, ticker, search, batches, rate).await;
        let Some(went) = went else {
            return;
        };
        attempts.made.push(went);
    }
}

/// The attempts so far, and the same account of them that the journal's reader will come to.
struct Attempts {
    account: LoadAccount,
    targets: Vec<SearchTarget>,
    made: Vec<Attempt>,
}

impl Attempts {
    fn new(field: &Field) -> Self {
        let session = &field.session;
        let profile = &session.environment.load;
        let mut steps = Vec::new();
        field.record(|r| steps = r.steps().to_vec());
        let declared = session.plan.declare().into_iter();
        let targets = declared
            .filter_map(|check| match check.subject {
                Subject::Breakpoint { targets, .. } => Some(targets),
                _ => None,
            })
            .next()
            .unwrap_or_default();
        Self {
            account: LoadAccount::new(LoadPlanned {
                profile: profile.name.clone(),
                model: profile.model,
                users: profile.users,
                shape: profile.shape.clone(),
                steps,
            }),
            targets,
            made: Vec::new(),
        }
    }

    /// Offers one rate, waits for the last of its requests, and says how it went.
    async fn make(
        &mut self,
        field: &Field,
        ticker: &mut Ticker<'_>,
        search: &Search,
        batches: &std::sync::mpsc::Sender<Batch>,
        rate: Rate,
    ) -> Option<Attempt> {
        let level = Level::rate(rate);
        let phase = |name: String, lasts, from, to, figures| Phase {
            name,
            lasts,
            from,
            to,
            figures,
        };
        let settle = phase(
            format!("up to {rate}"),
            search.settle,
            Level::NONE,
            level,
            Figures::Shown,
        );
        let measure = phase(
            rate.to_string(),
            search.measure,
            level,
            level,
            Figures::Judged,
        );
        let grace = field.session.environment.load.grace;
        let drain = phase(
            format!("after {rate}"),
            grace,
            Level::NONE,
            Level::NONE,
            Figures::Shown,
        );
        let begin = Instant::now();
        let judged = PhaseIndex(u32::try_from(self.account.phases.len()).ok()? + 1);
        let phases = vec![settle, measure, drain];
        field.timeline.add(begin, &phases);
        batches
            .send(Batch {
                begin,
                phases: phases.clone(),
            })
            .ok()?;
        let mut to = begin;
        for phase in &phases[..2] {
            self.tell_begin(field, ticker, phase);
            to += phase.lasts;
            self.listen(field, ticker, to).await?;
        }
        self.tell_begin(field, ticker, &phases[2]);
        let latest = to + grace;
        let mut hanging = Vec::new();
        loop {
            field.record(|r| hanging = r.in_flight(judged));
            if hanging.is_empty() || Instant::now() >= latest {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.absorb(field, ticker.empty());
        let mut account = self.account.clone();
        for (step, n) in hanging {
            // Whoever has waited for so long will not be told of a success in time.
            if let Some(account) = account.steps.iter_mut().find(|a| a.step == step) {
                let tally = account.phases.entry(judged).or_default();
                *tally.errors.entry(ErrorKind::CutOff).or_insert(0) += n;
            }
        }
        let max_delay = field.session.environment.load.max_delay;
        attempt(&account, judged, &self.targets, max_delay)
    }

    fn tell_begin(&mut self, field: &Field, ticker: &Ticker<'_>, phase: &Phase) {
        ticker.begin(phase);
        let at = field.session.teller.micros(Instant::now());
        let phase = phase.clone();
        self.account.absorb(at, &Event::PhaseStarted { phase });
    }

    /// Takes in what happens until an instant; nothing if a rule ended the load.
    async fn listen(&mut self, field: &Field, ticker: &mut Ticker<'_>, end: Instant) -> Option<()> {
        while Instant::now() < end {
            let (windows, aborted) = ticker.window(end).await;
            self.absorb(field, windows);
            if let Some(aborted) = aborted {
                field.session.teller.tell(Event::LoadAborted(aborted));
                return None;
            }
        }
        Some(())
    }

    fn absorb(&mut self, field: &Field, windows: Vec<Window>) {
        let teller = &field.session.teller;
        for window in windows {
            self.account
                .absorb(window.to_us, &Event::Window(window.clone()));
        }
        let mut sick = field.sick.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, probe, state) in sick.drain(..) {
            self.account.probes.push(ProbePoint {
                probe,
                at_us: teller.micros(at),
                state,
            });
        }
    }
}
