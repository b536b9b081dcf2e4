//! Adds up what the load stage told about one step: merged histograms, error counts, the course over time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decision::judge::nearest_rank;
use crate::decision::statistics::percentile_ranks;
use crate::event::{Figures, Latency, PhaseIndex, StepKey, Tally, Window};

/// Everything measured about one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepAccount {
    /// The step.
    pub step: StepKey,
    /// All judged phases together.
    pub total: Tally,
    /// Each phase by itself.
    pub phases: BTreeMap<PhaseIndex, Tally>,
    /// One point per window, in all phases.
    pub series: Vec<Point>,
}

/// One window of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Middle of the window, microseconds since the run began.
    pub at_us: u64,
    /// Its phase.
    pub phase: PhaseIndex,
    /// Requests that ended in it.
    pub n: u64,
    /// Those among them that failed.
    pub errors: u64,
    /// Median of the answered ones, microseconds.
    pub p50_us: Option<u64>,
    /// 95th percentile of the answered ones, microseconds.
    pub p95_us: Option<u64>,
    /// Slowest of the answered ones, microseconds.
    pub max_us: Option<u64>,
}

/// Percentiles of a latency, each in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyFigures {
    /// Median.
    pub p50_us: u64,
    /// 95th percentile.
    pub p95_us: u64,
    /// Upper 95 % confidence bound of the 95th percentile, where there are enough samples for one.
    pub p95_upper_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: u64,
    /// Largest value.
    pub max_us: u64,
}

impl LatencyFigures {
    /// The figures of a histogram; nothing when it is empty.
    #[must_use]
    pub fn of(latency: &Latency) -> Option<Self> {
        let at = |q: f64| latency.at_rank(nearest_rank(q, latency.count())).map(as_us);
        Some(Self {
            p50_us: at(0.5)?,
            p95_us: at(0.95)?,
            p95_upper_us: percentile_ranks(0.95, latency.count())
                .1
                .and_then(|r| latency.at_rank(r))
                .map(as_us),
            p99_us: at(0.99)?,
            max_us: latency.max().map(as_us)?,
        })
    }
}

fn as_us(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl StepAccount {
    /// An account without samples.
    #[must_use]
    pub fn new(step: StepKey) -> Self {
        Self {
            step,
            total: Tally::default(),
            phases: BTreeMap::new(),
            series: Vec::new(),
        }
    }

    /// Adds one window.
    pub(super) fn absorb(&mut self, window: &Window, figures: Figures, tally: &Tally) {
        let answered = tally.answered();
        self.series.push(Point {
            at_us: u64::midpoint(window.from_us, window.to_us),
            phase: window.phase,
            n: tally.count(),
            errors: tally.failures(),
            p50_us: answered.quantile(0.5).map(as_us),
            p95_us: answered.quantile(0.95).map(as_us),
            max_us: answered.max().map(as_us),
        });
        self.phases.entry(window.phase).or_default().merge(tally);
        if figures == Figures::Judged {
            self.total.merge(tally);
        }
    }

    /// Adds the same step's account of another process.
    pub(super) fn merge(&mut self, other: Self) {
        self.total.merge(&other.total);
        for (phase, tally) in &other.phases {
            self.phases.entry(*phase).or_default().merge(tally);
        }
        self.series.extend(other.series);
        self.series.sort_by_key(|p| p.at_us);
    }
}
