//! Confidence bounds for percentiles and error rates, one-sided at 95 %.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// The chance of being wrong that each one-sided bound accepts.
pub const ALPHA: f64 = 0.05;

/// Lower and upper bound of an error rate after `failed` of `n` requests failed.
///
/// Clopper–Pearson (1934): the bounds are quantiles of Beta(k, n−k+1) and Beta(k+1, n−k).
/// Nothing when `n` is 0 or `failed` exceeds it.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^53"
)]
pub fn rate_bounds(failed: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 || failed > n {
        return None;
    }
    let (k, n_f) = (failed as f64, n as f64);
    let lower = if failed == 0 {
        0.0
    } else {
        Beta::new(k, n_f - k + 1.0).ok()?.inverse_cdf(ALPHA)
    };
    let upper = if failed == n {
        1.0
    } else {
        Beta::new(k + 1.0, n_f - k).ok()?.inverse_cdf(1.0 - ALPHA)
    };
    Some((lower, upper))
}

/// Ranks (from 1) of the order statistics that bound the `quantile` of the population, lower and upper,
/// for `n` samples; nothing for a bound that so few samples don't give.
///
/// The r-th smallest of n samples lies at or above the q-quantile with probability
/// P(Binomial(n, q) ≤ r − 1): see Hahn & Meeker, *Statistical Intervals*, 5.2.
#[must_use]
pub fn percentile_ranks(quantile: f64, n: u64) -> (Option<u64>, Option<u64>) {
    let Ok(below) = Binomial::new(quantile, n) else {
        return (None, None);
    };
    if n == 0 {
        return (None, None);
    }
    // First rank in 1..=n for which the condition holds; it holds for all later ones too.
    let first = |condition: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (1, n + 1);
        while low < high {
            let rank = u64::midpoint(low, high);
            if condition(below.cdf(rank - 1)) {
                high = rank
            } else {
                low = rank + 1
            }
        }
        low
    };
    let upper = first(&|cdf| cdf >= 1.0 - ALPHA);
    let above = first(&|cdf| cdf > ALPHA);
    (
        above.checked_sub(1).filter(|r| *r >= 1),
        (upper <= n).then_some(upper),
    )
}

/// The fewest samples that can bound the `quantile` from above: 59 for p95, 299 for p99.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and small, or saturated"
)]
pub fn least_samples_for_percentile(quantile: f64) -> u64 {
    (ALPHA.ln() / quantile.ln()).ceil() as u64
}

/// The fewest samples that, all good, show an error rate to be at most `limit`: 299 for 1 %.
#[must_use]
pub fn least_samples_for_rate(limit: f64) -> u64 {
    if limit <= 0.0 || limit >= 1.0 {
        1
    } else {
        least_samples_for_percentile(1.0 - limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-5, "{a} is not {b}");
    }

    #[test]
    fn rate_bounds_agree_with_published_values() {
        // Exact one-sided bounds; scipy.stats.beta.ppf gives the same.
        let (lower, upper) = rate_bounds(5, 100).unwrap();
        near(lower, 0.019_91);
        near(upper, 0.102_25);
        let (lower, upper) = rate_bounds(0, 299).unwrap();
        near(lower, 0.0);
        near(upper, 0.009_97);
        assert_eq!(rate_bounds(7, 7).unwrap().1, 1.0);
        assert_eq!(rate_bounds(0, 0), None);
        assert_eq!(rate_bounds(2, 1), None);
    }

    #[test]
    fn sample_floors_are_the_known_ones() {
        assert_eq!(least_samples_for_percentile(0.95), 59);
        assert_eq!(least_samples_for_percentile(0.99), 299);
        assert_eq!(least_samples_for_rate(0.01), 299);
        assert_eq!(percentile_ranks(0.95, 58).1, None);
        assert_eq!(percentile_ranks(0.95, 59).1, Some(59));
        assert_eq!(percentile_ranks(0.99, 298).1, None);
        assert_eq!(percentile_ranks(0.99, 299).1, Some(299));
        assert_eq!(percentile_ranks(0.95, 0), (None, None));
    }

    #[test]
    fn ranks_enclose_the_percentile() {
        // Median of 100: scipy.stats.binom.ppf(0.95, 100, 0.5) is 58, so rank 59 above and, by symmetry, 42 below.
        assert_eq!(percentile_ranks(0.5, 100), (Some(42), Some(59)));
        for n in [60, 100, 1000, 100_000] {
            let (lower, upper) = percentile_ranks(0.95, n);
            let rank = n * 95 / 100;
            assert!(lower.unwrap() <= rank && rank <= upper.unwrap(), "{n}");
        }
    }
}
