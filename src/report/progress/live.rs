//! The load as it runs, for a terminal: a few lines that are drawn again each second.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::totals::Totals;
use crate::event::{Event, GeneratorSample, Latency, Model, Phase, Record, Stage, Window};
use crate::report::table::{bar, histogram};
use crate::units::{show_duration, show_percent};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
/// Cells of the bar that shows how far a phase is.
const PHASE_BAR: usize = 30;
/// Seconds that the small curves look back.
const HISTORY: usize = 60;
/// Lines of the view without its histogram.
const WITHOUT_HISTOGRAM: usize = 9;
/// Most classes of the histogram.
const CLASSES: usize = 10;

/// What is known about the load that runs.
#[derive(Debug, Default)]
pub(super) struct Live {
    model: Option<Model>,
    /// Phases that have begun.
    begun: u32,
    phase: Option<PhaseSoFar>,
}

#[derive(Debug)]
struct PhaseSoFar {
    phase: Phase,
    from_us: u64,
    now_us: u64,
    users: u32,
    arrived: u64,
    dropped: u64,
    delay: Latency,
    last: Totals,
    all: Totals,
    rates: VecDeque<f64>,
    p95s: VecDeque<f64>,
    generator: Option<GeneratorSample>,
}

impl Live {
    /// Takes in what happened. When it ends a phase, the line that stays of it.
    pub(super) fn absorb(&mut self, record: &Record) -> Option<String> {
        match &record.event {
            Event::LoadPlanned(load) => self.model = Some(load.model),
            Event::PhaseStarted { phase } => {
                self.begun += 1;
                let before = self.phase.replace(PhaseSoFar::new(phase, record.at_us));
                return before.and_then(|p| p.stays());
            }
            Event::StageEnded { stage: Stage::Load } | Event::RunEnded => {
                return self.phase.take().and_then(|p| p.stays());
            }
            // What hung over from the phase before is no figure of this one.
            Event::Window(window) if window.phase.0 + 1 == self.begun => {
                if let Some(phase) = &mut self.phase {
                    phase.window(window);
                }
            }
            Event::Generator(sample) => {
                if let Some(phase) = &mut self.phase {
                    phase.generator = Some(sample.clone());
                }
            }
            _ => {}
        }
        None
    }

    /// The view as lines, in a terminal of so many rows; empty while no load runs.
    pub(super) fn frame(&self, rows: usize) -> String {
        match (&self.phase, self.model) {
            (Some(phase), Some(model)) => phase.frame(model, rows),
            _ => String::new(),
        }
    }
}

impl PhaseSoFar {
    fn new(phase: &Phase, now_us: u64) -> Self {
        Self {
            phase: phase.clone(),
            from_us: now_us,
            now_us,
            users: 0,
            arrived: 0,
            dropped: 0,
            delay: Latency::new(),
            last: Totals::default(),
            all: Totals::default(),
            rates: VecDeque::new(),
            p95s: VecDeque::new(),
            generator: None,
        }
    }

    fn window(&mut self, window: &Window) {
        self.now_us = self.now_us.max(window.to_us);
        self.users = window.users;
        self.arrived += window.arrived;
        self.dropped += window.dropped;
        self.delay.merge(&window.delay);
        self.last = Totals::default();
        self.last.add(window);
        self.last.over_us = window.to_us.saturating_sub(window.from_us);
        self.all.add(window);
        let lasts = u64::try_from(self.phase.lasts.as_micros()).unwrap_or(u64::MAX);
        self.all.over_us = self.now_us.saturating_sub(self.from_us).min(lasts);
        let p95 = self.last.answered.quantile(0.95).unwrap_or_default();
        for (history, value) in [
            (&mut self.rates, self.last.rate()),
            (&mut self.p95s, p95.as_secs_f64()),
        ] {
            history.push_back(value);
            if history.len() > HISTORY {
                history.pop_front();
            }
        }
    }

    /// One line about a phase that is over.
    fn stays(&self) -> Option<String> {
        (self.all.requests > 0).then(|| {
            format!(
                "  {:<9} {:>7.0}/s  p50 {:>8}  p95 {:>8}  p99 {:>8}  errors {}",
                self.phase.name.chars().take(12).collect::<String>(),
                self.all.rate(),
                self.all.quantile(0.5),
                self.all.quantile(0.95),
                self.all.quantile(0.99),
                self.all.failed()
            )
        })
    }

    fn frame(&self, model: Model, rows: usize) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = self.write(&mut out, model, rows);
        out
    }

    fn write(&self, out: &mut String, model: Model, rows: usize) -> std::fmt::Result {
        let passed = Duration::from_micros(self.all.over_us);
        let done = passed.as_secs_f64() / self.phase.lasts.as_secs_f64().max(1e-9);
        let full = bar(done.min(1.0), PHASE_BAR, '━');
        writeln!(
            out,
            "\n  {BOLD}{}{BOLD:#}  {full}{DIM}{}{DIM:#}  {:.0} of {} s, {} users{}",
            self.phase.name,
            "─".repeat(PHASE_BAR - full.chars().count()),
            passed.as_secs_f64(),
            self.phase.lasts.as_secs_f64(),
            self.users,
            match model {
                Model::Closed => "",
                Model::Open { .. } => " at work",
            }
        )?;
        writeln!(
            out,
            "  {DIM}{:<8} {:>9} {:>10} {:>10} {:>10} {:>10} {:>9}{DIM:#}",
            "", "rate", "p50", "p95", "p99", "longest", "errors"
        )?;
        for (name, totals) in [("now", &self.last), ("so far", &self.all)] {
            let style = if totals.errors > 0 { RED } else { Style::new() };
            writeln!(
                out,
                "  {name:<8} {:>7.0}/s {:>10} {:>10} {:>10} {:>10} {style}{:>9}{style:#}",
                totals.rate(),
                totals.quantile(0.5),
                totals.quantile(0.95),
                totals.quantile(0.99),
                totals.quantile(1.0),
                totals.failed()
            )?;
        }
        for (name, values) in [("rate", &self.rates), ("p95", &self.p95s)] {
            writeln!(out, "  {DIM}{name:<8}{DIM:#} {}", curve(values))?;
        }
        self.write_generator(out)?;
        let classes = CLASSES.min(rows.saturating_sub(WITHOUT_HISTOGRAM + 2));
        if classes >= 3 {
            histogram(out, &self.all.answered, classes);
        }
        Ok(())
    }

    fn write_generator(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "  {DIM}sender{DIM:#}  ")?;
        match &self.generator {
            None => write!(out, " –")?,
            Some(sample) => {
                let permille = |n: u32| show_percent(f64::from(n) / 1000.0);
                write!(out, " {} of its core", permille(sample.cpu_permille))?;
                if sample.starved_permille > 0 {
                    write!(out, ", kept waiting {}", permille(sample.starved_permille))?;
                }
                if let Some(lag) = sample.lag.quantile(0.99) {
                    write!(out, ", p99 lag {}", show_duration(lag))?;
                }
            }
        }
        if let Some(late) = self.delay.quantile(0.99) {
            write!(out, ", p99 sent late by {}", show_duration(late))?;
        }
        if self.dropped > 0 {
            write!(
                out,
                ", {RED}{} of {} journeys not begun{RED:#}",
                self.dropped, self.arrived
            )?;
        }
        writeln!(out)
    }
}

/// Values over time as a line of blocks, from nothing to the highest of them.
fn curve(values: &VecDeque<f64>) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let block = |value: &f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 7"
        )]
        let n = (value / most.max(f64::MIN_POSITIVE) * 7.0).round() as usize;
        BLOCKS[n.min(7)]
    };
    values.iter().map(block).collect()
}
