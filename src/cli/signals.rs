//! Ctrl-C and SIGTERM: the first asks the run to end and write its reports, the second ends at once.

use std::process;

use tokio::signal::unix::{SignalKind, signal};

use crate::stop::{Signal, Stop};

/// Listens for signals from now on.
///
/// # Errors
/// When the system refuses to tell of them.
pub(super) fn listen(stop: &Stop) -> Result<(), String> {
    // The `ctrlc` crate allows one handler per process, and goose installs its own unless there is one already:
    // taking it first keeps the meaning of Ctrl-C here.
    let on_interrupt = stop.clone();
    ctrlc::set_handler(move || again_or(&on_interrupt, Signal::Interrupt))
        .map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        while terminate.recv().await.is_some() {
            again_or(&stop, Signal::Terminate);
        }
    });
    Ok(())
}

#[expect(
    clippy::exit,
    reason = "a second signal is an order to end now, and the journal is on disk already"
)]
fn again_or(stop: &Stop, signal: Signal) {
    if stop.requested().is_some() {
        process::exit(match signal {
            Signal::Terminate => 143,
            Signal::Interrupt | Signal::JournalLost => 130,
        });
    }
    super::show::note("stopping; reports will be written (once more to end at once)");
    stop.request(signal);
}
