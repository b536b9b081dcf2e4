//! Judges whether resource use was read, and whether all containers ran through the load.

use std::time::Duration;

use super::judge::Judgement;
use super::{Outcome, ResourceAccount};
use crate::event::{Moment, ResourceSource, ResourcesUnavailable};
use crate::units::show_duration;

/// More than so many incidents in one line hide rather than show.
const MAX_SHOWN: usize = 5;

fn judgement(outcome: Outcome, seen: String) -> Judgement {
    Judgement {
        outcome,
        seen,
        measured: None,
    }
}

/// Judges whether everything that was to be read was read. What was not is open, never good.
#[must_use]
pub fn judge_resources(
    account: &ResourceAccount,
    project: Option<&str>,
    queries: &[String],
) -> Judgement {
    let samples: usize = account
        .services
        .iter()
        .flat_map(|s| &s.series)
        .filter(|p| p.memory_bytes.is_some() || p.cpu_permille.is_some())
        .count();
    let mut missing = Vec::new();
    if project.is_some() && samples == 0 {
        missing.push(not_read(account, &ResourceSource::Docker));
    }
    for name in queries {
        let metric = account.metrics.iter().find(|m| m.name == *name);
        if metric.is_none_or(|m| m.values().next().is_none()) {
            let source = ResourceSource::Query { name: name.clone() };
            missing.push(not_read(account, &source));
        }
    }
    if !missing.is_empty() {
        return judgement(Outcome::Inconclusive, missing.join("; "));
    }
    let mut read = Vec::new();
    if project.is_some() {
        let services = counted(account.services.len(), "service");
        read.push(format!("{} of {services}", counted(samples, "sample")));
    }
    if !queries.is_empty() {
        let values: usize = account.metrics.iter().map(|m| m.values().count()).sum();
        let queries = match queries.len() {
            1 => "1 query".to_owned(),
            n => format!("{n} queries"),
        };
        read.push(format!("{} to {queries}", counted(values, "answer")));
    }
    let read = read.join(", ");
    match account.unavailable.first() {
        None => judgement(Outcome::Pass, format!("{read}, without a gap")),
        Some((at, first)) => judgement(
            Outcome::Warn,
            format!(
                "{read}, with gaps, the first {} into the run: {}",
                show_duration(Duration::from_micros(*at)),
                said(first)
            ),
        ),
    }
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

fn said(missing: &ResourcesUnavailable) -> String {
    format!("no figures from {}: {}", missing.source, missing.why)
}

fn not_read(account: &ResourceAccount, source: &ResourceSource) -> String {
    let told = account.unavailable.iter().map(|(_, missing)| missing);
    let last = told.rev().find(|missing| missing.source == *source);
    last.map_or_else(
        || format!("no figures from {source}: the load was over before there were any"),
        said,
    )
}

/// Judges whether all containers ran through the load. One that befell something fails it, whatever else is not known;
/// without a look at the beginning and one at the end, it can't be said that nothing did.
#[must_use]
pub fn judge_restarts(account: &ResourceAccount) -> Judgement {
    let incidents = account.incidents();
    if !incidents.is_empty() {
        let mut told: Vec<_> = incidents
            .iter()
            .take(MAX_SHOWN)
            .map(|i| {
                let at = show_duration(Duration::from_micros(i.at_us));
                format!("{} {at} into the run: {}", i.service, i.what)
            })
            .collect();
        if incidents.len() > MAX_SHOWN {
            told.push(format!("and {} more", incidents.len() - MAX_SHOWN));
        }
        return judgement(Outcome::Fail, told.join("; "));
    }
    for (moment, when) in [
        (Moment::Before, "when the load began"),
        (Moment::After, "when it was over"),
    ] {
        if !account.looked(moment) {
            let why = not_read(account, &ResourceSource::Docker);
            return judgement(
                Outcome::Inconclusive,
                format!("the containers could not be looked at {when}: {why}"),
            );
        }
    }
    judgement(
        Outcome::Pass,
        format!(
            "all as when the load began: {}",
            counted(account.began_with(), "container")
        ),
    )
}

#[cfg(test)]
mod tests;
