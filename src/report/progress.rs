//! Tells a run as it happens, in plain lines: what a stage saw, and a line a few times a minute while load runs.

use std::io::Write as _;
use std::time::Duration;

use super::words;
use crate::event::{Event, Latency, ProbeState, Record, Stage, Window};
use crate::units::{show_duration, show_percent};

/// Prints what happens to standard error, so that standard output holds only the decision.
#[derive(Debug)]
pub struct Progress {
    every: Duration,
    last_line_us: u64,
    since: Totals,
    phase: String,
    /// Whether nothing but load was ever to run, so that what does not run is no news.
    only_load: bool,
}

/// What was counted since the last line.
#[derive(Debug, Default)]
struct Totals {
    answered: Latency,
    requests: u64,
    errors: u64,
    users: u32,
}

impl Progress {
    /// A line about the load every so often.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            last_line_us: 0,
            since: Totals::default(),
            phase: String::new(),
            only_load: false,
        }
    }

    /// Hears an event.
    pub fn hear(&mut self, record: &Record) {
        let Some(line) = self.line(record) else {
            return;
        };
        // Nobody may be listening any more: that must not disturb the run.
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    fn line(&mut self, record: &Record) -> Option<String> {
        let at = format!(
            "{:>6.1}s",
            Duration::from_micros(record.at_us).as_secs_f64()
        );
        let text = match &record.event {
            Event::RunStarted(run) => {
                self.only_load = run.checks.iter().all(|c| c.stage == Stage::Load);
                let faults = if run.faults.is_empty() {
                    String::new()
                } else {
                    format!(", with faults: {}", run.faults.join(", "))
                };
                format!(
                    "run {} on {} at {}{faults}: {} checks",
                    run.run_id,
                    run.environment,
                    run.url,
                    run.checks.len()
                )
            }
            Event::StageStarted { stage } => format!("── {stage}"),
            Event::StageSkipped { .. } if self.only_load => return None,
            Event::StageSkipped { stage, reason } => format!("── {stage} skipped: {reason}"),
            Event::Probed(probed) if probed.state == ProbeState::Healthy => match probed.moment {
                crate::event::Moment::Before => format!("  ✓ {} {}", probed.probe, probed.seen),
                _ => return None,
            },
            Event::Probed(probed) => {
                format!("  ✗ {} {}: {}", probed.probe, probed.moment, probed.seen)
            }
            Event::StepRan(ran) => {
                let failed = ran.expectations.iter().find(|e| !e.held);
                let took = show_duration(ran.timings.end);
                match (&ran.failure, failed) {
                    (Some(failure), _) => format!("  ✗ {}: {}", ran.step, failure.message),
                    (None, Some(failed)) => format!(
                        "  ✗ {}: expected `{}`, saw {}",
                        ran.step, failed.text, failed.seen
                    ),
                    (None, None) => format!("  ✓ {} ({took})", ran.step),
                }
            }
            Event::StepBlocked { step, reason } => format!("  ? {step} not run: {reason}"),
            Event::LoadPlanned(load) => format!(
                "  profile `{}`: {} on {} steps",
                load.profile,
                words::offered(load),
                load.steps.len()
            ),
            Event::PhaseStarted { phase } => {
                self.phase.clone_from(&phase.name);
                let shown = if phase.is_judged() {
                    ""
                } else {
                    ", not judged"
                };
                let lasts = show_duration(phase.lasts);
                format!("  ─ {} for {lasts}{shown}", phase.name)
            }
            Event::LoadAborted(aborted) => {
                format!("── load ended, as {}: {}", aborted.rule, aborted.seen)
            }
            Event::Window(window) => return self.window(record.at_us, window, &at),
            Event::FailureSample(sample) => {
                format!("  ✗ {} {}: {}", sample.step, sample.kind, sample.seen)
            }
            Event::Interrupted { signal } => format!("── stopped by {signal}"),
            Event::HarnessFailed { doing, problem } => {
                format!("── failed while {doing}: {problem}")
            }
            Event::ResourcesUnavailable(missing) => {
                format!("  ? no figures from {}: {}", missing.source, missing.why)
            }
            Event::StageEnded { .. }
            | Event::Generator(_)
            | Event::Resource(_)
            | Event::Metric(_)
            | Event::Container(_)
            | Event::RunEnded => return None,
        };
        Some(format!("{at} {text}"))
    }

    fn window(&mut self, now_us: u64, window: &Window, at: &str) -> Option<String> {
        for step in &window.steps {
            let tally = &step.tally;
            self.since.answered.merge(&tally.answered());
            self.since.requests += tally.count();
            self.since.errors += tally.failures();
        }
        self.since.users = window.users;
        let elapsed = Duration::from_micros(now_us.saturating_sub(self.last_line_us));
        if elapsed < self.every {
            return None;
        }
        self.last_line_us = now_us;
        let totals = std::mem::take(&mut self.since);
        let seconds = elapsed.min(self.every * 2).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let (rate, errors) = (
            totals.requests as f64 / seconds,
            totals.errors as f64 / totals.requests.max(1) as f64,
        );
        let figure = |q| {
            totals
                .answered
                .quantile(q)
                .map_or_else(|| "–".to_owned(), show_duration)
        };
        let phase: String = self.phase.chars().take(12).collect();
        Some(format!(
            "{at}   {phase:<9} {:>4} users {rate:>7.0}/s  p50 {:>8}  p95 {:>8}  p99 {:>8}  errors {}",
            totals.users,
            figure(0.5),
            figure(0.95),
            figure(0.99),
            show_percent(errors)
        ))
    }
}
