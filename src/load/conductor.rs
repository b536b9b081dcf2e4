//! Keeps the time of a load: begins and ends its phases, empties the recorder, keeps the probes asking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::course::State;
use super::generator::CpuMeter;
use super::{Field, probing};
use crate::event::{Event, GeneratorSample, Phase};
use crate::stop::Signal;

/// How long one window is.
const WINDOW: Duration = Duration::from_secs(1);
/// How often the end of the last requests is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Conducts the load from its first user to its last.
///
/// # Errors
/// The signal that ended it early.
pub(super) async fn conduct(field: &Arc<Field>) -> Result<(), Signal> {
    let session = &field.session;
    let profile = &session.environment.load;
    let mut ticker = Ticker::new(field);
    session.teller.tell(Event::PhaseStarted {
        phase: Phase::WarmUp,
    });
    let hold_to = field.hold_from + profile.hold;
    let phases = async {
        ticker.until(field.hold_from).await;
        session
            .teller
            .tell(Event::PhaseStarted { phase: Phase::Hold });
        let probes = probing::start(field, hold_to);
        ticker.until(hold_to).await;
        let problem = match probes {
            Ok(end) => end
                .await
                .err()
                .map(|_| "their thread ended early".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            session.teller.tell(Event::HarnessFailed {
                doing: "asking services and agents during load".to_owned(),
                problem: session.plan.redactor.text(&problem),
            });
        }
    };
    let stopped = session.stop.unless(phases).await;
    if let Err(signal) = stopped {
        end(field, State::Cut);
        ticker.empty();
        return Err(signal);
    }
    end(field, State::WindDown);
    let wind_down = session
        .stop
        .unless(wait_for_the_last(field, hold_to + profile.grace))
        .await;
    end(field, State::Cut);
    // A moment for those that were cut off to say so.
    tokio::time::sleep(LOOK).await;
    ticker.empty();
    wind_down
}

fn end(field: &Field, state: State) {
    field.course.advance(state);
    goose::trigger_killswitch("the load is over");
}

/// Waits until no request is under way, or the grace is over.
async fn wait_for_the_last(field: &Field, latest: Instant) {
    let mut users = 1;
    while users > 0 && Instant::now() < latest {
        tokio::time::sleep(LOOK).await;
        field.record(|r| users = r.users);
    }
}

/// Empties the recorder about once a second.
struct Ticker<'a> {
    field: &'a Field,
    cpu: CpuMeter,
    from: Instant,
}

impl<'a> Ticker<'a> {
    fn new(field: &'a Field) -> Self {
        Self {
            field,
            cpu: CpuMeter::new(),
            from: Instant::now(),
        }
    }

    async fn until(&mut self, end: Instant) {
        while Instant::now() < end {
            tokio::time::sleep_until((self.from + WINDOW).min(end).into()).await;
            self.empty();
        }
    }

    fn empty(&mut self) {
        let teller = &self.field.session.teller;
        let (from, now) = (self.from, Instant::now());
        self.from = now;
        let mut users = 0;
        for phase in [Phase::WarmUp, Phase::Hold] {
            let mut window = None;
            self.field.record(|r| {
                users = r.users;
                window = r.drain(phase, teller.micros(from), teller.micros(now));
            });
            if let Some(window) = window {
                teller.tell(Event::Window(window));
            }
        }
        if let Some(cpu_permille) = self.cpu.look() {
            teller.tell(Event::Generator(GeneratorSample {
                cpu_permille,
                users,
            }));
        }
    }
}
