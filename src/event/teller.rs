//! The one way in which a stage speaks: it tells events, and never learns who listens.

use std::sync::mpsc::Sender;
use std::time::Instant;

use super::{Event, Record};

/// Stamps events with the time since the run began and passes them on.
#[derive(Debug, Clone)]
pub struct Teller {
    began: Instant,
    listener: Sender<Record>,
}

impl Teller {
    /// Counts time from now.
    #[must_use]
    pub fn new(listener: Sender<Record>) -> Self {
        Self {
            began: Instant::now(),
            listener,
        }
    }

    /// Tells what happened just now.
    pub fn tell(&self, event: Event) {
        // A listener that is gone has already ended the run; nobody is left to tell.
        let _ = self.listener.send(Record {
            at_us: self.micros(Instant::now()),
            event,
        });
    }

    /// An instant as microseconds since the run began.
    #[must_use]
    pub fn micros(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}
