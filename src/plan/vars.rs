//! Environment variables and env files as the plan sees them: one snapshot, so that a run can't change under its own feet.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::{Finding, SourceFile};

/// Names of environment variables. What was set later wins: env file, then process, then the embedded stack.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    set: BTreeMap<String, String>,
    unset: Unset,
}

/// What becomes of a variable that nobody set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Unset {
    #[default]
    Refuse,
    StandIn,
}

/// Stands for the value of a variable that only a run will know; no file can hold it by accident.
pub(super) const STAND_IN: &str = "\u{fffc}";

impl Vars {
    /// The variables of this process that are valid text.
    #[must_use]
    pub fn of_process() -> Self {
        let set = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        Self {
            set,
            unset: Unset::Refuse,
        }
    }

    /// A variable's value; an empty one counts as not set, as in Compose files.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// From now on, a variable that is not set is no mistake: something stands in for it. For checks that send nothing.
    pub fn stand_in_for_unset(&mut self) {
        self.unset = Unset::StandIn;
    }

    /// A variable's value for a template, or what stands in for it.
    pub(super) fn for_template(&self, name: &str) -> Option<&str> {
        match self.unset {
            Unset::Refuse => self.get(name),
            Unset::StandIn => self.get(name).or(Some(STAND_IN)),
        }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.set.insert(name.into(), value.into());
    }

    /// All names, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.set.keys().map(String::as_str)
    }

    /// Adds the variables of an env file, but does not replace what is set already.
    ///
    /// # Errors
    /// A [`Finding`] for a file that can't be read or a line that is not `NAME=value`.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Finding> {
        let source = SourceFile::read(path)?;
        for (name, value) in parse_env_file(&source)? {
            self.set.entry(name).or_insert(value);
        }
        Ok(())
    }
}

/// Lines of `NAME=value`, `export NAME="value"`, comments and blanks.
fn parse_env_file(source: &SourceFile) -> Result<Vec<(String, String)>, Finding> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let assignment = text.strip_prefix("export ").unwrap_or(text);
        let valid = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match assignment.split_once('=') {
            Some((name, value)) if valid(name.trim()) => {
                found.push((name.trim().to_owned(), unquote(value.trim())));
            }
            _ => {
                // The line itself may be a secret: point at it, don't show it.
                let place = source.place(start);
                return Err(Finding::about_file(
                    &source.name,
                    format!("line {} is not NAME=value", place.line),
                    "write one variable per line; comments begin with #",
                ));
            }
        }
    }
    Ok(found)
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or(rest).to_owned();
        }
    }
    // As in shells, a comment needs a space before its sign.
    value
        .split(" #")
        .next()
        .unwrap_or(value)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files() {
        let text =
            "# c\n\nA=1\nexport B=\"two words # no comment\"\nC='x=y' # c\nD=a b # c\nE=\nF=p#q\n";
        let found = parse_env_file(&SourceFile::new(".env", text)).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("A", "1"),
                ("B", "two words # no comment"),
                ("C", "x=y"),
                ("D", "a b"),
                ("E", ""),
                ("F", "p#q")
            ]
        );
        let error = parse_env_file(&SourceFile::new(".env", "A=1\nhunter2\n")).unwrap_err();
        assert!(
            !error.to_string().contains("hunter2"),
            "an env file's lines are not shown: {error}"
        );
        insta::assert_snapshot!(error.render(false), @r"
        error: .env line 2 is not NAME=value
         |
         = help: write one variable per line; comments begin with #
        ");
    }

    #[test]
    fn what_is_set_already_wins_over_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".env");
        std::fs::write(&file, "A=file\nB=file\n").unwrap();
        let mut vars = Vars::default();
        vars.set("A", "process");
        vars.add_file(&file).unwrap();
        assert_eq!(
            (vars.get("A"), vars.get("B"), vars.get("C")),
            (Some("process"), Some("file"), None)
        );
    }
}
