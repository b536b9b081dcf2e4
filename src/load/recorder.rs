//! Counts what users saw: one set of histograms per step and phase, emptied into a window about once a second.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{ErrorKind, Latency, PhaseIndex, StepKey, StepWindow, Tally, Window};

/// How many failures of one kind at one step are told in full.
const FULL_FAILURES: u32 = 3;

/// What is known of one request.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    /// From due to sent.
    pub(super) delay: Duration,
    /// From due to the last byte.
    pub(super) response: Duration,
    /// From sent to the last byte.
    pub(super) service: Duration,
    /// Status of the answer.
    pub(super) status: Option<u16>,
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// Nothing for a success.
    pub(super) kind: Option<ErrorKind>,
    /// For streams: from due to the first token, and how the others came.
    pub(super) stream: Option<Stream<'a>>,
}

/// How the tokens of one stream came.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    /// From due to the first one.
    pub(super) first_token: Option<Duration>,
    /// From one to the next.
    pub(super) gaps: &'a [Duration],
}

/// What happened in one phase and was not drained yet.
#[derive(Debug, Default)]
struct Part {
    delay: Latency,
    cells: Vec<Tally>,
    /// Requests of each step that have no end yet; counted only while a search waits for them.
    in_flight: Vec<u64>,
    /// Journeys that arrived, and those among them that could not begin.
    arrived: u64,
    dropped: u64,
}

impl Part {
    fn cell(&mut self, step: usize) -> &mut Tally {
        if self.cells.len() <= step {
            self.cells.resize_with(step + 1, Tally::default);
        }
        &mut self.cells[step]
    }
}

/// Counts the requests of all users. Its memory depends on the number of steps and phases, not of requests.
#[derive(Debug)]
pub(super) struct Recorder {
    steps: Vec<StepKey>,
    parts: Vec<Part>,
    told: BTreeMap<(usize, ErrorKind), u32>,
    /// Users at work.
    pub(super) users: u32,
    /// Whether a clock still lets journeys arrive.
    pub(super) arriving: bool,
    /// How much later than it should a short sleep ended.
    lag: Latency,
}

impl Recorder {
    pub(super) fn new(steps: Vec<StepKey>) -> Self {
        Self {
            steps,
            parts: Vec::new(),
            told: BTreeMap::new(),
            users: 0,
            arriving: false,
            lag: Latency::new(),
        }
    }

    /// All steps that are counted, in the order of the plan.
    pub(super) fn steps(&self) -> &[StepKey] {
        &self.steps
    }

    fn part(&mut self, phase: PhaseIndex) -> &mut Part {
        let place = phase.place();
        if self.parts.len() <= place {
            self.parts.resize_with(place + 1, Part::default);
        }
        &mut self.parts[place]
    }

    /// Counts a request; tells whether its failure is one of the first of its kind.
    pub(super) fn record(&mut self, step: usize, phase: PhaseIndex, sample: &Sample<'_>) -> bool {
        if step >= self.steps.len() {
            return false;
        }
        let part = self.part(phase);
        part.delay.record(sample.delay);
        let cell = part.cell(step);
        cell.bytes += sample.bytes;
        if let Some(status) = sample.status {
            *cell.statuses.entry(status).or_insert(0) += 1;
        }
        if let Some(stream) = &sample.stream {
            if let Some(first) = stream.first_token {
                cell.first_token.record(first);
            }
            for gap in stream.gaps {
                cell.gaps.record(*gap);
                cell.streaming += *gap;
            }
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
    pub(super) fn unanswered(&mut self, step: usize, phase: PhaseIndex, kind: ErrorKind) {
        if step < self.steps.len() {
            *self.part(phase).cell(step).errors.entry(kind).or_insert(0) += 1;
        }
    }

    /// Counts a request that begins, for whoever waits until all of a phase have ended.
    pub(super) fn sent(&mut self, step: usize, phase: PhaseIndex) {
        let in_flight = &mut self.part(phase).in_flight;
        if in_flight.len() <= step {
            in_flight.resize(step + 1, 0);
        }
        in_flight[step] += 1;
    }

    /// Counts a request that ended, however it did.
    pub(super) fn ended(&mut self, step: usize, phase: PhaseIndex) {
        if let Some(n) = self.part(phase).in_flight.get_mut(step) {
            *n = n.saturating_sub(1);
        }
    }

    /// The requests of a phase that have no end yet, by step.
    pub(super) fn in_flight(&mut self, phase: PhaseIndex) -> Vec<(StepKey, u64)> {
        let counts = self.part(phase).in_flight.clone();
        let named = self.steps.iter().cloned().zip(counts);
        named.filter(|(_, n)| *n > 0).collect()
    }

    /// Counts a journey that arrived; `begun` says whether there was a user for it.
    pub(super) fn arrival(&mut self, phase: PhaseIndex, begun: bool) {
        let part = self.part(phase);
        part.arrived += 1;
        part.dropped += u64::from(!begun);
    }

    /// Counts a journey as dropped that had begun to wait, and sent nothing.
    pub(super) fn dropped_late(&mut self, phase: PhaseIndex) {
        self.part(phase).dropped += 1;
    }

    /// Counts how much too late a sleep ended.
    pub(super) fn lagged(&mut self, by: Duration) {
        self.lag.record(by);
    }

    /// The lag since the last look.
    pub(super) fn take_lag(&mut self) -> Latency {
        std::mem::take(&mut self.lag)
    }

    /// Empties the first `begun` phases into windows, one for each in which something happened. What belongs to a
    /// phase of which nobody has been told yet waits for the next time.
    pub(super) fn drain(&mut self, begun: usize, from_us: u64, to_us: u64) -> Vec<Window> {
        let Self {
            steps,
            parts,
            users,
            ..
        } = self;
        let numbered = (0..).map(PhaseIndex).zip(parts).take(begun);
        numbered
            .filter_map(|(phase, part)| {
                let cells = part.cells.iter_mut().zip(&*steps);
                let steps: Vec<_> = cells
                    .filter(|(tally, _)| !tally.is_empty())
                    .map(|(tally, step)| StepWindow {
                        step: step.clone(),
                        tally: std::mem::take(tally),
                    })
                    .collect();
                let (arrived, dropped) = (
                    std::mem::take(&mut part.arrived),
                    std::mem::take(&mut part.dropped),
                );
                (!steps.is_empty() || arrived > 0 || dropped > 0).then(|| Window {
                    phase,
                    from_us,
                    to_us,
                    users: *users,
                    arrived,
                    dropped,
                    delay: std::mem::take(&mut part.delay),
                    steps,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: PhaseIndex = PhaseIndex(1);

    fn sample(ms: u64, kind: Option<ErrorKind>) -> Sample<'static> {
        let time = Duration::from_millis(ms);
        Sample {
            delay: Duration::ZERO,
            response: time,
            service: time,
            status: Some(200),
            bytes: 10,
            kind,
            stream: Some(Stream {
                first_token: Some(time),
                gaps: const { &[Duration::from_millis(3); 2] },
            }),
        }
    }

    #[test]
    fn everything_counted_comes_out_once() {
        let step = StepKey {
            scenario: "s".into(),
            step: "a".into(),
        };
        let mut recorder = Recorder::new(vec![step]);
        recorder.record(0, HOLD, &sample(5, None));
        recorder.record(0, HOLD, &sample(7, Some(ErrorKind::Expectation)));
        recorder.record(0, HOLD, &sample(9, Some(ErrorKind::Reset)));
        recorder.unanswered(0, HOLD, ErrorKind::CutOff);
        let windows = recorder.drain(2, 0, 1);
        assert_eq!((windows.len(), windows[0].phase), (1, HOLD));
        let cell = &windows[0].steps[0].tally;
        assert_eq!(
            (cell.ok.count(), cell.failed.count(), cell.service.count()),
            (1, 1, 2)
        );
        assert_eq!(cell.errors.values().sum::<u64>(), 3);
        assert_eq!(cell.bytes, 30);
        assert_eq!((cell.gaps.count(), cell.first_token.count()), (6, 3));
        assert_eq!(cell.streaming, Duration::from_millis(18));
        assert_eq!(cell.statuses, BTreeMap::from([(200, 3)]));
        assert!(recorder.drain(2, 1, 2).is_empty());
    }

    #[test]
    fn a_phase_that_nobody_was_told_of_waits() {
        let mut recorder = Recorder::new(Vec::new());
        recorder.arrival(HOLD, true);
        assert!(recorder.drain(1, 0, 1).is_empty());
        assert_eq!(recorder.drain(2, 1, 2)[0].arrived, 1);
    }

    #[test]
    fn what_is_under_way_is_known_by_phase() {
        let step = StepKey {
            scenario: "s".into(),
            step: "a".into(),
        };
        let mut recorder = Recorder::new(vec![step.clone()]);
        recorder.sent(0, HOLD);
        recorder.sent(0, HOLD);
        recorder.ended(0, HOLD);
        assert_eq!(recorder.in_flight(HOLD), [(step, 1)]);
        assert!(recorder.in_flight(PhaseIndex(0)).is_empty());
        recorder.ended(0, HOLD);
        recorder.ended(0, HOLD);
        assert!(recorder.in_flight(HOLD).is_empty(), "never below nothing");
    }

    #[test]
    fn only_the_first_failures_of_a_kind_are_told() {
        let step = StepKey {
            scenario: "s".into(),
            step: "a".into(),
        };
        let mut recorder = Recorder::new(vec![step]);
        let told = (0..10)
            .filter(|_| recorder.record(0, HOLD, &sample(1, Some(ErrorKind::Reset))))
            .count();
        assert_eq!(told, 3);
        assert!(recorder.record(0, HOLD, &sample(1, Some(ErrorKind::Timeout))));
    }
}
