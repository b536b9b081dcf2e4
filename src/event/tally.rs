//! What is counted about one step: histograms, errors, answers by status; two of them add up to what one would have counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Latency};

/// Everything counted about one step in some time. Its size does not depend on the number of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Response times of successes, from the scheduled instant.
    #[serde(default, skip_serializing_if = "Latency::is_empty")]
    pub ok: Latency,
    /// Response times of answers that failed an expectation or a capture.
    #[serde(default, skip_serializing_if = "Latency::is_empty")]
    pub failed: Latency,
    /// Times from the instant a request was sent (uncorrected), for comparison.
    #[serde(default, skip_serializing_if = "Latency::is_empty")]
    pub service: Latency,
    /// Times to the first token, for streams.
    #[serde(default, skip_serializing_if = "Latency::is_empty")]
    pub first_token: Latency,
    /// Times between one token and the next, for streams.
    #[serde(default, skip_serializing_if = "Latency::is_empty")]
    pub gaps: Latency,
    /// Time from first to last token, all streams together, for tokens per second.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub streaming: Duration,
    /// Everything that was not a success, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes of response bodies.
    #[serde(default)]
    pub bytes: u64,
}

impl Tally {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ok.is_empty() && self.errors.is_empty()
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.ok.merge(&other.ok);
        self.failed.merge(&other.failed);
        self.service.merge(&other.service);
        self.first_token.merge(&other.first_token);
        self.gaps.merge(&other.gaps);
        self.streaming += other.streaming;
        for (kind, count) in &other.errors {
            *self.errors.entry(*kind).or_insert(0) += count;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_insert(0) += count;
        }
        self.bytes += other.bytes;
    }

    /// Requests that failed in any way.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests without an answer: neither a success nor an answer that failed an expectation.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let without = self.errors.iter().filter(|(kind, _)| !kind.answered());
        without.map(|(_, count)| count).sum()
    }

    /// All requests that were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ok.count() + self.failures()
    }

    /// Response times of everything that was answered.
    #[must_use]
    pub fn answered(&self) -> Latency {
        let mut both = self.ok.clone();
        both.merge(&self.failed);
        both
    }

    /// Tokens per second while streams were running, all of them together; nothing without two tokens in one stream.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let gaps = self.gaps.count() as f64;
        (!self.streaming.is_zero()).then(|| gaps / self.streaming.as_secs_f64())
    }
}

/// A map with numbers as keys, as a list of pairs: within an event, serde can't read a number out of a JSON key.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<u16, u64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<u16, u64>, D::Error> {
        Ok(Vec::<(u16, u64)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, PhaseIndex, Record, StepKey, StepWindow, Window};

    #[test]
    fn what_is_written_about_a_second_of_load_reads_back_as_it_was() {
        let mut times = Latency::default();
        times.record(Duration::from_millis(3));
        let tally = Tally {
            ok: times.clone(),
            failed: times.clone(),
            service: times.clone(),
            first_token: times.clone(),
            gaps: times.clone(),
            streaming: Duration::from_millis(7),
            errors: BTreeMap::from([(ErrorKind::Timeout, 2), (ErrorKind::Expectation, 1)]),
            statuses: BTreeMap::from([(200, 3), (503, 1)]),
            bytes: 12,
        };
        let step = StepKey {
            scenario: "health".to_owned(),
            step: "home".to_owned(),
        };
        let record = Record {
            at_us: 1,
            event: Event::Window(Window {
                phase: PhaseIndex(0),
                from_us: 0,
                to_us: 1,
                users: 1,
                arrived: 4,
                dropped: 0,
                delay: times,
                steps: vec![StepWindow { step, tally }],
            }),
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
