//! Renders a judged run for people and machines. Nothing here decides; a reporter that fails never stops the others.

mod chart;
mod html;
mod json;
mod junit;
mod markdown;
mod progress;
mod resources;
mod table;
mod terminal;
pub mod words;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::decision::Evaluation;

pub use progress::Progress;
pub use table::load_table;
pub use terminal::{short, summary};

/// One way to render a run into one file.
trait Reporter {
    /// Name of the file in the run's folder.
    fn file(&self) -> &'static str;
    /// Renders it.
    fn render(
        &self,
        evaluation: &Evaluation,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

const REPORTERS: [&dyn Reporter; 4] = [
    &json::RunJson,
    &html::Html,
    &junit::JUnit,
    &markdown::Markdown,
];

/// A report that could not be rendered or written.
#[derive(Debug, thiserror::Error)]
#[error("can't write {}: {problem}", path.display())]
pub struct ReportError {
    path: PathBuf,
    problem: String,
}

/// Renders all reports of a run into its folder; returns those that failed.
#[must_use]
pub fn write_all(folder: &Path, evaluation: &Evaluation) -> Vec<ReportError> {
    let mut failed = Vec::new();
    for reporter in REPORTERS {
        let path = folder.join(reporter.file());
        let written = reporter
            .render(evaluation)
            .map_err(|e| with_causes(&*e))
            .and_then(|bytes| write_whole(&path, &bytes).map_err(|e| e.to_string()));
        if let Err(problem) = written {
            failed.push(ReportError { path, problem });
        }
    }
    failed
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Writes a file whole or not at all: CI may pick it up at any moment.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&unfinished, path)
    };
    write().inspect_err(|_| {
        // What is left of it helps nobody; that it can't be removed either is not the news.
        let _ = std::fs::remove_file(&unfinished);
    })
}
