//! One exchange of a step: its action filled in, sent, and answered, whatever the protocol.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use http_body_util::Full;

use super::VirtualUser;
use super::step::{Detail, Problem, StepResult};
use crate::event::Timings;
use crate::plan::expectation::{Expectation, Headers, Reply};
use crate::plan::{Action, Address, Body, Destination, Request, Step, Template};
use crate::transport::{
    Exchange, Limits, Listening, OFFERED, OfEvent, Redirects, TransportError, Until,
};

/// An answer of any protocol.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    pub(super) events: u64,
    pub(super) last_event: Option<String>,
    pub(super) bytes: u64,
    pub(super) timings: Timings,
    pub(super) gaps: Vec<Duration>,
}

impl Answer {
    /// As expectations read it.
    pub(super) fn reply(&self) -> Reply<'_> {
        let mut reply = Reply::new(
            Some(self.status),
            Some(&self.headers),
            &self.body,
            self.timings,
        );
        reply.events = self.events;
        reply.last_event = self.last_event.as_deref();
        reply
    }
}

/// Does what the step says; `result` is told what was asked, and how far it came when it fails.
pub(super) async fn exchange(
    user: &mut VirtualUser,
    step: &Step,
    detail: Detail,
    result: &mut StepResult,
) -> Result<Answer, Problem> {
    // Streams and sockets are boxed: their state would make that of every virtual user larger.
    match &step.action {
        Action::Http(request) => ask(user, step, request, detail, result).await,
        Action::Sse {
            request,
            until,
            token,
        } => {
            let until = until.as_ref().map(holds_of);
            let token = token.as_ref().map(holds_of);
            let listening = Listening {
                until: until.as_ref().map_or(Until::End, |u| Until::Event(u)),
                token: token.as_ref().map(|t| t as OfEvent<'_>),
            };
            Box::pin(stream(user, step, request, listening, detail, result)).await
        }
        Action::WebSocket {
            url,
            send,
            until,
            token,
        } => {
            let until = until.as_ref().map(holds_of);
            let token = token.as_ref().map(holds_of);
            let listening = Listening {
                until: Until::Event(until.as_ref().map_or(&|_, _| true, |u| u as OfEvent<'_>)),
                token: token.as_ref().map(|t| t as OfEvent<'_>),
            };
            Box::pin(converse(user, step, (url, send), listening, detail, result)).await
        }
    }
}

async fn ask(
    user: &mut VirtualUser,
    step: &Step,
    request: &Request,
    detail: Detail,
    result: &mut StepResult,
) -> Result<Answer, Problem> {
    let most = request.redirects;
    let (address, mut request) = user.request(step, request)?;
    // Not for streams, whose pieces would be held back until there are enough of them.
    let headers = request.headers_mut();
    headers.entry(header::ACCEPT_ENCODING).or_insert(OFFERED);
    result.asks(detail, || format!("{} {address}", request.method()));
    let limits = Limits::within(step.timeout);
    let sending = if most == 0 {
        user.client.send(&address, request, limits).await
    } else {
        Box::pin(follow(user, &address, request, limits, most)).await
    };
    let exchange = sending.map_err(|e| failed(e, result))?;
    Ok(Answer {
        status: exchange.status,
        headers: exchange.headers,
        bytes: exchange.bytes,
        body: exchange.body,
        events: 0,
        last_event: None,
        timings: exchange.timings,
        gaps: Vec::new(),
    })
}

/// Sends a request wherever it is sent on to.
async fn follow(
    user: &mut VirtualUser,
    address: &Address,
    request: http::Request<Full<Bytes>>,
    limits: Limits,
    most: u8,
) -> Result<Exchange, TransportError> {
    let (client, secrets) = user.client_and_secrets();
    let redirects = Redirects {
        most,
        is_secret: &|text| secrets.are_in(text),
    };
    client
        .send_and(address, request, limits, Some(&redirects))
        .await
}

async fn stream(
    user: &mut VirtualUser,
    step: &Step,
    request: &Request,
    listening: Listening<'_>,
    detail: Detail,
    result: &mut StepResult,
) -> Result<Answer, Problem> {
    let most = request.redirects;
    let (address, request) = user.request(step, request)?;
    result.asks(detail, || format!("{} {address}", request.method()));
    let (client, secrets) = user.client_and_secrets();
    let redirects = Redirects {
        most,
        is_secret: &|text| secrets.are_in(text),
    };
    let redirects = (most > 0).then_some(&redirects);
    let limits = Limits::within(step.timeout);
    let streamed = client
        .stream(&address, request, limits, listening, redirects)
        .await
        .map_err(|e| failed(e, result))?;
    Ok(Answer {
        status: streamed.status,
        headers: streamed.headers,
        body: streamed.body.into(),
        events: streamed.events,
        last_event: streamed.last_event,
        bytes: streamed.bytes,
        timings: streamed.timings,
        gaps: streamed.gaps,
    })
}

async fn converse(
    user: &mut VirtualUser,
    step: &Step,
    (url, send): (&Template, &[Body]),
    listening: Listening<'_>,
    detail: Detail,
    result: &mut StepResult,
) -> Result<Answer, Problem> {
    let url = user.address(&Destination::Open(url.clone()))?;
    result.asks(detail, || format!("WebSocket {url}"));
    let headers = user.headers(step)?;
    let messages = send
        .iter()
        .map(|message| user.body(message).map(|(text, _)| text))
        .collect::<Result<_, _>>()?;
    let limits = Limits::within(step.timeout);
    let conversed = user
        .client
        .converse(&url, headers, messages, limits, listening)
        .await
        .map_err(|e| failed(e, result))?;
    Ok(Answer {
        status: conversed.status,
        headers: conversed.headers,
        body: conversed.body.into(),
        events: conversed.events,
        last_event: None,
        bytes: conversed.bytes,
        timings: conversed.timings,
        gaps: conversed.gaps,
    })
}

fn failed(error: TransportError, result: &mut StepResult) -> Problem {
    result.status = error.status;
    result.timings = error.timings;
    result.gaps = error.gaps.into_vec();
    Problem::new(error.kind, error.message)
}

/// Asks an `until`, or a `token`, of one event or message.
fn holds_of(expectation: &Expectation) -> impl Fn(&str, &str) -> bool + Sync {
    |name, data| {
        let clocks = Timings {
            end: Duration::ZERO,
            ..Timings::default()
        };
        let mut reply = Reply::new(None, None, data.as_bytes(), clocks);
        reply.last_event = Some(name);
        expectation.holds(&reply)
    }
}
