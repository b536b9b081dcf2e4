//! Counts what users saw: one set of histograms per step and phase, emptied into a window about once a second.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{ErrorKind, Latency, Phase, StepKey, StepWindow, Window};

/// How many failures of one kind at one step are told in full.
const FULL_FAILURES: u32 = 3;

/// What is known of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// From due to sent.
    pub(super) delay: Duration,
    /// From due to the last byte.
    pub(super) response: Duration,
    /// From sent to the last byte.
    pub(super) service: Duration,
    /// From due to the first token.
    pub(super) first_token: Option<Duration>,
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// Nothing for a success.
    pub(super) kind: Option<ErrorKind>,
}

#[derive(Debug, Default)]
struct Cell {
    ok: Latency,
    failed: Latency,
    service: Latency,
    first_token: Latency,
    errors: BTreeMap<ErrorKind, u64>,
    bytes: u64,
}

impl Cell {
    fn is_empty(&self) -> bool {
        self.ok.is_empty() && self.errors.is_empty()
    }
}

#[derive(Debug, Default)]
struct Part {
    delay: Latency,
    cells: Vec<Cell>,
    /// Journeys that arrived, and those among them that could not begin.
    arrived: u64,
    dropped: u64,
}

/// Counts the requests of all users. Its memory depends on the number of steps, not of requests.
#[derive(Debug)]
pub(super) struct Recorder {
    steps: Vec<StepKey>,
    warm_up: Part,
    hold: Part,
    told: BTreeMap<(usize, ErrorKind), u32>,
    /// Users at work.
    pub(super) users: u32,
}

impl Recorder {
    pub(super) fn new(steps: Vec<StepKey>) -> Self {
        let part = || Part {
            arrived: 0,
            dropped: 0,
            delay: Latency::new(),
            cells: std::iter::repeat_with(Cell::default)
                .take(steps.len())
                .collect(),
        };
        Self {
            warm_up: part(),
            hold: part(),
            steps,
            told: BTreeMap::new(),
            users: 0,
        }
    }

    fn part(&mut self, phase: Phase) -> &mut Part {
        match phase {
            Phase::WarmUp => &mut self.warm_up,
            Phase::Hold => &mut self.hold,
        }
    }

    /// Counts a request; tells whether its failure is one of the first of its kind.
    pub(super) fn record(&mut self, step: usize, phase: Phase, sample: &Sample) -> bool {
        let part = self.part(phase);
        part.delay.record(sample.delay);
        let Some(cell) = part.cells.get_mut(step) else {
            return false;
        };
        cell.bytes += sample.bytes;
        if let Some(first) = sample.first_token {
            cell.first_token.record(first);
        }
        match sample.kind {
            None => cell.ok.record(sample.response),
            Some(kind) => {
                *cell.errors.entry(kind).or_insert(0) += 1;
                if kind.answered() {
                    cell.failed.record(sample.response);
                }
            }
        }
        if sample.kind.is_none_or(ErrorKind::answered) {
            cell.service.record(sample.service);
        }
        let Some(kind) = sample.kind else {
            return false;
        };
        let told = self.told.entry((step, kind)).or_insert(0);
        *told += 1;
        *told <= FULL_FAILURES
    }

    /// Counts a request that has no answer and no times.
    pub(super) fn unanswered(&mut self, step: usize, phase: Phase, kind: ErrorKind) {
        if let Some(cell) = self.part(phase).cells.get_mut(step) {
            *cell.errors.entry(kind).or_insert(0) += 1;
        }
    }

    /// Counts a journey that arrived; `begun` says whether there was a user for it.
    pub(super) fn arrival(&mut self, phase: Phase, begun: bool) {
        let part = self.part(phase);
        part.arrived += 1;
        part.dropped += u64::from(!begun);
    }

    /// Counts a journey as dropped that had begun to wait, and sent nothing.
    pub(super) fn dropped_late(&mut self, phase: Phase) {
        self.part(phase).dropped += 1;
    }

    /// Empties one phase into a window; nothing if nothing happened in it.
    pub(super) fn drain(&mut self, phase: Phase, from_us: u64, to_us: u64) -> Option<Window> {
        let users = self.users;
        let names = std::mem::take(&mut self.steps);
        let part = self.part(phase);
        let steps: Vec<_> = part
            .cells
            .iter_mut()
            .zip(&names)
            .filter(|(cell, _)| !cell.is_empty())
            .map(|(cell, step)| {
                let cell = std::mem::take(cell);
                StepWindow {
                    step: step.clone(),
                    ok: cell.ok,
                    failed: cell.failed,
                    service: cell.service,
                    first_token: cell.first_token,
                    errors: cell.errors,
                    bytes: cell.bytes,
                }
            })
            .collect();
        let delay = std::mem::take(&mut part.delay);
        let (arrived, dropped) = (
            std::mem::take(&mut part.arrived),
            std::mem::take(&mut part.dropped),
        );
        self.steps = names;
        (!steps.is_empty() || arrived > 0 || dropped > 0).then_some(Window {
            phase,
            from_us,
            to_us,
            users,
            arrived,
            dropped,
            delay,
            steps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ms: u64, kind: Option<ErrorKind>) -> Sample {
        let time = Duration::from_millis(ms);
        Sample {
            delay: Duration::ZERO,
            response: time,
            service: time,
            first_token: None,
            bytes: 10,
            kind,
        }
    }

    #[test]
    fn everything_counted_comes_out_once() {
        let step = StepKey {
            scenario: "s".into(),
            step: "a".into(),
        };
        let mut recorder = Recorder::new(vec![step]);
        recorder.record(0, Phase::Hold, &sample(5, None));
        recorder.record(0, Phase::Hold, &sample(7, Some(ErrorKind::Expectation)));
        recorder.record(0, Phase::Hold, &sample(9, Some(ErrorKind::Reset)));
        recorder.unanswered(0, Phase::Hold, ErrorKind::CutOff);
        let window = recorder.drain(Phase::Hold, 0, 1).unwrap();
        let cell = &window.steps[0];
        assert_eq!(
            (cell.ok.count(), cell.failed.count(), cell.service.count()),
            (1, 1, 2)
        );
        assert_eq!(cell.errors.values().sum::<u64>(), 3);
        assert_eq!(cell.bytes, 30);
        assert!(recorder.drain(Phase::Hold, 1, 2).is_none());
        assert!(recorder.drain(Phase::WarmUp, 1, 2).is_none());
    }

    #[test]
    fn only_the_first_failures_of_a_kind_are_told() {
        let step = StepKey {
            scenario: "s".into(),
            step: "a".into(),
        };
        let mut recorder = Recorder::new(vec![step]);
        let told = (0..10)
            .filter(|_| recorder.record(0, Phase::Hold, &sample(1, Some(ErrorKind::Reset))))
            .count();
        assert_eq!(told, 3);
        assert!(recorder.record(0, Phase::Hold, &sample(1, Some(ErrorKind::Timeout))));
    }
}
