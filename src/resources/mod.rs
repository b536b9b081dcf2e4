//! Reads what the services use of their machines while load runs. It only tells: nothing here judges.

mod docker;
mod engine;
mod prometheus;
mod stats;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::{
    Event, MetricSample, Moment, Redactor, ResourceSource, ResourcesUnavailable, Teller,
};
use crate::journey::Session;
use crate::plan::{Query, Resources};

use docker::Docker;

/// Longest time for one look at all containers, and for one query.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why figures could not be read. The text is not redacted yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Unread(String);

/// Reads resource use again and again, as long as the future is polled.
pub(crate) struct Watch<'a> {
    session: &'a Session,
    resources: &'a Resources,
    docker: Option<Docker>,
}

impl<'a> Watch<'a> {
    /// Whatever the environment says can be read; nothing if it says nothing.
    pub(crate) fn of(session: &'a Session) -> Option<Self> {
        let resources = session.environment.resources.as_ref()?;
        let docker = resources.docker.clone();
        Some(Self {
            session,
            resources,
            docker: docker.map(|engine| Docker::new(engine, session.plan.redactor.clone())),
        })
    }

    /// Reads on a clock. Whoever has heard enough drops it: it does not end.
    pub(crate) async fn read(&mut self) {
        let session = self.session;
        let docker = async {
            if let Some(docker) = &mut self.docker {
                watch_docker(session, docker).await;
            }
        };
        let queries = self.resources.prometheus.iter().flat_map(|server| {
            let queries = server.queries.iter();
            queries.map(|query| watch_query(session, &server.url, query))
        });
        tokio::join!(docker, futures_util::future::join_all(queries));
        std::future::pending().await
    }

    /// Looks at the containers once more, for what became of them.
    pub(crate) async fn last(&mut self) {
        if let Some(docker) = &mut self.docker {
            let mut gaps = Gaps::of(self.session);
            look(docker, Moment::After, &mut gaps).await;
        }
    }
}

/// The instants at which to read. A slow answer delays the next one, and never doubles it.
struct Clock {
    every: Duration,
    next: Instant,
}

impl Clock {
    fn of(session: &Session) -> Self {
        Self {
            every: session.environment.load.probe_every,
            next: Instant::now(),
        }
    }

    async fn tick(&mut self) {
        tokio::time::sleep_until(self.next.into()).await;
        self.next += self.every;
    }

    fn answered(&mut self) {
        self.next = self.next.max(Instant::now());
    }
}

async fn watch_docker(session: &Session, docker: &mut Docker) {
    let (mut clock, mut gaps) = (Clock::of(session), Gaps::of(session));
    let mut moment = Moment::Before;
    loop {
        clock.tick().await;
        look(docker, moment, &mut gaps).await;
        moment = Moment::During;
        clock.answered();
    }
}

async fn look(docker: &mut Docker, moment: Moment, gaps: &mut Gaps<'_>) {
    let looked = tokio::time::timeout(TIMEOUT, docker.look(moment)).await;
    let (samples, seen, problem) = match looked {
        Ok(Ok(look)) => (look.samples, look.seen, look.problem),
        Ok(Err(problem)) => (Vec::new(), Vec::new(), Some(problem)),
        Err(_) => (Vec::new(), Vec::new(), Some(docker.silent())),
    };
    // First what became of a container, then what it used since.
    for container in seen {
        gaps.teller.tell(Event::Container(container));
    }
    for sample in samples {
        gaps.teller.tell(Event::Resource(sample));
    }
    gaps.found(&ResourceSource::Docker, problem.as_ref());
}

async fn watch_query(session: &Session, url: &str, query: &Query) {
    let source = ResourceSource::Query {
        name: query.name.clone(),
    };
    let (mut clock, mut gaps) = (Clock::of(session), Gaps::of(session));
    loop {
        clock.tick().await;
        let answer = prometheus::ask(&session.connector, url, &query.query).await;
        if let Ok(value) = answer {
            session.teller.tell(Event::Metric(MetricSample {
                name: query.name.clone(),
                value,
            }));
        }
        gaps.found(&source, answer.err().as_ref());
        clock.answered();
    }
}

/// What can't be read now, so that it is told once and not every second.
struct Gaps<'a> {
    teller: &'a Teller,
    redactor: &'a Redactor,
    told: BTreeMap<ResourceSource, Unread>,
}

impl<'a> Gaps<'a> {
    fn of(session: &'a Session) -> Self {
        Self {
            teller: &session.teller,
            redactor: &session.plan.redactor,
            told: BTreeMap::new(),
        }
    }

    fn found(&mut self, source: &ResourceSource, problem: Option<&Unread>) {
        let Some(problem) = problem else {
            self.told.remove(source);
            return;
        };
        if self.told.get(source) == Some(problem) {
            return;
        }
        self.told.insert(source.clone(), problem.clone());
        self.teller
            .tell(Event::ResourcesUnavailable(ResourcesUnavailable {
                source: source.clone(),
                why: self.redactor.text(&problem.0),
            }));
    }
}

#[cfg(test)]
mod tests;
