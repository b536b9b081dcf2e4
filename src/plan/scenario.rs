//! A scenario, compiled: a journey of steps, each a request with its expectations.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};

use super::address::Destination;
use super::data::Data;
use super::expectation::{Capture, Expectation};
use super::source::SourceFile;
use super::targets::Targets;
use super::template::Template;
use crate::event::{SourceRef, StepKey};

/// A user's journey.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Unique in a plan.
    pub name: Arc<str>,
    /// The file it stands in.
    pub source: SourceFile,
    /// Labels; `smoke` and `load` say which stages use it.
    pub tags: Vec<String>,
    /// Share of virtual users under load.
    pub weight: u32,
    /// Its rows of test data.
    pub data: Option<Arc<Data>>,
    /// Variables of its own, filled in once per journey, in order.
    pub variables: Vec<(String, Template)>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is done at the end, also after a failure.
    pub teardown: Vec<Step>,
}

impl Scenario {
    /// All steps, those of the teardown last.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(&self.teardown)
    }

    /// Whether a stage uses it: it bears the stage's name as a tag, or none at all.
    #[must_use]
    pub fn used_by(&self, stage: crate::event::Stage) -> bool {
        self.tags.is_empty() || self.tags.iter().any(|t| t == stage.name())
    }

    /// The first step that changes the stack's state, if there is one.
    #[must_use]
    pub fn first_write(&self) -> Option<&Step> {
        self.all_steps().find(|s| s.writes)
    }

    /// Reads all addresses as far as an environment's base address makes them known.
    pub(super) fn settle_in(&mut self, base: &str) {
        for step in self.steps.iter_mut().chain(&mut self.teardown) {
            if let Action::Http(request) | Action::Sse { request, .. } = &mut step.action {
                request.destination = Destination::of(&request.url, base);
            }
        }
    }

    /// The key of one of its steps.
    #[must_use]
    pub fn key(&self, step: &Step) -> StepKey {
        StepKey {
            scenario: self.name.to_string(),
            step: step.name.to_string(),
        }
    }
}

/// One step of a scenario.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in its scenario.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: SourceRef,
    /// What is done.
    pub action: Action,
    /// Request headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// What must hold of the answer; at least one line.
    pub expect: Vec<Expectation>,
    /// What is kept of the answer.
    pub capture: Vec<Capture>,
    /// Asking again until something holds.
    pub retry: Option<Retry>,
    /// Pause after the step: at least, at most.
    pub think: Option<(Duration, Duration)>,
    /// Longest time for the whole step.
    pub timeout: Duration,
    /// Targets of its own.
    pub targets: Targets,
    /// Whether it changes the stack's state.
    pub writes: bool,
}

impl Step {
    /// Every template that is filled in when the step runs.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        let mut found: Vec<&Template> = self.headers.iter().map(|(_, t)| t).collect();
        match &self.action {
            Action::Http(request) | Action::Sse { request, .. } => {
                found.push(&request.url);
                found.extend(request.body.templates());
            }
            Action::WebSocket { url, send, .. } => {
                found.push(url);
                found.extend(send.iter().flat_map(Body::templates));
            }
        }
        found
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// One request, one answer.
    Http(Request),
    /// A stream of server-sent events.
    Sse {
        /// The request.
        request: Request,
        /// The event that ends the wait; without it, the end of the stream.
        until: Option<Expectation>,
        /// What an event has to be for a token; without it, not empty.
        token: Option<Expectation>,
    },
    /// A WebSocket.
    WebSocket {
        /// Address; `http` and `https` stand for `ws` and `wss`.
        url: Template,
        /// Messages that are sent once it is open.
        send: Vec<Body>,
        /// The message that ends the wait; without it, the first one.
        until: Option<Expectation>,
        /// What an event has to be for a token; without it, not empty.
        token: Option<Expectation>,
    },
}

impl Action {
    /// Whether it answers piece by piece.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Sse { .. } | Self::WebSocket { .. } => true,
        }
    }
}

/// An HTTP request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Template,
    /// The same, as far as it is known before the run.
    pub destination: Destination,
    /// The body.
    pub body: Body,
    /// Most redirects that are followed, one after the other; with none, a redirect is the answer.
    pub redirects: u8,
}

/// What is sent.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document; variables are escaped.
    Json(Vec<JsonPart>),
    /// Text as it is.
    Text(Template),
}

impl Body {
    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Empty => Vec::new(),
            Self::Text(template) => vec![template],
            Self::Json(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    JsonPart::Inside(template) => Some(template),
                    JsonPart::Raw(_) => None,
                })
                .collect(),
        }
    }
}

/// A piece of a JSON document.
#[derive(Debug, Clone)]
pub enum JsonPart {
    /// Text of the document.
    Raw(String),
    /// The inside of a string, escaped when filled in.
    Inside(Template),
}

/// Asking again until something holds.
#[derive(Debug, Clone)]
pub struct Retry {
    /// What must hold of the last answer.
    pub until: Expectation,
    /// Pause between two requests.
    pub every: Duration,
    /// Longest time in all.
    pub within: Duration,
}
