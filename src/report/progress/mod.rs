//! Tells a run as it happens, on standard error: what a stage saw, and how the load fares. A terminal gets a view of
//! the load that is drawn again each second; a file or a CI log gets plain lines.

mod live;
mod totals;

#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use self::live::Live;
use self::totals::Totals;
use super::words;
use crate::event::{Event, ProbeState, Record, Stage, Window};
use crate::units::show_duration;

/// Rows of a terminal that does not tell its size.
const ROWS: usize = 24;

/// Prints what happens to standard error, so that standard output holds only the decision.
#[derive(Debug)]
pub struct Progress {
    load: LoadShown,
    /// Whether nothing but load was ever to run, so that what does not run is no news.
    only_load: bool,
}

/// How the load is told while it runs.
#[derive(Debug)]
enum LoadShown {
    /// A line every so often.
    Lines(Lines),
    /// A view that is drawn again; so many lines of it stand at the foot of the terminal.
    Live { view: Box<Live>, drawn: usize },
}

/// What the next line will be about.
#[derive(Debug)]
struct Lines {
    every: Duration,
    last_us: u64,
    since: Totals,
    phase: String,
}

impl Progress {
    /// Where standard error is a terminal, a view of the load; elsewhere, a line about it every so often.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            load: if std::io::stderr().is_terminal() && !dumb {
                LoadShown::Live {
                    view: Box::default(),
                    drawn: 0,
                }
            } else {
                LoadShown::Lines(Lines::new(every))
            },
            only_load: false,
        }
    }

    /// Hears an event.
    pub fn hear(&mut self, record: &Record) {
        let news = self.news(record);
        let text = match &mut self.load {
            LoadShown::Lines(lines) => {
                let Some(line) = lines.line(record).or(news) else {
                    return;
                };
                // Nobody may be listening any more: that must not disturb the run.
                let _ = writeln!(anstream::stderr(), "{line}");
                return;
            }
            LoadShown::Live { view, drawn } => {
                let stays = view.absorb(record);
                let changed = matches!(record.event, Event::Window(_));
                if news.is_none() && stays.is_none() && !changed {
                    return;
                }
                let rows = terminal_size::terminal_size().map_or(ROWS, |(_, h)| h.0.into());
                let said = [stays.map(|line| at(record) + &line), news];
                redraw(drawn, said, view.frame(rows))
            }
        };
        // Not through a stream that takes colours off where they are not wanted: it would take off the moves too.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// A line about what happened, if it is one for readers and no figure of the load.
    fn news(&mut self, record: &Record) -> Option<String> {
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
            | Event::Window(_)
            | Event::Generator(_)
            | Event::Resource(_)
            | Event::Metric(_)
            | Event::Container(_)
            | Event::RunEnded => return None,
        };
        Some(format!("{} {text}", at(record)))
    }
}

impl Lines {
    fn new(every: Duration) -> Self {
        Self {
            every,
            last_us: 0,
            since: Totals::default(),
            phase: String::new(),
        }
    }

    fn line(&mut self, record: &Record) -> Option<String> {
        match &record.event {
            Event::StageStarted { stage: Stage::Load } => {
                self.last_us = record.at_us;
                None
            }
            Event::PhaseStarted { phase } => {
                self.phase.clone_from(&phase.name);
                None
            }
            Event::Window(window) => self.window(record, window),
            _ => None,
        }
    }

    fn window(&mut self, record: &Record, window: &Window) -> Option<String> {
        self.since.add(window);
        let since_last = record.at_us.saturating_sub(self.last_us);
        if u128::from(since_last) < self.every.as_micros() {
            return None;
        }
        self.last_us = record.at_us;
        let mut totals = std::mem::take(&mut self.since);
        totals.over_us = since_last;
        let phase: String = self.phase.chars().take(12).collect();
        Some(format!(
            "{}   {phase:<9} {:>4} users {:>7.0}/s  p50 {:>8}  p95 {:>8}  p99 {:>8}  errors {}",
            at(record),
            window.users,
            totals.rate(),
            totals.quantile(0.5),
            totals.quantile(0.95),
            totals.quantile(0.99),
            totals.failed()
        ))
    }
}

/// When something happened, since the run began.
fn at(record: &Record) -> String {
    let seconds = Duration::from_micros(record.at_us).as_secs_f64();
    format!("{seconds:>6.1}s")
}

/// Takes the last view off the terminal, says what is new above it, and draws the next one. Lines are cut at the
/// edge while it is drawn: one that wraps would be counted wrong the next time.
fn redraw(drawn: &mut usize, said: [Option<String>; 2], frame: String) -> String {
    let plain = anstream::AutoStream::choice(&std::io::stderr()) == anstream::ColorChoice::Never;
    let styled = |text: String| {
        if plain {
            anstream::adapter::strip_str(&text).to_string()
        } else {
            text
        }
    };
    let up = match *drawn {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\r\x1b[J"),
    };
    *drawn = frame.lines().count();
    let said: String = said.into_iter().flatten().map(|l| l + "\n").collect();
    format!("{up}{}\x1b[?7l{}\x1b[?7h", styled(said), styled(frame))
}
