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

/// How long users may take to say what became of them, once they were told to drop everything.
const FAREWELL: Duration = Duration::from_secs(5);

/// Conducts the load from its beginning to its cut. What users still say then is in the ticker's hands: it is
/// emptied by [`farewell`] when they are gone.
pub(super) async fn conduct<'a>(field: &'a Arc<Field>) -> (Ticker<'a>, Result<(), Signal>) {
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
        // The load ends when it was to end, however long a probe takes to answer.
        end(field, State::WindDown);
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
    let ended = async {
        phases.await;
        wait_for_the_last(field, hold_to + profile.grace).await;
    };
    let ended = session.stop.unless(ended).await;
    end(field, State::Cut);
    (ticker, ended)
}

/// Waits for those that were cut off to say so, then tells the last window. Whoever does not come back is missed:
/// without its requests, nothing can be judged.
pub(super) async fn farewell(mut ticker: Ticker<'_>) {
    let field = ticker.field;
    let missed = wait_for_the_last(field, Instant::now() + FAREWELL).await;
    ticker.empty();
    if missed > 0 {
        field.session.teller.tell(Event::HarnessFailed {
            doing: "ending the load".to_owned(),
            problem: field.session.plan.redactor.text(&format!(
                "{missed} virtual users did not end, so their requests are not counted"
            )),
        });
    }
}

fn end(field: &Field, state: State) {
    field.course.advance(state);
    goose::trigger_killswitch("the load is over");
}

/// Waits until no user is at work, or the time is over; returns how many still are.
async fn wait_for_the_last(field: &Field, latest: Instant) -> u32 {
    loop {
        let mut users = 0;
        field.record(|r| users = r.users);
        if users == 0 || Instant::now() >= latest {
            return users;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Empties the recorder about once a second.
pub(super) struct Ticker<'a> {
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
