//! Rows of test data from a CSV file, and which row a virtual user gets.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::sounds_secret;
use super::source::{Finding, SourceFile, Span};

/// How rows are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// One after the other, over all users, from the top again at the end.
    Sequential,
    /// Any row, anew for each iteration.
    Random,
    /// Each virtual user keeps a row that no other one has.
    Unique,
}

/// A table of test data.
#[derive(Debug)]
pub struct Data {
    /// Names of the columns.
    pub columns: Vec<String>,
    rows: Vec<Vec<String>>,
    pick: Pick,
    next: AtomicUsize,
}

/// One row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    data: Arc<Data>,
    index: usize,
}

impl Row {
    /// The values in columns that are called like secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let named = self.data.columns.iter().filter(|c| sounds_secret(c));
        named.filter_map(|column| self.get(column))
    }

    /// The value in a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let column = self.data.columns.iter().position(|c| c == column)?;
        self.data
            .rows
            .get(self.index)?
            .get(column)
            .map(String::as_str)
    }
}

impl Data {
    /// Reads a CSV file with a header line.
    ///
    /// # Errors
    /// A [`Finding`] at `asked` (where the scenario names the file) or in the CSV file itself.
    pub fn read(
        path: &Path,
        pick: Pick,
        scenario: &SourceFile,
        asked: &Span,
    ) -> Result<Self, Finding> {
        let at_scenario = |message: String| Finding::at(scenario, asked.clone(), message);
        let source = SourceFile::read(path).map_err(|f| {
            at_scenario(f.message).help("the path is relative to the scenario's file")
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::Headers)
            .from_reader(source.text.as_bytes());
        let in_file = |error: &csv::Error| {
            let offset = error
                .position()
                .and_then(|p| usize::try_from(p.byte()).ok())
                .unwrap_or(0);
            Finding::at(&source, offset..offset, format!("not valid CSV: {error}"))
        };
        let columns: Vec<String> = reader
            .headers()
            .map_err(|e| in_file(&e))?
            .iter()
            .map(str::to_owned)
            .collect();
        for (n, column) in columns.iter().enumerate() {
            if column.is_empty() || columns[..n].contains(column) {
                return Err(Finding::at(
                    &source,
                    0..0,
                    format!("column {} has no name of its own", n + 1),
                )
                .help("the first line names each column once"));
            }
        }
        let rows = reader
            .records()
            .map(|record| {
                record
                    .map(|r| r.iter().map(str::to_owned).collect())
                    .map_err(|e| in_file(&e))
            })
            .collect::<Result<Vec<Vec<String>>, _>>()?;
        if rows.is_empty() {
            return Err(at_scenario(format!("{} has no rows", path.display()))
                .help("a data file needs at least one row"));
        }
        Ok(Self {
            columns,
            rows,
            pick,
            next: AtomicUsize::new(0),
        })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows; never so for a table that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How rows are given out.
    #[must_use]
    pub fn pick(&self) -> Pick {
        self.pick
    }

    /// The row for an iteration. `own` is the row that the user had before, `random` any number.
    pub fn row(self: &Arc<Self>, own: Option<&Row>, random: usize) -> Row {
        let index = match (self.pick, own) {
            (Pick::Unique, Some(row)) => row.index,
            (Pick::Random, _) => random % self.rows.len(),
            (Pick::Unique | Pick::Sequential, _) => {
                self.next.fetch_add(1, Ordering::Relaxed) % self.rows.len()
            }
        };
        Row {
            data: Arc::clone(self),
            index,
        }
    }
}
