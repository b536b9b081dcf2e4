//! Asks a system by one GET; it works when every expectation holds.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;

use super::Finding;
use crate::event::ProbeState;
use crate::journey::Session;
use crate::plan::Address;
use crate::plan::expectation::{Expectation, Reply};
use crate::transport::{Client, Exchange, Limits};
use crate::units::show_duration;

pub(super) async fn ask(
    session: &Session,
    url: &str,
    expect: &[Expectation],
    timeout: Duration,
) -> Finding {
    match get(session, url, timeout).await {
        Ok(exchange) => judge(&exchange, expect),
        Err(finding) => finding,
    }
}

/// One GET on a connection of its own: a kept one could hide that new ones are refused.
pub(super) async fn get(
    session: &Session,
    url: &str,
    timeout: Duration,
) -> Result<Exchange, Finding> {
    let address =
        Address::parse(url).map_err(|e| Finding::new(ProbeState::NotAsked, e.to_string()))?;
    let mut client = Client::new(session.connector.clone());
    let request = http::Request::new(Full::new(Bytes::new()));
    client
        .send(&address, request, Limits::within(timeout))
        .await
        .map_err(|e| Finding::of_error(&e))
}

/// Holds an answer against the expectations.
pub(super) fn judge(exchange: &Exchange, expect: &[Expectation]) -> Finding {
    let reply = Reply::new(
        Some(exchange.status),
        Some(&exchange.headers),
        &exchange.body,
        exchange.timings,
    );
    for expectation in expect {
        let verdict = expectation.check(&reply);
        if !verdict.held {
            return Finding::new(
                ProbeState::NotFunctional,
                format!(
                    "answers {}, but expected `{}`, saw {}",
                    exchange.status, expectation.text, verdict.seen
                ),
            );
        }
    }
    Finding::new(
        ProbeState::Healthy,
        format!(
            "answers {} in {}",
            exchange.status,
            show_duration(exchange.timings.end)
        ),
    )
}
