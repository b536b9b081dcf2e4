//! A latency histogram that can be stored, merged and asked for percentiles; percentiles are never averaged.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use serde::{Deserialize, Serialize, de, ser};

/// The longest time that is told apart from longer ones.
const MAX_US: u64 = 3_600_000_000;
/// What a histogram has room for before it grows.
const FIRST_US: u64 = 16_000;

/// Durations in microseconds at three significant digits, up to one hour. An empty one holds no memory: most of what
/// could be counted about a step never is.
#[derive(Debug, Clone, Default)]
pub struct Latency(Option<Box<Histogram<u64>>>);

impl PartialEq for Latency {
    fn eq(&self, other: &Self) -> bool {
        match (self.samples(), other.samples()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => true,
            _ => false,
        }
    }
}

impl Latency {
    /// An empty histogram; it grows with the longest value it is given, never with their number.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// The histogram, if there is anything in it.
    fn samples(&self) -> Option<&Histogram<u64>> {
        self.0.as_deref().filter(|h| !h.is_empty())
    }

    #[expect(
        clippy::expect_used,
        reason = "1..=FIRST_US at 3 digits are bounds that the library accepts"
    )]
    fn room(&mut self) -> &mut Histogram<u64> {
        self.0.get_or_insert_with(|| {
            let mut histogram =
                Histogram::new_with_bounds(1, FIRST_US, 3).expect("fixed bounds are valid");
            histogram.auto(true);
            Box::new(histogram)
        })
    }

    /// Counts one duration; 0 counts as 1 µs, more than an hour as an hour.
    pub fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros())
            .unwrap_or(MAX_US)
            .clamp(1, MAX_US);
        // Can't fail: the histogram resizes and the value is bounded above.
        let _ = self.room().record(us);
    }

    /// Adds all of another histogram's samples.
    pub fn merge(&mut self, other: &Self) {
        if let Some(samples) = other.samples() {
            // Can't fail: it resizes.
            let _ = self.room().add(samples);
        }
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.samples().map_or(0, Histogram::len)
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples().is_none()
    }

    /// Forgets all samples, and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    /// The value at `rank` (1 is the smallest), or nothing outside of 1 to [`Self::count`].
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let mut seen = 0;
        for step in self.samples()?.iter_recorded() {
            seen += step.count_since_last_iteration();
            if seen >= rank {
                // The highest value of the bucket: a latency is never understated.
                return Some(Duration::from_micros(step.value_iterated_to()));
            }
        }
        None
    }

    /// The smallest value that at least `quantile` (0 to 1) of the samples do not exceed; nothing when empty.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let us = self.samples()?.value_at_quantile(quantile);
        Some(Duration::from_micros(us))
    }

    /// How many durations lie in classes that each end at twice the end of the one before: `(end, count)`, without
    /// empty classes at either side.
    #[must_use]
    pub fn doubling_classes(&self) -> Vec<(Duration, u64)> {
        let mut classes: Vec<(Duration, u64)> = Vec::new();
        let steps = self.samples().map(Histogram::iter_recorded);
        for step in steps.into_iter().flatten() {
            // The class of v ends at the smallest power of two that is not below it.
            let end = Duration::from_micros(step.value_iterated_to().next_power_of_two());
            let count = step.count_since_last_iteration();
            while let Some((last, n)) = classes.last_mut() {
                if *last >= end {
                    *n += count;
                    break;
                }
                let next = *last * 2;
                classes.push((next, 0));
            }
            if classes.is_empty() {
                classes.push((end, count));
            }
        }
        classes
    }

    /// The largest value; nothing when empty.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        self.samples().map(|h| Duration::from_micros(h.max()))
    }
}

impl Serialize for Latency {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(samples) = self.samples() else {
            return serializer.serialize_str("");
        };
        let mut bytes = Vec::new();
        V2Serializer::new()
            .serialize(samples, &mut bytes)
            .map_err(|e| ser::Error::custom(format!("{e:?}")))?;
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::new());
        }
        let bytes = BASE64.decode(&text).map_err(de::Error::custom)?;
        let mut histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| de::Error::custom(format!("not a histogram: {e:?}")))?;
        histogram.auto(true);
        Ok(Self(Some(Box::new(histogram))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn shards_add_up_to_what_one_recorder_counts(values in proptest::collection::vec(1_u64..5_000_000_000, 1..400)) {
            let mut whole = Latency::new();
            let mut shards = vec![Latency::new(); 8];
            for (n, us) in values.iter().enumerate() {
                whole.record(Duration::from_micros(*us));
                shards[n % 8].record(Duration::from_micros(*us));
            }
            let mut merged = Latency::new();
            for shard in &shards {
                // As a journal stores it.
                let stored = serde_json::to_string(shard).unwrap();
                merged.merge(&serde_json::from_str(&stored).unwrap());
            }
            proptest::prop_assert!(merged == whole, "every bucket holds the same");
            for quantile in [0.0, 0.5, 0.95, 0.99, 1.0] {
                proptest::prop_assert_eq!(merged.quantile(quantile), whole.quantile(quantile));
            }
        }
    }

    #[test]
    fn classes_double_and_hold_all() {
        let mut latency = Latency::new();
        for us in [3, 4, 5, 100, 100, 1000] {
            latency.record(Duration::from_micros(us));
        }
        let classes: Vec<_> = latency
            .doubling_classes()
            .iter()
            .map(|(to, n)| (to.as_micros(), *n))
            .collect();
        assert_eq!(
            classes,
            [
                (4, 2),
                (8, 1),
                (16, 0),
                (32, 0),
                (64, 0),
                (128, 2),
                (256, 0),
                (512, 0),
                (1024, 1)
            ]
        );
        assert!(Latency::new().doubling_classes().is_empty());
    }

    #[test]
    fn ranks_and_quantiles_agree_with_a_sorted_list() {
        let mut latency = Latency::new();
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms));
        }
        let near = |a: Option<Duration>, ms: f64| {
            let a = a.unwrap().as_secs_f64() * 1e3;
            assert!((a - ms).abs() <= ms / 500.0, "{a} is not {ms}");
        };
        near(latency.at_rank(1), 1.0);
        near(latency.at_rank(95), 95.0);
        near(latency.quantile(0.95), 95.0);
        near(latency.max(), 100.0);
        assert_eq!(latency.at_rank(0), None);
        assert_eq!(latency.at_rank(101), None);
        assert_eq!(Latency::new().quantile(0.5), None);
    }

    #[test]
    fn stored_and_merged_it_is_the_same() {
        let (mut a, mut b, mut both) = (Latency::new(), Latency::new(), Latency::new());
        for us in (1..5000).map(|n| n * 37) {
            if us % 2 == 0 {
                a.record(Duration::from_micros(us))
            } else {
                b.record(Duration::from_micros(us))
            }
            both.record(Duration::from_micros(us));
        }
        let stored = serde_json::to_string(&b).unwrap();
        a.merge(&serde_json::from_str(&stored).unwrap());
        for q in [0.01, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(a.quantile(q), both.quantile(q));
        }
        assert!(serde_json::from_str::<Latency>("\"bm90IG9uZQ\"").is_err());
    }

    #[test]
    fn extremes_are_kept_within_bounds() {
        let mut latency = Latency::new();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(1_000_000));
        assert_eq!(latency.count(), 2);
        assert!(latency.max().unwrap() >= Duration::from_secs(3599));
    }
}
