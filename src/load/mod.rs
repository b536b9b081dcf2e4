//! The load stage: many virtual users walk the scenarios at once, while probes go on asking.

mod closed;
mod conductor;
mod course;
mod generator;
mod open;
mod pace;
mod probing;
mod recorder;
mod search;
mod timeline;
mod walk;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, LoadPlanned, Model, Moment, ProbeState, Redactor, Shape, Stage};
use crate::journey::Session;
use crate::plan::Scenario;
use crate::probe;
use crate::stop::Signal;

use course::{Course, State};
use pace::Pace;
use recorder::Recorder;
use timeline::Timeline;

/// What all virtual users of one load share.
struct Field {
    session: Session,
    recorder: Mutex<Recorder>,
    course: Course,
    timeline: Timeline,
    /// Whether requests are counted when they begin too, since somebody waits for the last of a phase.
    waits_for_each: bool,
    /// Probes that did not find a healthy system, for whoever has to know of it at once.
    sick: Mutex<Vec<(Instant, String, ProbeState)>>,
    pace: Option<Pace>,
    /// Scenarios in the order of the plan, with the index of each one's first step in the recorder.
    scenarios: Vec<(Arc<Scenario>, usize)>,
}

impl Field {
    /// Remembers that a probe did not find a healthy system.
    fn sick(&self, probe: String, state: ProbeState) {
        let mut sick = self.sick.lock().unwrap_or_else(PoisonError::into_inner);
        sick.push((Instant::now(), probe, state));
    }

    fn record(&self, write: impl FnOnce(&mut Recorder)) {
        // A std Mutex, since nothing is awaited while it is held.
        write(&mut self.recorder.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The load stage could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Somebody stopped the run.
    #[error("interrupted by {}", .0.name())]
    Stopped(Signal),
    /// The engine refused.
    #[error("the load engine failed: {0}")]
    Engine(String),
    /// This process may not open as many connections as users need.
    #[error(
        "{users} users need about {needed} open files, and this process may have {limit}: run `ulimit -n {needed}` first, or lower `{key}`"
    )]
    Files {
        /// Users planned.
        users: u32,
        /// The key that says how many.
        key: &'static str,
        /// Files they need.
        needed: u64,
        /// What the system allows.
        limit: u64,
    },
}

/// Runs the load of the plan, the probes beside it, and each probe once more at the end.
///
/// # Errors
/// When the load could not be offered as planned.
pub async fn run(session: &Session) -> Result<(), LoadError> {
    let profile = &session.environment.load;
    let key = match profile.model {
        Model::Closed => "users",
        Model::Open { .. } => "max_users",
    };
    generator::enough_files(profile.users, key)?;
    let mut scenarios = Vec::new();
    let mut steps = Vec::new();
    for scenario in session.plan.scenarios_for(Stage::Load) {
        scenarios.push((Arc::new(scenario.clone()), steps.len()));
        steps.extend(scenario.all_steps().map(|step| scenario.key(step)));
    }
    session.teller.tell(Event::LoadPlanned(LoadPlanned {
        profile: profile.name.clone(),
        model: profile.model,
        users: profile.users,
        shape: profile.shape.clone(),
        steps: steps.clone(),
    }));
    if scenarios.is_empty() {
        // Nothing to offer: every target says "no samples" by itself.
        return Ok(());
    }
    let field = Arc::new(Field {
        session: session.clone(),
        recorder: Mutex::new(Recorder::new(steps)),
        course: Course::new(),
        timeline: Timeline::default(),
        waits_for_each: matches!(profile.shape, Shape::Search(_)),
        sick: Mutex::default(),
        pace: session.environment.safety.max_rps.map(Pace::new),
        scenarios,
    });
    let (batches, arrivals) = std::sync::mpsc::channel();
    let script = conductor::Script::begin(&field, batches);
    let attack = async {
        let ended = match profile.model {
            Model::Closed => closed::attack(Arc::clone(&field)).await,
            Model::Open { spacing } => open::attack(Arc::clone(&field), arrivals, spacing).await,
        };
        // What was measured before would look like the whole load.
        match (ended, field.course.state()) {
            (Ok(()), State::Run) => Err("it stopped before the load was over".to_owned()),
            (ended, _) => ended,
        }
    };
    let (attacked, conducted) = tokio::join!(attack, conductor::conduct(&field, script));
    let (ticker, conducted) = conducted;
    conductor::farewell(ticker).await;
    conducted.map_err(LoadError::Stopped)?;
    attacked.map_err(LoadError::Engine)?;
    let after = futures_util::future::join_all(
        probe::under_load(session).map(|p| p.ask(session, Moment::After)),
    );
    session
        .stop
        .unless(after)
        .await
        .map_err(LoadError::Stopped)?;
    Ok(())
}

/// A pause after a journey that failed, so that a dead stack is not hammered in a tight loop.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Redacts for events of this load.
fn show(redactor: &Redactor, text: &str) -> crate::event::Redacted {
    redactor.text(text)
}
