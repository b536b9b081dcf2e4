//! Keeps the time of a load: begins and ends its phases, empties the recorder, keeps the probes asking.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::course::State;
use super::generator::CpuMeter;
use super::open::Batch;
use super::watch::Watch;
use super::{Field, probing, search};
use crate::decision::LoadAccount;
use crate::event::{Aborted, Event, GeneratorSample, Phase, Shape, Window};
use crate::stop::Signal;

/// How long one window is.
const WINDOW: Duration = Duration::from_secs(1);
/// How often the end of the last requests is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How often it is measured how late this thread wakes.
const LAG_EVERY: Duration = Duration::from_millis(10);
/// How long users may take to say what became of them, once they were told to drop everything.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a load goes by: phases that have begun already, or a search that finds its own.
pub(super) enum Script {
    /// Phases, and when the first one began.
    Phases(Vec<Phase>, Instant),
    /// A search, and the way to let journeys arrive.
    Search(crate::event::Search, Sender<Batch>),
}

impl Script {
    /// Places the phases in time, from now on; a search does that by itself.
    pub(super) fn begin(field: &Field, batches: Sender<Batch>) -> Self {
        match &field.session.environment.load.shape {
            Shape::Search(search) => Self::Search(*search, batches),
            Shape::Phases { phases } => {
                let begin = Instant::now();
                field.timeline.add(begin, phases);
                // In the closed model nobody listens.
                let _ = batches.send(Batch {
                    begin,
                    phases: phases.clone(),
                });
                Self::Phases(phases.clone(), begin)
            }
        }
    }
}

/// Conducts the load from its beginning to its cut. What users still say then is in the ticker's hands: it is
/// emptied by [`farewell`] when they are gone.
pub(super) async fn conduct<'a>(
    field: &'a Arc<Field>,
    script: Script,
) -> (Ticker<'a>, Result<(), Signal>) {
    let session = &field.session;
    let mut ticker = Ticker::new(field);
    let ended = async {
        let resources = Beside::resources(field);
        match script {
            Script::Phases(phases, begin) => play(field, &mut ticker, &phases, begin).await,
            Script::Search(search, batches) => {
                let probes = Beside::probes(field, None);
                search::search(field, &mut ticker, &search, &batches).await;
                end(field, State::WindDown);
                probes.end().await;
            }
        }
        if let Some(resources) = resources {
            resources.end().await;
        }
        let grace = session.environment.load.grace;
        wait_for_the_last(field, Instant::now() + grace).await;
    };
    let ended = {
        let ended = session.stop.unless(ended);
        let lag = watch_lag(field);
        tokio::select! {
            ended = ended => ended,
            () = lag => Ok(()),
        }
    };
    end(field, State::Cut);
    (ticker, ended)
}

/// Plays phases that are known before, one after the other.
async fn play(field: &Arc<Field>, ticker: &mut Ticker<'_>, phases: &[Phase], begin: Instant) {
    let ends = begin + phases.iter().map(|p| p.lasts).sum::<Duration>();
    let mut probes = None;
    let mut to = begin;
    for phase in phases {
        to += phase.lasts;
        ticker.begin(phase);
        if phase.is_judged() && probes.is_none() {
            probes = Some(Beside::probes(field, Some(ends)));
        }
        if let Some(aborted) = ticker.until(to).await {
            ticker.tell(Event::LoadAborted(aborted));
            break;
        }
    }
    // The load ends when it was to end, however long a probe takes to answer.
    end(field, State::WindDown);
    if let Some(probes) = probes {
        probes.end().await;
    }
}

/// What goes on beside the load.
struct Beside<'a> {
    field: &'a Field,
    doing: &'static str,
    end: probing::End,
}

impl<'a> Beside<'a> {
    fn probes(field: &'a Arc<Field>, until: Option<Instant>) -> Self {
        Self {
            end: probing::start(field, until),
            doing: "asking services and agents during load",
            field,
        }
    }

    /// Nothing if the environment does not say where to read.
    fn resources(field: &'a Arc<Field>) -> Option<Self> {
        Some(Self {
            end: probing::watch_resources(field)?,
            doing: "reading resource use during load",
            field,
        })
    }

    /// Waits for the last answers.
    async fn end(self) {
        let problem = match self.end {
            Ok(end) => end.await.err().map(|_| "the thread ended early".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            let session = &self.field.session;
            session.teller.tell(Event::HarnessFailed {
                doing: self.doing.to_owned(),
                problem: session.plan.redactor.text(&problem),
            });
        }
    }
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

/// Waits until no user is at work and none can arrive, or the time is over; returns how many still are.
async fn wait_for_the_last(field: &Field, latest: Instant) -> u32 {
    loop {
        let (mut users, mut arriving) = (0, false);
        field.record(|r| (users, arriving) = (r.users, r.arriving));
        if (users == 0 && !arriving) || Instant::now() >= latest {
            return users;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Measures for ever how late a short sleep ends on this thread, which is that of the users: an answer that has come
/// waits as long to be noticed.
async fn watch_lag(field: &Field) {
    loop {
        let due = Instant::now() + LAG_EVERY;
        tokio::time::sleep_until(due.into()).await;
        let lag = Instant::now().saturating_duration_since(due);
        field.record(|r| r.lagged(lag));
    }
}

/// Empties the recorder about once a second.
pub(super) struct Ticker<'a> {
    field: &'a Field,
    cpu: CpuMeter,
    from: Instant,
    /// Phases that were told of.
    begun: usize,
    watch: Option<Watch>,
    /// What a reader of the journal would know by now, where somebody has to know it at once.
    pub(super) account: Option<LoadAccount>,
}

impl<'a> Ticker<'a> {
    fn new(field: &'a Field) -> Self {
        let abort = field.session.environment.load.abort.clone();
        Self {
            field,
            cpu: CpuMeter::new(),
            from: Instant::now(),
            begun: 0,
            watch: abort.map(Watch::new),
            account: None,
        }
    }

    /// Tells that a phase begins.
    pub(super) fn begin(&mut self, phase: &Phase) {
        self.begun += 1;
        let phase = phase.clone();
        self.tell(Event::PhaseStarted { phase });
    }

    /// Tells an event.
    pub(super) fn tell(&mut self, event: Event) {
        let teller = &self.field.session.teller;
        if let Some(account) = &mut self.account {
            account.absorb(teller.micros(Instant::now()), &event);
        }
        teller.tell(event);
    }

    /// Empties the recorder until an instant; ends earlier if a rule says so.
    pub(super) async fn until(&mut self, end: Instant) -> Option<Aborted> {
        while Instant::now() < end {
            if let (_, Some(aborted)) = self.window(end).await {
                return Some(aborted);
            }
        }
        None
    }

    /// Waits for the end of the window, at most until an instant, and tells what happened in it.
    async fn window(&mut self, latest: Instant) -> (Vec<Window>, Option<Aborted>) {
        tokio::time::sleep_until((self.from + WINDOW).min(latest).into()).await;
        let windows = self.empty();
        let broken = self.watch.as_mut().and_then(|w| w.look(&windows));
        let aborted = broken.map(|(rule, seen)| Aborted {
            rule,
            seen: self.field.session.plan.redactor.text(&seen),
        });
        (windows, aborted)
    }

    /// Tells all that happened since the last time.
    pub(super) fn empty(&mut self) -> Vec<Window> {
        let (from, now) = (self.from, Instant::now());
        self.from = now;
        let (from_us, to_us) = {
            let teller = &self.field.session.teller;
            (teller.micros(from), teller.micros(now))
        };
        let phase = self.field.timeline.phase_of(from);
        let (mut windows, mut users, mut lag) = (Vec::new(), 0, None);
        self.field.record(|r| {
            users = r.users;
            windows = r.drain(self.begun, from_us, to_us);
            lag = Some(r.take_lag());
        });
        for window in &windows {
            self.tell(Event::Window(window.clone()));
        }
        if let Some(cpu) = self.cpu.look() {
            self.tell(Event::Generator(GeneratorSample {
                phase,
                over_us: to_us.saturating_sub(from_us),
                cpu_permille: cpu.ran_permille,
                starved_permille: cpu.starved_permille,
                lag: lag.unwrap_or_default(),
                users,
            }));
        }
        windows
    }
}
