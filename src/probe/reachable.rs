//! Asks the base address for anything at all: a name that resolves, a port that listens, TLS that holds, an HTTP answer.

use std::time::Duration;

use super::Finding;
use super::http::get;
use crate::event::ProbeState;
use crate::journey::Session;
use crate::units::show_duration;

pub(super) async fn ask(session: &Session, timeout: Duration) -> Finding {
    let url = format!("{}/", session.environment.url);
    match get(session, &url, timeout).await {
        // Whatever it answers, it is there; whether the answer is any good is for services and smoke to say.
        Ok(exchange) => Finding::new(
            ProbeState::Healthy,
            format!(
                "{url} answers {} in {}",
                exchange.status,
                show_duration(exchange.timings.end)
            ),
        ),
        Err(finding) => Finding::new(finding.state, format!("{url}: {}", finding.seen)),
    }
}
