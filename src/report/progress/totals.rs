//! Requests that are shown in one line: how many, how fast, how they were spread.

use crate::event::{Latency, Window};
use crate::units::{show_duration, show_percent};

/// What some time of load came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    /// Response times of everything that was answered.
    pub(super) answered: Latency,
    pub(super) requests: u64,
    pub(super) errors: u64,
    /// The time that it is about, microseconds.
    pub(super) over_us: u64,
}

impl Totals {
    /// Takes in what a window counted; several of them may be about the same time.
    pub(super) fn add(&mut self, window: &Window) {
        for step in &window.steps {
            self.answered.merge(&step.tally.answered());
            self.requests += step.tally.count();
            self.errors += step.tally.failures();
        }
    }

    /// Requests per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and microseconds stay far below 2^53"
    )]
    pub(super) fn rate(&self) -> f64 {
        self.requests as f64 * 1e6 / self.over_us.max(1) as f64
    }

    /// A percentile, or a dash when nothing was answered.
    pub(super) fn quantile(&self, q: f64) -> String {
        let value = self.answered.quantile(q);
        value.map_or_else(|| "–".to_owned(), show_duration)
    }

    /// The share that failed, or a dash when nothing was asked.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn failed(&self) -> String {
        if self.requests == 0 {
            return "–".to_owned();
        }
        show_percent(self.errors as f64 / self.requests as f64)
    }
}
