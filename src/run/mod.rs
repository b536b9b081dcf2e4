//! Orchestrates a run: plan, stages, events, journal, decision. A page long, so that it reads as the architecture.

mod folder;
mod journal;
mod provenance;

use std::path::PathBuf;
use std::sync::Arc;

use crate::decision::Evaluation;
use crate::event::{Event, Record, RunStarted, SCHEMA, Stage, Teller};
use crate::journey::Session;
use crate::load::{self, LoadError};
use crate::plan::Plan;
use crate::stop::{Signal, Stop};
use crate::transport::{Connector, TlsError};
use crate::{probe, smoke};

pub use folder::RunFolder;
pub use journal::{Journal, JournalError, read_journal, read_shards};

/// What somebody asked for.
pub struct Order {
    /// The plan.
    pub plan: Plan,
    /// The stages to run; others of the environment are skipped, and leave the run without a verdict.
    pub only: Option<Vec<Stage>>,
    /// Names of the faults that the embedded stack was given.
    pub faults: Vec<String>,
    /// Where the run's folder goes; the plan's own place if not given.
    pub reports: Option<PathBuf>,
    /// Ends the run early.
    pub stop: Stop,
    /// Hears every event as it happens.
    pub listener: Box<dyn FnMut(&Record) + Send>,
}

/// A run that came to a decision.
#[derive(Debug)]
pub struct Finished {
    /// The run, judged.
    pub evaluation: Evaluation,
    /// Its folder.
    pub folder: RunFolder,
    /// The signal that cut it short, if one did.
    pub stopped: Option<Signal>,
}

/// A run that could not begin; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folder or journal can't be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Certificate authorities can't be loaded.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Runs a plan and judges what it told.
///
/// # Errors
/// When the run could not begin.
pub async fn run(order: Order) -> Result<Finished, RunError> {
    let Order {
        plan,
        only,
        faults,
        reports,
        stop,
        listener,
    } = order;
    let connector = Connector::new(plan.environment.ca_file.as_deref())?;
    let connector = connector.with_http2(plan.environment.http2, &plan.environment.url);
    let connector = Arc::new(connector);
    let folder = RunFolder::create(
        reports.as_deref().unwrap_or(&plan.reports),
        &plan.environment.name,
    )?;
    let journal = Journal::start(&folder, listener, stop.clone())?;
    let teller = Teller::new(journal.sender());
    teller.tell(Event::RunStarted(Box::new(started(&plan, &folder, faults))));

    let environment = Arc::new(plan.environment.clone());
    let session = Session {
        plan: Arc::new(plan),
        environment,
        connector,
        teller: teller.clone(),
        stop: stop.clone(),
    };
    let cut = stages(&session, only.as_deref()).await.err();
    // Also a signal that came where nothing looked at it: whoever stopped the run must not read PASS.
    if let Some(signal) = cut.or_else(|| stop.requested())
        && signal != Signal::JournalLost
    {
        teller.tell(Event::Interrupted {
            signal: signal.name().to_owned(),
        });
    }
    teller.tell(Event::RunEnded);
    let evaluation = journal.finish()?;
    Ok(Finished {
        evaluation,
        folder,
        stopped: stop.requested(),
    })
}

/// Runs the stages in order. Only a stack that does not answer at all ends a run early: whatever else is
/// wrong, the stages after it may say more about it.
async fn stages(session: &Session, only: Option<&[Stage]>) -> Result<(), Signal> {
    let mut unreachable = false;
    for stage in Stage::ALL {
        if let Some(reason) = skip(session, stage, only, unreachable) {
            session.teller.tell(Event::StageSkipped { stage, reason });
            continue;
        }
        session.teller.tell(Event::StageStarted { stage });
        match stage {
            Stage::Preflight => unreachable = !probe::preflight(session).await?,
            Stage::Smoke => smoke::run(session).await?,
            Stage::Agents => probe::agents(session).await?,
            Stage::Load => match load::run(session).await {
                Ok(()) => {}
                Err(LoadError::Stopped(signal)) => return Err(signal),
                Err(error) => {
                    let problem = session.plan.redactor.text(&error.to_string());
                    session.teller.tell(Event::HarnessFailed {
                        doing: "offering the load".to_owned(),
                        problem,
                    });
                    continue;
                }
            },
        }
        session.teller.tell(Event::StageEnded { stage });
    }
    Ok(())
}

/// Why a stage is not run; nothing if it is.
fn skip(
    session: &Session,
    stage: Stage,
    only: Option<&[Stage]>,
    unreachable: bool,
) -> Option<String> {
    let environment = &session.environment;
    if !environment.stages.contains(&stage) {
        return Some(format!("`{}` leaves it out (gates.toml)", environment.name));
    }
    if only.is_some_and(|only| !only.contains(&stage)) {
        return Some("left out by --only".to_owned());
    }
    if unreachable {
        return Some("the stack does not answer (see preflight)".to_owned());
    }
    if stage == Stage::Load {
        let refusal = environment
            .safety
            .load
            .refusal("load", "load", &environment.name);
        return refusal.map(|refusal| refusal.to_string());
    }
    None
}

fn started(plan: &Plan, folder: &RunFolder, faults: Vec<String>) -> RunStarted {
    RunStarted {
        schema: SCHEMA,
        run_id: folder.id().to_owned(),
        started_at: jiff::Timestamp::now().to_string(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: plan.project.clone(),
        environment: plan.environment.name.clone(),
        url: plan.redactor.text(&plan.environment.url),
        commit: provenance::commit(),
        faults,
        checks: plan
            .declare()
            .into_iter()
            .filter(|c| plan.environment.stages.contains(&c.stage))
            .collect(),
    }
}
