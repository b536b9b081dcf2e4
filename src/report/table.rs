//! The figures of a load for an engineer at a terminal: a line per step, and how the answers were spread.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;

use super::words;
use crate::decision::{LatencyFigures, LoadAccount, StepAccount};
use crate::event::Latency;
use crate::units::{show_duration, show_percent};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const HEADS: [&str; 10] = [
    "step", "requests", "rate", "p50", "p95", "p99", "longest", "p95 sent", "first", "errors",
];
/// Width of the longest bar of the histogram.
const BAR: usize = 40;

/// The figures of the judged phase; with colours, which whoever prints it takes off where they don't belong.
#[must_use]
pub fn load_table(load: &LoadAccount) -> String {
    let held = load.held_for().unwrap_or_default();
    let rows: Vec<_> = load.steps.iter().map(|step| row(step, held)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|r| r[column].chars().count());
        cells.chain([HEADS[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: &[String]| {
        let mut out = format!("  {:<1$}", cells[0], width(0));
        for (n, cell) in cells.iter().enumerate().skip(1) {
            out.push_str(&format!("  {cell:>0$}", width(n)));
        }
        out
    };
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "\n  {BOLD}{}{BOLD:#} {DIM}for {}{DIM:#}\n",
        words::offered(&load.planned),
        show_duration(held)
    );
    let _ = writeln!(out, "{DIM}{}{DIM:#}", line(&HEADS.map(str::to_owned)));
    for cells in &rows {
        let _ = writeln!(out, "{}", line(cells));
    }
    let mut all = Latency::new();
    for step in &load.steps {
        all.merge(&step.total.answered());
    }
    histogram(&mut out, &all, usize::MAX);
    let _ = writeln!(
        out,
        "\n  {DIM}answers by status:{DIM:#} {}",
        words::statuses(&load.total())
    );
    if load.dropped() > 0 {
        let _ = writeln!(
            out,
            "  {} of {} journeys were dropped",
            load.dropped(),
            load.arrived()
        );
    }
    for step in load.steps.iter().filter(|s| s.total.failures() > 0) {
        let _ = writeln!(out, "  {}: {}", step.step, words::kinds(&step.total));
    }
    out
}

fn row(step: &StepAccount, held: Duration) -> [String; HEADS.len()] {
    let show = |us: u64| show_duration(Duration::from_micros(us));
    let none = || "–".to_owned();
    let of = |latency: &Latency, which: fn(&LatencyFigures) -> u64| {
        LatencyFigures::of(latency).map_or_else(none, |f| show(which(&f)))
    };
    let total = &step.total;
    let answered = total.answered();
    let n = total.count();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let (rate, errors) = (
        n as f64 / held.as_secs_f64().max(1e-9),
        total.failures() as f64 / n.max(1) as f64,
    );
    [
        step.step.to_string(),
        n.to_string(),
        format!("{rate:.0}/s"),
        of(&answered, |f| f.p50_us),
        of(&answered, |f| f.p95_us),
        of(&answered, |f| f.p99_us),
        of(&answered, |f| f.max_us),
        of(&total.service, |f| f.p95_us),
        of(&total.first_token, |f| f.p95_us),
        if n == 0 { none() } else { show_percent(errors) },
    ]
}

/// How the answers were spread: classes that double in width, from the fastest to the slowest; what would be more of
/// them than asked for is put into the first.
pub(super) fn histogram(out: &mut String, all: &Latency, at_most: usize) {
    let mut classes = all.doubling_classes();
    let below = classes.len().saturating_sub(at_most);
    let fast: u64 = classes.drain(..below).map(|(_, n)| n).sum();
    if let Some((_, n)) = classes.first_mut() {
        *n += fast;
    }
    let most = classes.iter().map(|(_, n)| *n).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let _ = writeln!(out);
    for (to, n) in classes {
        #[expect(clippy::cast_precision_loss, reason = "a share of the width of a bar")]
        let share = n as f64 / most as f64;
        let _ = writeln!(
            out,
            "  {DIM}≤ {:>9}{DIM:#}  {:<BAR$}  {n}",
            show_duration(to),
            bar(share, BAR, '█')
        );
    }
}

/// A bar of so much of a width; anything at all is seen.
pub(super) fn bar(share: f64, width: usize, cell: char) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of cells of a terminal"
    )]
    let length = (share * width as f64).ceil() as usize;
    std::iter::repeat_n(cell, length.min(width)).collect()
}
