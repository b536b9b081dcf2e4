//! The decision for an engineer at a terminal: the verdict, what failed with where and what to do, where the report is.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::words;
use crate::decision::{Check, Evaluation, Outcome, Verdict};
use crate::event::Subject;
use crate::units::show_duration;

/// More than these are better read in the report.
const MAX_SHOWN: usize = 12;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The text of the decision, with colours; whoever prints it takes them off where they don't belong.
#[must_use]
pub fn summary(evaluation: &Evaluation, folder: &Path) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = write(&mut out, evaluation, folder);
    out
}

/// Only what is not as asked, and where the report is: for a run that decides about no release.
#[must_use]
pub fn short(evaluation: &Evaluation, folder: &Path) -> String {
    let mut out = String::new();
    let open = words::not_checked(evaluation);
    for reason in evaluation
        .decision
        .reasons
        .iter()
        .take(disturbances(evaluation))
    {
        let _ = writeln!(out, "  {reason}");
    }
    for check in words::attention(evaluation).into_iter().chain(open) {
        if !is_search(check) {
            let sign = words::sign(check.outcome);
            let _ = writeln!(out, "  {sign} {}: {}", check.declared.id, check.seen);
        }
    }
    // What a search came to is what it was run for, also when all is well.
    for check in evaluation.checks.iter().filter(|c| is_search(c)) {
        for attempt in &check.details {
            let _ = writeln!(out, "  {}: {}", attempt.expected, attempt.seen);
        }
        let (sign, colour) = (words::sign(check.outcome), outcome_style(check.outcome));
        let _ = writeln!(
            out,
            "\n  {colour}{sign}{colour:#} {BOLD}{}{BOLD:#}",
            check.seen
        );
    }
    let _ = write!(
        out,
        "  {DIM}report{DIM:#}  {}",
        folder.join("report.html").display()
    );
    out
}

fn is_search(check: &Check) -> bool {
    matches!(check.declared.subject, Subject::Breakpoint { .. })
}

fn write(out: &mut String, evaluation: &Evaluation, folder: &Path) -> std::fmt::Result {
    let verdict = evaluation.decision.verdict;
    let colour = verdict_style(verdict);
    writeln!(out)?;
    writeln!(
        out,
        "{colour} {verdict} {colour:#} {BOLD}{}{BOLD:#}",
        words::headline(evaluation)
    )?;
    for reason in evaluation
        .decision
        .reasons
        .iter()
        .take(disturbances(evaluation))
    {
        writeln!(out, "  {reason}")?;
    }
    let attention = words::attention(evaluation);
    for check in attention.iter().take(MAX_SHOWN) {
        write_check(out, check)?;
    }
    if attention.len() > MAX_SHOWN {
        writeln!(
            out,
            "\n  … and {} more in the report",
            attention.len() - MAX_SHOWN
        )?;
    }
    let open = words::not_checked(evaluation);
    if !open.is_empty() {
        writeln!(out, "\n  {BOLD}not checked{BOLD:#}")?;
        let mut reasons: Vec<(&str, Vec<&Check>)> = Vec::new();
        for check in open {
            match reasons
                .iter_mut()
                .find(|(seen, _)| *seen == check.seen.as_str())
            {
                Some((_, checks)) => checks.push(check),
                None => reasons.push((check.seen.as_str(), vec![check])),
            }
        }
        for (seen, checks) in reasons.iter().take(MAX_SHOWN) {
            let first = &checks[0].declared.id;
            let more = if checks.len() > 1 {
                format!(" and {} more", checks.len() - 1)
            } else {
                String::new()
            };
            writeln!(
                out,
                "  {} {first}{more}: {DIM}{seen}{DIM:#}",
                words::sign(checks[0].outcome)
            )?;
        }
        if reasons.len() > MAX_SHOWN {
            writeln!(out, "  … and more in the report")?;
        }
    }
    writeln!(out)?;
    writeln!(
        out,
        "  {DIM}checks{DIM:#}  {}",
        evaluation.decision.conservation
    )?;
    if let Some(change) = words::what_would_change(evaluation) {
        writeln!(out, "  {DIM}change{DIM:#}  {change}")?;
    }
    let took = show_duration(Duration::from_micros(evaluation.took_us));
    writeln!(out, "  {DIM}took{DIM:#}    {took}")?;
    writeln!(
        out,
        "  {DIM}report{DIM:#}  {}",
        folder.join("report.html").display()
    )
}

/// How many of the reasons are not about a check: those come first, and only for runs without a verdict.
fn disturbances(evaluation: &Evaluation) -> usize {
    match evaluation.decision.verdict {
        Verdict::Inconclusive => {
            let about_check = |r: &&String| {
                evaluation
                    .checks
                    .iter()
                    .any(|c| r.starts_with(&c.declared.id))
            };
            evaluation
                .decision
                .reasons
                .iter()
                .take_while(|r| !about_check(r))
                .count()
        }
        _ => 0,
    }
}

fn write_check(out: &mut String, check: &Check) -> std::fmt::Result {
    let colour = outcome_style(check.outcome);
    let sign = words::sign(check.outcome);
    writeln!(
        out,
        "\n{colour}{sign} {}{colour:#}  {BOLD}{}{BOLD:#}",
        check.outcome, check.declared.id
    )?;
    if let Some(request) = &check.request {
        writeln!(out, "    sent      {request}")?;
    }
    if check.details.is_empty() {
        writeln!(out, "    expected  {}", check.expected)?;
        writeln!(out, "    seen      {}", check.seen)?;
        if let Some(source) = &check.declared.source {
            writeln!(out, "    asked at  {source}")?;
        }
    }
    for detail in check.details.iter().take(3) {
        writeln!(out, "    expected  {}", detail.expected)?;
        writeln!(out, "    seen      {}", detail.seen)?;
        if let Some(source) = detail.source.as_ref().or(check.declared.source.as_ref()) {
            writeln!(out, "    asked at  {source}")?;
        }
    }
    if check.details.len() > 3 {
        writeln!(out, "    … and {} more", check.details.len() - 3)?;
    }
    writeln!(out, "    {DIM}to do     {}{DIM:#}", check.declared.remedy)
}

fn verdict_style(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Concerns | Verdict::Waived | Verdict::Held | Verdict::Inconclusive => {
            AnsiColor::Yellow
        }
        Verdict::Fail => AnsiColor::Red,
    };
    Style::new()
        .bold()
        .fg_color(Some(AnsiColor::Black.into()))
        .bg_color(Some(colour.into()))
}

/// The colour of an outcome on a terminal.
pub(super) fn outcome_style(outcome: Outcome) -> Style {
    let colour = match outcome {
        Outcome::Pass => AnsiColor::Green,
        Outcome::Fail | Outcome::Error => AnsiColor::Red,
        Outcome::Warn | Outcome::Held | Outcome::Inconclusive => AnsiColor::Yellow,
        Outcome::NotApplicable => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(colour.into()))
}
