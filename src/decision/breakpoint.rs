//! The search for the highest rate at which all targets hold: how an attempt went, what to try next, what it comes to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::judge::Judgement;
use super::target::out_of_breath;
use super::{LoadAccount, Outcome, judge_target};
use crate::event::{PhaseIndex, ProbeState, Search, SearchTarget};
use crate::units::Rate;

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Arrivals per second.
    pub rate: Rate,
    /// How it went.
    pub went: Went,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Went {
    /// Every target held.
    Held,
    /// A target did not hold.
    Broke {
        /// The first one, in the order of the plan.
        target: String,
        /// What was seen.
        seen: String,
    },
    /// None broke, and for one there were too few samples to say that it held.
    TooFew {
        /// What was seen.
        seen: String,
    },
    /// The generator did not offer that rate, so nothing is said about the stack.
    NotOffered {
        /// What was seen.
        seen: String,
    },
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("they held"),
            Self::Broke { target, seen } => write!(f, "broke: {target}: {seen}"),
            Self::TooFew { seen } => write!(f, "too few samples: {seen}"),
            Self::NotOffered { seen } => write!(f, "not offered: {seen}"),
        }
    }
}

/// How the attempt in one phase went.
#[must_use]
pub fn attempt(
    load: &LoadAccount,
    index: PhaseIndex,
    targets: &[SearchTarget],
    max_delay: std::time::Duration,
) -> Option<Attempt> {
    let phase = load.phases.get(index.place())?;
    let rate = Rate::new(phase.phase.to.get())?;
    let p99 = phase.delay.quantile(0.99).unwrap_or_default();
    let own = load.generator_in(|phase| phase == index);
    // First of all: a generator that is out of breath says nothing about the stack, whatever it measured.
    if let Some(seen) = out_of_breath(p99, own.as_ref(), max_delay) {
        let went = Went::NotOffered { seen };
        return Some(Attempt { rate, went });
    }
    let mut went = Went::Held;
    for target in targets {
        let judgement = judge_target(&target.subject, load, index)?;
        let seen = judgement.seen;
        match judgement.outcome {
            Outcome::Pass => {}
            Outcome::Fail => {
                let target = target.id.clone();
                let went = Went::Broke { target, seen };
                return Some(Attempt { rate, went });
            }
            _ => went = Went::TooFew { seen },
        }
    }
    let sick = load
        .probes
        .iter()
        .find(|p| (phase.from_us..=phase.to_us).contains(&p.at_us) && p.state > ProbeState::AtRisk);
    if let Some(sick) = sick {
        let (target, seen) = (sick.probe.clone(), "not healthy at this rate".to_owned());
        went = Went::Broke { target, seen };
    } else if phase.dropped > 0 {
        went = Went::NotOffered {
            seen: format!(
                "{} of {} journeys could not begin, as all {} users were at work; raise `max_users`",
                phase.dropped, phase.arrived, load.planned.users
            ),
        };
    }
    Some(Attempt { rate, went })
}

/// How all attempts went, in the order in which they were made.
#[must_use]
pub fn attempts(
    load: &LoadAccount,
    targets: &[SearchTarget],
    max_delay: std::time::Duration,
) -> Vec<Attempt> {
    load.judged()
        .filter_map(|(index, _)| attempt(load, index, targets, max_delay))
        .collect()
}

/// More attempts than this are not made, whatever the precision.
const MOST_ATTEMPTS: usize = 40;

/// The rate to try next; nothing when the search is over.
#[must_use]
pub fn next_rate(search: &Search, made: &[Attempt]) -> Option<Rate> {
    let Some(last) = made.last() else {
        return Some(search.start);
    };
    if made.len() >= MOST_ATTEMPTS || matches!(last.went, Went::NotOffered { .. }) {
        return None;
    }
    let most = search.most.per_second();
    let Some(broke) = lowest_broken(made) else {
        let last = last.rate.per_second();
        return (last < most).then(|| Rate::new((last * 2.0).min(most)))?;
    };
    let broke = broke.rate.per_second();
    let below = made
        .iter()
        .filter(|a| matches!(a.went, Went::Held | Went::TooFew { .. }))
        .map(|a| a.rate.per_second())
        .filter(|rate| *rate < broke)
        .fold(0.0, f64::max);
    // Far below the first rate, the answer is no: whatever holds there is not what was asked.
    let near = broke - below <= broke * search.precision.get();
    let far_below = below == 0.0 && broke <= search.start.per_second() / 32.0;
    (!near && !far_below).then(|| Rate::new(f64::midpoint(below, broke)))?
}

fn lowest_broken(made: &[Attempt]) -> Option<&Attempt> {
    made.iter()
        .filter(|a| matches!(a.went, Went::Broke { .. }))
        .min_by(|a, b| a.rate.per_second().total_cmp(&b.rate.per_second()))
}

/// The highest rate at which all targets held, below the lowest at which one broke.
#[must_use]
pub fn knee(made: &[Attempt]) -> Option<Rate> {
    let broke = lowest_broken(made).map_or(f64::INFINITY, |a| a.rate.per_second());
    made.iter()
        .filter(|a| a.went == Went::Held && a.rate.per_second() < broke)
        .map(|a| a.rate)
        .max_by(|a, b| a.per_second().total_cmp(&b.per_second()))
}

/// Judges whether the stack holds at least at a rate.
#[must_use]
pub fn judge_breakpoint(made: &[Attempt], at_least: Rate) -> Judgement {
    let held = knee(made);
    let broke = lowest_broken(made);
    let open = made.iter().rev().find_map(|a| match &a.went {
        Went::TooFew { seen } | Went::NotOffered { seen } => Some((a.rate, seen)),
        _ => None,
    });
    let enough = held.is_some_and(|rate| rate.per_second() >= at_least.per_second());
    let outcome = if enough {
        Outcome::Pass
    } else if broke.is_some_and(|a| a.rate.per_second() <= at_least.per_second()) {
        Outcome::Fail
    } else {
        Outcome::Inconclusive
    };
    let mut seen = match held {
        Some(rate) => format!("all targets hold at {rate}"),
        None => "no rate was found at which all targets hold".to_owned(),
    };
    match (broke, open) {
        (
            Some(Attempt {
                rate,
                went: Went::Broke { target, seen: why },
            }),
            _,
        ) => seen.push_str(&format!(
            ", at {rate} the first to break is {target}: {why}"
        )),
        (_, Some((rate, why))) => seen.push_str(&format!("; nothing can be said of {rate}: {why}")),
        _ => seen.push_str(", the highest that was tried"),
    }
    seen.push_str(&format!("; at least {at_least} demanded"));
    Judgement {
        outcome,
        seen,
        measured: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn rate(per_second: f64) -> Rate {
        Rate::new(per_second).unwrap()
    }

    fn search(start: f64, most: f64) -> Search {
        Search {
            start: rate(start),
            most: rate(most),
            settle: Duration::from_secs(1),
            measure: Duration::from_secs(5),
            precision: crate::units::Ratio::new(0.05).unwrap(),
        }
    }

    fn broke() -> Went {
        Went::Broke {
            target: "p95".into(),
            seen: "3 s".into(),
        }
    }

    /// All attempts of a search on a stack that holds up to a rate.
    fn all(search: &Search, holds_to: f64) -> Vec<Attempt> {
        let mut made = Vec::new();
        while let Some(rate) = next_rate(search, &made) {
            let went = if rate.per_second() <= holds_to {
                Went::Held
            } else {
                broke()
            };
            made.push(Attempt { rate, went });
        }
        made
    }

    proptest::proptest! {
        #[test]
        fn the_knee_is_found_within_the_precision(holds_to in 0.5_f64..900.0, start in 1.0_f64..100.0) {
            let made = all(&search(start, 1000.0), holds_to);
            proptest::prop_assert!(made.len() < MOST_ATTEMPTS, "{} attempts", made.len());
            match knee(&made) {
                Some(knee) => {
                    proptest::prop_assert!(knee.per_second() <= holds_to);
                    proptest::prop_assert!(knee.per_second() >= holds_to * 0.94, "{knee} of {holds_to}");
                }
                None => proptest::prop_assert!(holds_to < start / 16.0, "{holds_to} from {start}"),
            }
        }
    }

    #[test]
    fn a_stack_that_never_breaks_ends_at_the_most() {
        let made = all(&search(10.0, 100.0), 1e9);
        let rates: Vec<f64> = made.iter().map(|a| a.rate.per_second()).collect();
        assert_eq!(rates, [10.0, 20.0, 40.0, 80.0, 100.0]);
        let judged = judge_breakpoint(&made, rate(100.0));
        assert_eq!(judged.outcome, Outcome::Pass);
        assert_eq!(
            judge_breakpoint(&made, rate(101.0)).outcome,
            Outcome::Inconclusive
        );
        assert!(
            judged.seen.contains("the highest that was tried"),
            "{}",
            judged.seen
        );
    }

    #[test]
    fn what_was_not_offered_ends_the_search_and_says_nothing() {
        let mut made = vec![Attempt {
            rate: rate(10.0),
            went: Went::Held,
        }];
        made.push(Attempt {
            rate: rate(20.0),
            went: Went::NotOffered {
                seen: "late".into(),
            },
        });
        assert_eq!(next_rate(&search(10.0, 100.0), &made), None);
        assert_eq!(judge_breakpoint(&made, rate(10.0)).outcome, Outcome::Pass);
        assert_eq!(
            judge_breakpoint(&made, rate(15.0)).outcome,
            Outcome::Inconclusive
        );
    }

    #[test]
    fn demands_between_what_holds_and_what_breaks_stay_open() {
        let made = vec![
            Attempt {
                rate: rate(10.0),
                went: Went::Held,
            },
            Attempt {
                rate: rate(20.0),
                went: broke(),
            },
        ];
        for (demand, outcome) in [
            (10.0, Outcome::Pass),
            (15.0, Outcome::Inconclusive),
            (20.0, Outcome::Fail),
            (30.0, Outcome::Fail),
        ] {
            assert_eq!(
                judge_breakpoint(&made, rate(demand)).outcome,
                outcome,
                "{demand}"
            );
        }
        assert_eq!(
            judge_breakpoint(&[], rate(1.0)).outcome,
            Outcome::Inconclusive
        );
    }
}
