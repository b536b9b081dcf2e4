//! Watches for figures so bad that a load is ended before its time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::decision::{Outcome, Sample, judge_errors, judge_latency};
use crate::event::{Clock, Decide, StepKey, Tally, Window};
use crate::plan::{Abort, AbortLimit, AbortRule};

/// The windows of the last while, and the rules that are asked of them.
pub(super) struct Watch {
    rules: Vec<AbortRule>,
    after: Duration,
    over: Duration,
    began_us: Option<u64>,
    windows: VecDeque<Window>,
}

impl Watch {
    pub(super) fn new(abort: Abort) -> Self {
        Self {
            rules: abort.rules(),
            after: abort.after,
            over: abort.over,
            began_us: None,
            windows: VecDeque::new(),
        }
    }

    /// Takes in what the last second brought; the rule that is broken and by what, if one is beyond doubt.
    pub(super) fn look(&mut self, windows: &[Window]) -> Option<(String, String)> {
        let now = windows.iter().map(|w| w.to_us).max()?;
        let began = *self
            .began_us
            .get_or_insert_with(|| windows.iter().map(|w| w.from_us).min().unwrap_or(now));
        self.windows.extend(windows.iter().cloned());
        let oldest = now.saturating_sub(micros(self.over));
        self.windows.retain(|w| w.from_us >= oldest);
        if now.saturating_sub(began) < micros(self.after) {
            return None;
        }
        let mut steps: BTreeMap<&StepKey, Tally> = BTreeMap::new();
        for step in self.windows.iter().flat_map(|w| &w.steps) {
            steps.entry(&step.step).or_default().merge(&step.tally);
        }
        self.rules.iter().find_map(|rule| {
            let seen = broken(&rule.limit, &steps)?;
            Some((rule.text.clone(), format!("ended early: {seen}")))
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What was seen, if the whole confidence interval lies beyond the limit: bad luck ends no load.
fn broken(limit: &AbortLimit, steps: &BTreeMap<&StepKey, Tally>) -> Option<String> {
    match limit {
        AbortLimit::Errors(limit) => {
            let failed = steps.values().map(Tally::failures).sum();
            let n: u64 = steps.values().map(Tally::count).sum();
            let judged = judge_errors(failed, n, *limit, Decide::Interval);
            (n > 0 && judged.outcome == Outcome::Fail).then_some(judged.seen)
        }
        AbortLimit::Latency(target) => steps.iter().find_map(|(step, tally)| {
            let (answered, unanswered) = match target.clock {
                Clock::Response => (tally.answered(), tally.unanswered()),
                Clock::FirstToken => (tally.first_token.clone(), 0),
                Clock::Gap => (tally.gaps.clone(), 0),
            };
            if answered.is_empty() && unanswered == 0 {
                return None;
            }
            let sample = Sample {
                answered,
                unanswered,
            };
            let judged = judge_latency(&sample, target.percentile, target.limit, Decide::Interval);
            (judged.outcome == Outcome::Fail)
                .then(|| format!("{step}: {} {}", target.clock, judged.seen))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ErrorKind, Latency, PhaseIndex, SourceRef, StepWindow};
    use crate::plan::{ErrorTarget, LatencyTarget, Targets};
    use crate::units::{Percentile, Ratio};

    fn watch() -> Watch {
        let place = SourceRef::start_of("gates.toml");
        Watch::new(Abort {
            targets: Targets {
                errors: Some(ErrorTarget {
                    limit: Ratio::new(0.2).unwrap(),
                    place: place.clone(),
                }),
                latency: vec![LatencyTarget {
                    clock: Clock::Response,
                    percentile: Percentile::P95,
                    limit: Duration::from_secs(1),
                    place,
                }],
                decide: None,
            },
            after: Duration::from_secs(5),
            over: Duration::from_secs(3),
        })
    }

    /// Second `n` of a load: so many answers of a length, and failures.
    fn second(n: u64, ok: u64, ms: u64, failed: u64) -> Window {
        let mut tally = Tally::default();
        for _ in 0..ok {
            tally.ok.record(Duration::from_millis(ms));
        }
        if failed > 0 {
            tally.errors.insert(ErrorKind::Reset, failed);
        }
        Window {
            phase: PhaseIndex(0),
            from_us: n * 1_000_000,
            to_us: (n + 1) * 1_000_000,
            users: 1,
            arrived: 0,
            dropped: 0,
            delay: Latency::new(),
            steps: vec![StepWindow {
                step: StepKey {
                    scenario: "s".into(),
                    step: "a".into(),
                },
                tally,
            }],
        }
    }

    #[test]
    fn a_load_of_failures_is_ended_after_its_delay() {
        let mut watch = watch();
        for n in 0..4 {
            assert_eq!(watch.look(&[second(n, 50, 10, 50)]), None, "second {n}");
        }
        let (rule, seen) = watch.look(&[second(4, 50, 10, 50)]).unwrap();
        assert_eq!(rule, "errors > 20 % over 3 s");
        assert!(seen.contains("150 of 300 failed"), "{seen}");
    }

    #[test]
    fn what_was_bad_long_ago_is_forgotten_and_chance_ends_nothing() {
        let mut watch = watch();
        for n in 0..4 {
            watch.look(&[second(n, 0, 10, 100)]);
        }
        for n in 4..7 {
            watch.began_us = Some(u64::MAX / 2);
            watch.look(&[second(n, 100, 10, 0)]);
        }
        watch.began_us = Some(0);
        assert_eq!(watch.look(&[second(7, 100, 10, 0)]), None);
        // One of three: far beyond 20 %, and no more than chance.
        let mut watch = self::watch();
        watch.began_us = Some(0);
        assert_eq!(watch.look(&[second(9, 2, 10, 1)]), None);
    }

    #[test]
    fn slow_answers_end_it_too() {
        let mut watch = watch();
        watch.began_us = Some(0);
        assert_eq!(watch.look(&[second(9, 100, 900, 0)]), None);
        let (rule, seen) = watch.look(&[second(10, 100, 3000, 0)]).unwrap();
        assert!(rule.contains("response time p95 > 1 s"), "{rule}");
        assert!(seen.contains("s / a"), "{seen}");
    }
}
