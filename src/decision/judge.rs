//! The rule of each kind of target: a sample and a limit in, an outcome and its reasons out.

use std::time::Duration;

use super::statistics::{
    least_samples_for_percentile, least_samples_for_rate, percentile_ranks, rate_bounds,
};
use super::{Measured, Outcome};
use crate::event::{Decide, Latency};
use crate::units::{Percentile, Ratio, show_duration, show_percent};

/// All that is known about one clock of one step.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Latencies of everything that was answered.
    pub answered: Latency,
    /// Requests without an answer: they count as slower than all others, for nobody waited to the end.
    pub unanswered: u64,
}

impl Sample {
    fn count(&self) -> u64 {
        self.answered.count() + self.unanswered
    }

    /// The value at a rank among all requests; nothing where the rank falls on one without an answer.
    fn at_rank(&self, rank: u64) -> Option<Duration> {
        self.answered.at_rank(rank)
    }
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, in one line.
    pub seen: String,
    /// The figures it rests on; nothing without samples.
    pub measured: Option<Measured>,
}

/// Judges a percentile of a latency against the longest time that passes.
///
/// The interval is that of the order statistics. No samples fail; too few never pass, by whichever rule.
#[must_use]
pub fn judge_latency(
    sample: &Sample,
    percentile: Percentile,
    limit: Duration,
    decide: Decide,
) -> Judgement {
    let n = sample.count();
    if n == 0 {
        return Judgement {
            outcome: Outcome::Fail,
            seen: "no samples: the step was never measured under load".to_owned(),
            measured: None,
        };
    }
    let rank = nearest_rank(percentile.quantile(), n);
    let (lower_rank, upper_rank) = percentile_ranks(percentile.quantile(), n);
    let estimate = sample.at_rank(rank);
    let lower = lower_rank.and_then(|r| sample.at_rank(r));
    // A lower bound that falls on a request without an answer is longer than any limit.
    let lower_is_unanswered = lower_rank.is_some_and(|r| r > sample.answered.count());
    let upper = upper_rank.and_then(|r| sample.at_rank(r));

    let show = |value: Option<Duration>| value.map_or_else(|| "–".to_owned(), show_duration);
    let shown_estimate = estimate.map_or_else(|| "no answer".to_owned(), show_duration);
    let over = |value: Option<Duration>| value.is_none_or(|v| v > limit);
    let floor = least_samples_for_percentile(percentile.quantile());
    let outcome = match decide {
        Decide::Point if over(estimate) => Outcome::Fail,
        Decide::Point if n >= floor => Outcome::Pass,
        Decide::Point => Outcome::Inconclusive,
        Decide::Interval if upper.is_some_and(|u| u <= limit) => Outcome::Pass,
        Decide::Interval if lower_is_unanswered || lower.is_some_and(|l| l > limit) => {
            Outcome::Fail
        }
        Decide::Interval => Outcome::Inconclusive,
    };
    let limit_text = show_duration(limit);
    let unanswered = match sample.unanswered {
        0 => String::new(),
        u => format!(", {u} of them without an answer"),
    };
    let seen = match outcome {
        Outcome::Inconclusive if n < floor => format!(
            "{percentile} {shown_estimate} of {n} samples{unanswered}: at least {floor} are needed to say it is within {limit_text}; hold the load longer, or raise it"
        ),
        Outcome::Inconclusive => format!(
            "{percentile} {shown_estimate} of {n} samples{unanswered}, 95 % bounds {} to {} straddle the limit of {limit_text}: more samples are needed",
            show(lower),
            show(upper)
        ),
        Outcome::Fail => {
            format!("{percentile} {shown_estimate} of {n} samples{unanswered}, limit {limit_text}")
        }
        _ => {
            format!("{percentile} {shown_estimate} of {n} samples{unanswered}, limit {limit_text}")
        }
    };
    let measured = Measured {
        n,
        estimate: shown_estimate,
        interval: (show(lower), show(upper)),
        of_limit: estimate
            .map(|e| e.as_secs_f64() / limit.as_secs_f64())
            .filter(|r| r.is_finite()),
    };
    Judgement {
        outcome,
        seen,
        measured: Some(measured),
    }
}

/// Judges the share of failed requests against the largest share that passes.
///
/// The interval is Clopper–Pearson's. No samples fail; too few are inconclusive. A limit of 0 is
/// decided by the count alone, since no number of samples bounds a rate by 0.
#[must_use]
pub fn judge_errors(failed: u64, n: u64, limit: Ratio, decide: Decide) -> Judgement {
    let Some((lower, upper)) = rate_bounds(failed, n) else {
        return Judgement {
            outcome: Outcome::Fail,
            seen: "no samples: nothing was sent under load".to_owned(),
            measured: None,
        };
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of requests stay far below 2^53"
    )]
    let share = failed as f64 / n as f64;
    let decide = if limit.get() == 0.0 {
        Decide::Point
    } else {
        decide
    };
    let floor = least_samples_for_rate(limit.get());
    let outcome = match decide {
        Decide::Point if share > limit.get() => Outcome::Fail,
        Decide::Point if n >= floor => Outcome::Pass,
        Decide::Point => Outcome::Inconclusive,
        Decide::Interval if upper <= limit.get() => Outcome::Pass,
        Decide::Interval if lower > limit.get() => Outcome::Fail,
        Decide::Interval => Outcome::Inconclusive,
    };
    let shown = show_percent(share);
    let seen = match outcome {
        Outcome::Inconclusive if n < floor => {
            format!(
                "{failed} of {n} failed ({shown}): at least {floor} samples are needed to say it is within {limit}; hold the load longer, or raise it"
            )
        }
        Outcome::Inconclusive => format!(
            "{failed} of {n} failed ({shown}), 95 % bounds {} to {} straddle the limit of {limit}: more samples are needed",
            show_percent(lower),
            show_percent(upper)
        ),
        _ => format!("{failed} of {n} failed ({shown}), limit {limit}"),
    };
    let measured = Measured {
        n,
        estimate: shown,
        interval: (show_percent(lower), show_percent(upper)),
        of_limit: Some(share / limit.get()).filter(|r| r.is_finite()),
    };
    Judgement {
        outcome,
        seen,
        measured: Some(measured),
    }
}

/// Nearest-rank definition: the smallest rank with at least the wanted share of samples at or below it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^53"
)]
pub(super) fn nearest_rank(quantile: f64, n: u64) -> u64 {
    // The tiny subtraction keeps 0.95 × 100 = 95.00000000000001 from becoming 96.
    ((quantile * n as f64 - 1e-9).ceil() as u64).clamp(1, n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(fast: u64, slow: u64, unanswered: u64) -> Sample {
        let mut answered = Latency::new();
        for _ in 0..fast {
            answered.record(Duration::from_millis(100));
        }
        for _ in 0..slow {
            answered.record(Duration::from_secs(3));
        }
        Sample {
            answered,
            unanswered,
        }
    }

    fn p95(sample: &Sample) -> Outcome {
        judge_latency(
            sample,
            Percentile::P95,
            Duration::from_secs(2),
            Decide::Interval,
        )
        .outcome
    }

    #[test]
    fn latency_rule() {
        assert_eq!(p95(&sample(0, 0, 0)), Outcome::Fail, "no samples");
        assert_eq!(p95(&sample(58, 0, 0)), Outcome::Inconclusive, "one too few");
        assert_eq!(p95(&sample(59, 0, 0)), Outcome::Pass, "just enough");
        assert_eq!(p95(&sample(970, 30, 0)), Outcome::Pass, "3 % slow");
        assert_eq!(
            p95(&sample(950, 50, 0)),
            Outcome::Inconclusive,
            "5 % slow straddles"
        );
        assert_eq!(p95(&sample(900, 100, 0)), Outcome::Fail, "10 % slow");
    }

    #[test]
    fn requests_without_an_answer_count_as_slow() {
        assert_eq!(p95(&sample(900, 0, 100)), Outcome::Fail);
        assert_eq!(p95(&sample(0, 0, 100)), Outcome::Fail);
        assert_eq!(p95(&sample(990, 0, 10)), Outcome::Pass);
        assert_eq!(
            p95(&sample(50, 0, 2)),
            Outcome::Inconclusive,
            "too few to bound it from above"
        );
    }

    #[test]
    fn the_point_rule_ignores_the_interval() {
        let rule = |s: &Sample| {
            judge_latency(s, Percentile::P95, Duration::from_secs(2), Decide::Point).outcome
        };
        assert_eq!(rule(&sample(950, 50, 0)), Outcome::Pass, "straddles");
        assert_eq!(
            rule(&sample(58, 0, 0)),
            Outcome::Inconclusive,
            "one too few"
        );
        assert_eq!(rule(&sample(5, 5, 0)), Outcome::Fail);
        assert_eq!(
            rule(&sample(0, 0, 0)),
            Outcome::Fail,
            "no samples still fail"
        );
        assert_eq!(
            rule(&sample(0, 0, 3)),
            Outcome::Fail,
            "no answer is no pass"
        );
    }

    #[test]
    fn error_rule() {
        let rule = |failed, n| {
            judge_errors(failed, n, Ratio::parse("1%").unwrap(), Decide::Interval).outcome
        };
        assert_eq!(rule(0, 0), Outcome::Fail, "no samples");
        assert_eq!(rule(0, 298), Outcome::Inconclusive, "one too few");
        assert_eq!(rule(0, 299), Outcome::Pass, "just enough");
        assert_eq!(rule(10, 1000), Outcome::Inconclusive, "on the limit");
        assert_eq!(rule(2, 1000), Outcome::Pass);
        assert_eq!(rule(30, 1000), Outcome::Fail);
        let point =
            |failed, n| judge_errors(failed, n, Ratio::parse("1%").unwrap(), Decide::Point).outcome;
        assert_eq!(
            (point(10, 1000), point(11, 1000), point(0, 298)),
            (Outcome::Pass, Outcome::Fail, Outcome::Inconclusive)
        );
        assert_eq!(
            rule(1, 1),
            Outcome::Fail,
            "even one bound is enough when it is beyond the limit"
        );
        let none = |failed, n| {
            judge_errors(failed, n, Ratio::parse("0%").unwrap(), Decide::Interval).outcome
        };
        assert_eq!(
            (none(0, 1), none(1, 1_000_000)),
            (Outcome::Pass, Outcome::Fail)
        );
    }

    #[test]
    fn what_is_said() {
        let says = |s: &Sample| {
            judge_latency(s, Percentile::P95, Duration::from_secs(2), Decide::Interval).seen
        };
        insta::assert_snapshot!(says(&sample(40, 0, 2)), @"p95 100 ms of 42 samples, 2 of them without an answer: at least 59 are needed to say it is within 2 s; hold the load longer, or raise it");
        insta::assert_snapshot!(says(&sample(950, 50, 0)), @"p95 100 ms of 1000 samples, 95 % bounds 100 ms to 3 s straddle the limit of 2 s: more samples are needed");
    }
}
