//! Targets as people write them, `{p95: 800ms, first_token.p95: 2s, errors: 1%}`, for one step or for all.

use std::time::Duration;

use super::reader::Group;
use super::source::{Finding, nearest};
use crate::event::{Clock, Decide, SourceRef};
use crate::units::{Percentile, Ratio, parse_duration};

/// A set of targets; an empty one demands nothing.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Longest times.
    pub latency: Vec<LatencyTarget>,
    /// Largest share of failed requests.
    pub errors: Option<ErrorTarget>,
    /// How intervals that straddle a limit are treated.
    pub decide: Option<Decide>,
}

/// The longest time that passes, for one percentile of one clock.
#[derive(Debug, Clone)]
pub struct LatencyTarget {
    /// The clock.
    pub clock: Clock,
    /// The percentile.
    pub percentile: Percentile,
    /// The limit.
    pub limit: Duration,
    /// Where it is demanded.
    pub place: SourceRef,
}

/// The largest share of failed requests that passes.
#[derive(Debug, Clone)]
pub struct ErrorTarget {
    /// The limit.
    pub limit: Ratio,
    /// Where it is demanded.
    pub place: SourceRef,
}

impl Targets {
    /// Reads a group of targets. `extra` are keys that the caller reads itself.
    pub(super) fn read(group: &Group<'_>, extra: &[&str]) -> Self {
        let mut targets = Self::default();
        for (key, node) in group.all() {
            let name = key.value.as_str();
            if extra.contains(&name) {
                continue;
            }
            let place = group.source.place(key.span.start);
            let Some(text) = group.as_text(node, name) else {
                continue;
            };
            let refuse =
                |error: &dyn std::fmt::Display| group.find(text.span.clone(), error.to_string());
            match (name, percentile_key(name)) {
                ("errors", _) => match Ratio::parse(&text.value) {
                    Ok(limit) => targets.errors = Some(ErrorTarget { limit, place }),
                    Err(error) => refuse(&error),
                },
                ("decide", _) => match text.value.as_str() {
                    "interval" => targets.decide = Some(Decide::Interval),
                    "point" => targets.decide = Some(Decide::Point),
                    other => refuse(&format!("`{other}` is neither `interval` nor `point`")),
                },
                (_, Some((clock, percentile))) => match parse_duration(&text.value) {
                    Ok(limit) if limit.is_zero() => refuse(&"a limit of zero can't be met"),
                    Ok(limit) => targets.latency.push(LatencyTarget {
                        clock,
                        percentile,
                        limit,
                        place,
                    }),
                    Err(error) => refuse(&error),
                },
                _ => {
                    let known = [
                        "p50",
                        "p90",
                        "p95",
                        "p99",
                        "p99.9",
                        "first_token.p95",
                        "gap.p95",
                        "errors",
                        "decide",
                    ];
                    let finding = Finding::at(
                        group.source,
                        key.span.clone(),
                        format!("unknown target `{name}`"),
                    );
                    let all: Vec<_> = known.into_iter().chain(extra.iter().copied()).collect();
                    group.add(finding.help(nearest(name, all.iter().copied()).map_or_else(
                        || format!("known targets: {}", all.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    )));
                }
            }
        }
        targets
    }

    /// These targets for one step, given the step's own: what the step says itself replaces what is said for all.
    #[must_use]
    pub fn for_step(&self, own: &Self, stream: bool) -> Self {
        let mut latency = own.latency.clone();
        for target in &self.latency {
            let applies = stream || target.clock == Clock::Response;
            let replaced = own
                .latency
                .iter()
                .any(|o| o.clock == target.clock && o.percentile == target.percentile);
            if applies && !replaced {
                latency.push(target.clone());
            }
        }
        Self {
            latency,
            errors: own.errors.clone().or_else(|| self.errors.clone()),
            decide: own.decide.or(self.decide),
        }
    }
}

/// `p95`, `first_token.p95` or `gap.p95`.
fn percentile_key(key: &str) -> Option<(Clock, Percentile)> {
    let (clock, rest) = match key.split_once('.') {
        Some(("first_token", rest)) => (Clock::FirstToken, rest),
        Some(("gap", rest)) => (Clock::Gap, rest),
        _ => (Clock::Response, key),
    };
    Some((clock, Percentile::parse(rest).ok()?))
}
