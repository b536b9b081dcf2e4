//! `summary.md`: the decision for a CI job's page, well under the size that such pages take.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Reporter, words};
use crate::decision::{Check, Evaluation, LatencyFigures, Verdict};
use crate::units::{show_duration, show_percent};

/// Rows of one table; the report has them all.
const MAX_ROWS: usize = 40;

pub(super) struct Markdown;

impl Reporter for Markdown {
    fn file(&self) -> &'static str {
        "summary.md"
    }

    fn render(
        &self,
        evaluation: &Evaluation,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut out = String::new();
        write(&mut out, evaluation)?;
        Ok(out.into_bytes())
    }
}

fn write(out: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let verdict = evaluation.decision.verdict;
    let mark = match verdict {
        Verdict::Pass => "✅",
        Verdict::Concerns | Verdict::Waived => "🟡",
        Verdict::Fail => "❌",
        Verdict::Inconclusive | Verdict::Held => "⚪",
    };
    writeln!(
        out,
        "## {mark} {verdict}: {}\n",
        cell(&words::headline(evaluation))
    )?;
    if let Some(change) = words::what_would_change(evaluation) {
        writeln!(out, "{}\n", cell(&change))?;
    }
    let attention = words::attention(evaluation);
    if !attention.is_empty() {
        writeln!(
            out,
            "| outcome | check | expected | seen | asked at |\n|---|---|---|---|---|"
        )?;
        for check in attention.iter().take(MAX_ROWS) {
            write_row(out, check)?;
        }
        if attention.len() > MAX_ROWS {
            writeln!(
                out,
                "\n… and {} more in the report.",
                attention.len() - MAX_ROWS
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out, "| stage | checks | time |\n|---|---|---|")?;
    for stage in &evaluation.stages {
        let tally = words::tally(words::of_stage(evaluation, stage.stage));
        writeln!(
            out,
            "| {} | {tally} | {} |",
            stage.stage,
            cell(&words::stage_state(stage))
        )?;
    }
    write_steps(out, evaluation)?;
    let open = words::not_checked(evaluation);
    if !open.is_empty() {
        writeln!(
            out,
            "\n<details><summary>Not checked: {}</summary>\n",
            open.len()
        )?;
        for check in open.iter().take(MAX_ROWS) {
            writeln!(
                out,
                "- `{}`: {}",
                code(&check.declared.id),
                cell(check.seen.as_str())
            )?;
        }
        if open.len() > MAX_ROWS {
            writeln!(out, "- … and {} more in the report", open.len() - MAX_ROWS)?;
        }
        writeln!(out, "\n</details>")?;
    }
    writeln!(
        out,
        "\n`{}` · {} · {} · gates {}",
        code(&evaluation.run.run_id),
        evaluation.decision.conservation,
        show_duration(Duration::from_micros(evaluation.took_us)),
        evaluation.run.tool_version
    )
}

fn write_row(out: &mut String, check: &Check) -> std::fmt::Result {
    let detail = check.details.first();
    let expected = detail.map_or(check.expected.as_str(), |d| &d.expected);
    let seen = detail.map_or(&check.seen, |d| &d.seen);
    let source = detail
        .and_then(|d| d.source.as_ref())
        .or(check.declared.source.as_ref());
    writeln!(
        out,
        "| {} {} | `{}` | {} | {} | {} |",
        words::sign(check.outcome),
        check.outcome,
        code(&check.declared.id),
        cell(expected),
        cell(seen.as_str()),
        source.map_or_else(String::new, |s| format!("`{}`", code(&s.to_string())))
    )
}

fn write_steps(out: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let Some(load) = &evaluation.load else {
        return Ok(());
    };
    writeln!(
        out,
        "\n| step under load | n | p50 | p95 | p99 | errors |\n|---|--:|--:|--:|--:|--:|"
    )?;
    for account in load.steps.iter().take(MAX_ROWS) {
        let figures = LatencyFigures::of(&account.total.answered());
        let show = |us: fn(&LatencyFigures) -> u64| {
            figures.as_ref().map_or_else(
                || "–".to_owned(),
                |f| show_duration(Duration::from_micros(us(f))),
            )
        };
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let errors = match account.total.count() {
            0 => "–".to_owned(),
            n => show_percent(account.total.failures() as f64 / n as f64),
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {errors} |",
            cell(&account.step.to_string()),
            account.total.count(),
            show(|f| f.p50_us),
            show(|f| f.p95_us),
            show(|f| f.p99_us)
        )?;
    }
    Ok(())
}

/// Text that neither ends a table's cell nor becomes markup: what a stack says is shown, never obeyed.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '\\' | '@' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text for between backquotes.
fn code(text: &str) -> String {
    text.replace(['`', '|', '\n', '\r'], "'")
}
