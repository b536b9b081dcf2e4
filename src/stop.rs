//! How a run is told to end early: one signal, seen by every stage at its next await.

use std::sync::Arc;

use tokio::sync::watch;

/// A request to end, and who made it. Cloned freely; all clones see the same.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: Arc<watch::Sender<Option<Signal>>>,
}

/// Why a run is to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite request to end, as CI sends on a time-out.
    Terminate,
    /// The run's own journal can't be written, so going on would be for nothing.
    JournalLost,
}

impl Signal {
    /// The signal's usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::JournalLost => "the loss of its journal",
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Stop {
    /// Asks everyone to end; the first signal stays.
    pub fn request(&self, signal: Signal) {
        self.sender.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(signal);
            first
        });
    }

    /// The signal, if there was one.
    #[must_use]
    pub fn requested(&self) -> Option<Signal> {
        *self.sender.borrow()
    }

    /// Waits for a signal.
    pub async fn wait(&self) -> Signal {
        let mut receiver = self.sender.subscribe();
        loop {
            if let Some(signal) = *receiver.borrow_and_update() {
                return signal;
            }
            if receiver.changed().await.is_err() {
                // The sender lives in `self`, so this can't be; wait rather than end a run by mistake.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Runs a future to its end, or drops it at a signal.
    ///
    /// # Errors
    /// The signal.
    pub async fn unless<T>(&self, future: impl Future<Output = T>) -> Result<T, Signal> {
        tokio::select! {
            biased;
            signal = self.wait() => Err(signal),
            value = future => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_stays_and_reaches_all() {
        let stop = Stop::default();
        let other = stop.clone();
        assert_eq!(stop.unless(async { 5 }).await, Ok(5));
        other.request(Signal::Terminate);
        other.request(Signal::Interrupt);
        assert_eq!(stop.requested(), Some(Signal::Terminate));
        assert_eq!(
            stop.unless(std::future::pending::<()>()).await,
            Err(Signal::Terminate)
        );
    }
}
