//! Probes: each asks one system whether it is there and works, in bounded time, and tells what it saw.
//!
//! A new kind of probe is one file here and one line in [`Probe::ask`].

mod agent;
mod aggregate;
mod http;
mod postgres;
mod reachable;
mod redis;

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::event::{ErrorKind, Event, Moment, ProbeState, Probed};
use crate::journey::Session;
use crate::plan::{AGGREGATE, Agent, Ask, REACHABLE, Service, agent_probe, service_probe};
use crate::stop::Signal;
use crate::transport::TransportError;

/// What a probe found. The text is not redacted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    state: ProbeState,
    seen: String,
}

impl Finding {
    fn new(state: ProbeState, seen: impl Into<String>) -> Self {
        Self {
            state,
            seen: seen.into(),
        }
    }

    fn of_error(error: &TransportError) -> Self {
        let state = match error.kind {
            kind if kind.own_side() => ProbeState::NotAsked,
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Reset => ProbeState::Unreachable,
            _ => ProbeState::NotFunctional,
        };
        Self::new(state, error.message.clone())
    }
}

/// One system to ask.
#[derive(Debug, Clone, Copy)]
pub enum Probe<'a> {
    /// Does the base address answer at all?
    Reachable,
    /// A service of the environment.
    Service(&'a Service),
    /// An agent, by its own word.
    Agent(&'a Agent),
    /// Whether the aggregate agrees with the agents.
    Aggregate,
}

impl Probe<'_> {
    /// The name that checks know it by.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Reachable => REACHABLE.to_owned(),
            Self::Service(service) => service_probe(&service.name),
            Self::Agent(agent) => agent_probe(&agent.name),
            Self::Aggregate => AGGREGATE.to_owned(),
        }
    }

    fn timeout(self) -> Duration {
        match self {
            Self::Reachable | Self::Aggregate => Duration::from_secs(10),
            Self::Service(service) => service.timeout,
            Self::Agent(agent) => agent.timeout,
        }
    }

    /// Asks once and tells what was found.
    pub async fn ask(self, session: &Session, moment: Moment) -> ProbeState {
        let began = Instant::now();
        let asking = async {
            match self {
                Self::Reachable => reachable::ask(session, self.timeout()).await,
                Self::Service(service) => match &service.ask {
                    Ask::Http { url, expect } => {
                        http::ask(session, url, expect, service.timeout).await
                    }
                    Ask::Postgres { url } => postgres::ask(url).await,
                    Ask::Redis { url } => redis::ask(url).await,
                },
                Self::Agent(agent) => agent::ask(session, agent).await,
                Self::Aggregate => aggregate::ask(session).await,
            }
        };
        // Each probe has its own limits too; this one holds whatever it does.
        let finding = tokio::time::timeout(self.timeout() + Duration::from_millis(500), asking)
            .await
            .unwrap_or_else(|_| {
                let within = crate::units::show_duration(self.timeout());
                Finding::new(
                    ProbeState::Unreachable,
                    format!("no answer within {within}"),
                )
            });
        session.teller.tell(Event::Probed(Probed {
            probe: self.name(),
            moment,
            state: finding.state,
            seen: session.plan.redactor.text(&finding.seen),
            took: began.elapsed(),
        }));
        finding.state
    }
}

/// Preflight: whether the stack answers, then all its services at once. Tells whether the stack can be gone on with.
///
/// # Errors
/// The signal that ended it early.
pub async fn preflight(session: &Session) -> Result<bool, Signal> {
    let reachable = session
        .stop
        .unless(Probe::Reachable.ask(session, Moment::Before))
        .await?;
    let services = session
        .environment
        .services
        .iter()
        .map(|s| Probe::Service(s).ask(session, Moment::Before));
    session.stop.unless(join_all(services)).await?;
    Ok(reachable == ProbeState::Healthy)
}

/// The agents stage: each agent by itself, and whether the aggregate agrees.
///
/// # Errors
/// The signal that ended it early.
pub async fn agents(session: &Session) -> Result<(), Signal> {
    let agents = session
        .environment
        .agents
        .iter()
        .map(|a| Probe::Agent(a).ask(session, Moment::Before));
    session.stop.unless(join_all(agents)).await?;
    if session.environment.aggregate.is_some() {
        session
            .stop
            .unless(Probe::Aggregate.ask(session, Moment::Before))
            .await?;
    }
    Ok(())
}

/// The probes that go on while load runs, and once after it.
pub fn under_load(session: &Session) -> impl Iterator<Item = Probe<'_>> {
    let services = session.environment.services.iter().map(Probe::Service);
    services.chain(session.environment.agents.iter().map(Probe::Agent))
}
