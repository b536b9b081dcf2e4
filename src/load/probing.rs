//! The probes that go on asking while load runs, on a thread of their own: their work must not delay requests.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::Field;
use super::course::State;
use crate::event::{Moment, ProbeState};
use crate::probe::{self, Probe};

/// Asks every probe on a clock until `until`, or as long as the load goes on, or until it is cut off; the receiver hears when all have ended.
pub(super) fn start(
    field: &Arc<Field>,
    until: Option<Instant>,
) -> Result<oneshot::Receiver<()>, std::io::Error> {
    let (ended, end) = oneshot::channel();
    let field = Arc::clone(field);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || {
            let session = &field.session;
            let field = &field;
            runtime.block_on(async {
                let asking = pin!(join_all(
                    probe::under_load(session).map(|p| keep_asking(field, p, until))
                ));
                field
                    .course
                    .listen()
                    .unless(&field.course, State::Cut, asking)
                    .await
            });
            // Whoever waited may have been stopped meanwhile.
            let _ = ended.send(());
        })?;
    Ok(end)
}

/// Asks one system again and again; a slow answer delays the next question, and never doubles it.
async fn keep_asking(field: &Field, probe: Probe<'_>, until: Option<Instant>) {
    let session = &field.session;
    let every = session.environment.load.probe_every;
    let mut next = Instant::now();
    while until.is_none_or(|until| next < until) && field.course.state() == State::Run {
        tokio::time::sleep_until(next.into()).await;
        let state = probe.ask(session, Moment::During).await;
        if state > ProbeState::AtRisk {
            field.sick(probe.name(), state);
        }
        next = (next + every).max(Instant::now());
    }
}
