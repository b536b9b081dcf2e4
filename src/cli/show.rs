//! The only place that prints: results to standard output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::plan::Finding;

const RED: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// Prints a result. A reader that has gone away is no error.
pub(super) fn out(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints news beside the result.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error of the program's own.
pub(super) fn error(text: &str) {
    let _ = writeln!(anstream::stderr(), "{RED}error{RED:#}: {text}");
}

/// Prints what is wrong with files that people wrote.
pub(super) fn findings(findings: &[Finding]) {
    let styled = std::io::stderr().is_terminal();
    for finding in findings {
        note(&format!("{}\n", finding.render(styled)));
    }
    let s = if findings.len() == 1 { "" } else { "s" };
    note(&format!("{} finding{s}; nothing was sent.", findings.len()));
}
