//! Adds up what the load stage told: per step the merged histograms, error counts and the course over time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judge::nearest_rank;
use super::statistics::percentile_ranks;
use crate::event::{ErrorKind, Latency, Phase, ProbeState, StepKey, StepWindow, Window};

/// Everything measured about one step while the judged phase ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepAccount {
    /// The step.
    pub step: StepKey,
    /// Response times of successes, from the scheduled instant.
    pub ok: Latency,
    /// Response times of answers that failed an expectation.
    pub failed: Latency,
    /// Times from the sent instant (uncorrected).
    pub service: Latency,
    /// First tokens, for streams.
    pub first_token: Latency,
    /// Failures by kind.
    pub errors: Vec<ErrorCount>,
    /// Bytes of response bodies.
    pub bytes: u64,
    /// One point per window, warm-up included.
    pub series: Vec<Point>,
}

/// How often one kind of failure occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The kind.
    pub kind: ErrorKind,
    /// How often.
    pub count: u64,
}

/// One window of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Middle of the window, microseconds since the run began.
    pub at_us: u64,
    /// Whether the window is judged.
    pub phase: Phase,
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

/// One answer of one probe, placed in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbePoint {
    /// The probe.
    pub probe: String,
    /// When, microseconds since the run began.
    pub at_us: u64,
    /// What it found.
    pub state: ProbeState,
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
            ok: Latency::new(),
            failed: Latency::new(),
            service: Latency::new(),
            first_token: Latency::new(),
            errors: Vec::new(),
            bytes: 0,
            series: Vec::new(),
        }
    }

    /// Adds one window. Only the judged phase enters the histograms; the course over time shows all.
    pub(super) fn absorb(&mut self, window: &Window, step: &StepWindow) {
        let answered = merged(&step.ok, &step.failed);
        let errors: u64 = step.errors.values().sum();
        self.series.push(Point {
            at_us: u64::midpoint(window.from_us, window.to_us),
            phase: window.phase,
            n: step.ok.count() + errors,
            errors,
            p50_us: answered.quantile(0.5).map(as_us),
            p95_us: answered.quantile(0.95).map(as_us),
            max_us: answered.max().map(as_us),
        });
        if window.phase != Phase::Hold {
            return;
        }
        self.ok.merge(&step.ok);
        self.failed.merge(&step.failed);
        self.service.merge(&step.service);
        self.first_token.merge(&step.first_token);
        self.bytes += step.bytes;
        let mut errors: BTreeMap<_, _> = self.errors.iter().map(|e| (e.kind, e.count)).collect();
        for (kind, count) in &step.errors {
            *errors.entry(*kind).or_insert(0) += count;
        }
        self.errors = errors
            .into_iter()
            .map(|(kind, count)| ErrorCount { kind, count })
            .collect();
    }

    /// Adds the same step's account of another process.
    pub(super) fn merge(&mut self, other: Self) {
        self.ok.merge(&other.ok);
        self.failed.merge(&other.failed);
        self.service.merge(&other.service);
        self.first_token.merge(&other.first_token);
        self.bytes += other.bytes;
        for error in other.errors {
            match self.errors.iter_mut().find(|e| e.kind == error.kind) {
                Some(own) => own.count += error.count,
                None => self.errors.push(error),
            }
        }
        self.series.extend(other.series);
        self.series.sort_by_key(|p| p.at_us);
    }

    /// Requests that failed in any way.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.errors.iter().map(|e| e.count).sum()
    }

    /// Requests without an answer: neither a success nor an answer that failed an expectation.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.errors
            .iter()
            .filter(|e| !e.kind.answered())
            .map(|e| e.count)
            .sum()
    }

    /// All requests that were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ok.count() + self.failures()
    }

    /// Response times of everything that was answered.
    #[must_use]
    pub fn answered(&self) -> Latency {
        merged(&self.ok, &self.failed)
    }
}

fn merged(a: &Latency, b: &Latency) -> Latency {
    let mut both = a.clone();
    both.merge(b);
    both
}
