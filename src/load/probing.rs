//! What goes on beside a load, on threads of its own, since its work must not delay requests: the probes that go on
//! asking, the reading of resource use.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::Field;
use super::course::State;
use crate::event::{Moment, ProbeState};
use crate::probe::{self, Probe};
use crate::resources::Watch;

/// Hears when what goes on beside a load has ended.
pub(super) type End = Result<oneshot::Receiver<()>, std::io::Error>;

/// Asks every probe on a clock until `until`, or as long as the load goes on, or until it is cut off.
pub(super) fn start(field: &Arc<Field>, until: Option<Instant>) -> End {
    beside(field, "probes", async move |field| {
        let probes = probe::under_load(&field.session);
        join_all(probes.map(|p| keep_asking(field, p, until))).await;
    })
}

/// Reads resource use as long as the load goes on, warm-up included, and looks at the containers once more when it is
/// over; nothing if the environment does not say where.
pub(super) fn watch_resources(field: &Arc<Field>) -> Option<End> {
    field.session.environment.resources.as_ref()?;
    Some(beside(field, "resources", async |field| {
        let Some(mut watch) = Watch::of(&field.session) else {
            return;
        };
        let course = &field.course;
        {
            let reading = pin!(watch.read());
            let hear = course.listen();
            hear.unless(course, State::WindDown, reading).await;
        }
        watch.last().await;
    }))
}

/// Does something on a thread of its own until it is done, or until the load is cut off.
fn beside(field: &Arc<Field>, name: &str, work: impl AsyncFnOnce(&Field) + Send + 'static) -> End {
    let (ended, end) = oneshot::channel();
    let field = Arc::clone(field);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let course = &field.course;
            runtime.block_on(async {
                let work = pin!(work(&field));
                course.listen().unless(course, State::Cut, work).await
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
