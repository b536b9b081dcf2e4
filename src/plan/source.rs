//! Files as people wrote them, and findings about them: file, line, column, the line itself and a caret.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::event::SourceRef;

/// Files larger than this are not plans.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The text of one file and the name it goes by in messages.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path as shown.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Makes a source of text that was not read from a disk.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Reads a file of at most 8 MB of UTF-8.
    ///
    /// # Errors
    /// A [`Finding`] that says why not.
    pub fn read(path: &Path) -> Result<Self, Finding> {
        let name = path.display().to_string();
        let problem = |what: String, help: &str| Finding::about_file(&name, what, help);
        let size = std::fs::metadata(path)
            .map_err(|e| {
                problem(
                    format!("can't be read: {e}"),
                    "check the path and its permissions",
                )
            })?
            .len();
        if size > MAX_BYTES {
            return Err(problem(
                format!("has {size} bytes"),
                "a plan file may have up to 8 MB",
            ));
        }
        let bytes = std::fs::read(path).map_err(|e| {
            problem(
                format!("can't be read: {e}"),
                "check the path and its permissions",
            )
        })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| problem("is not UTF-8 text".to_owned(), "save it as UTF-8"))?;
        Ok(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// The line and column of a byte offset, each from 1.
    #[must_use]
    pub fn place(&self, offset: usize) -> SourceRef {
        let before = self
            .text
            .get(..offset.min(self.text.len()))
            .unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        SourceRef {
            file: self.name.to_string(),
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }
}

impl SourceFile {
    /// The byte offset of a place in this file; the inverse of [`Self::place`].
    #[must_use]
    pub fn offset(&self, place: &SourceRef) -> usize {
        let line = usize::try_from(place.line.saturating_sub(1)).unwrap_or(0);
        let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(0);
        let line_start: usize = self
            .text
            .split_inclusive('\n')
            .take(line)
            .map(str::len)
            .sum();
        let rest = self.text.get(line_start..).unwrap_or_default();
        line_start
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(n, _)| n)
    }
}

/// A stretch of a source file, in bytes.
pub(crate) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands in its file.
    pub span: Span,
}

/// Something wrong in a file that somebody wrote.
#[derive(Debug, Clone)]
pub struct Finding {
    file: Arc<str>,
    text: Option<Arc<str>>,
    span: Span,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What stands at the caret.
    label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Finding {
    /// A finding at a place in a file.
    #[must_use]
    pub fn at(source: &SourceFile, span: Span, message: impl Into<String>) -> Self {
        let end = span.end.min(source.text.len());
        Self {
            file: Arc::clone(&source.name),
            text: Some(Arc::clone(&source.text)),
            span: span.start.min(end)..end,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    /// A finding about a whole file, or about one that is not there.
    #[must_use]
    pub fn about_file(name: &str, message: impl fmt::Display, help: &str) -> Self {
        Self {
            file: name.into(),
            text: None,
            span: 0..0,
            message: format!("{name} {message}"),
            label: String::new(),
            help: Some(help.to_owned()),
        }
    }

    /// Adds words at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where it stands; nothing for findings about whole files.
    #[must_use]
    pub fn place(&self) -> Option<SourceRef> {
        let text = self.text.clone()?;
        Some(
            SourceFile {
                name: Arc::clone(&self.file),
                text,
            }
            .place(self.span.start),
        )
    }

    /// The finding as it is shown, with or without colours.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let title = Level::ERROR.primary_title(&self.message);
        let mut group = match &self.text {
            Some(text) => {
                let mut annotation = AnnotationKind::Primary.span(self.span.clone());
                if !self.label.is_empty() {
                    annotation = annotation.label(&self.label);
                }
                title.element(
                    Snippet::source(&**text)
                        .path(&*self.file)
                        .annotation(annotation),
                )
            }
            None => Group::with_title(title),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group]).to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Collects findings while a file is read, so that all are told at once.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Takes the value of a result, or keeps its finding.
    pub(super) fn keep<T>(&mut self, result: Result<T, Finding>) -> Option<T> {
        result.map_err(|finding| self.push(finding)).ok()
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub(super) fn into_vec(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|f| f.span.start);
        self.0
    }

    /// Whether nothing was found.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The known word that is nearest to an unknown one, if one is near.
#[must_use]
pub(super) fn nearest<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| {
            (
                strsim::damerau_levenshtein(&unknown.to_lowercase(), &word.to_lowercase()),
                word,
            )
        })
        .filter(|(distance, word)| *distance <= 1.max(word.len() / 3))
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_in_characters() {
        let source = SourceFile::new("f", "añb\nc");
        assert_eq!((source.place(0).line, source.place(0).column), (1, 1));
        assert_eq!((source.place(3).line, source.place(3).column), (1, 3));
        assert_eq!((source.place(5).line, source.place(5).column), (2, 1));
        assert_eq!(
            source.place(500).line,
            2,
            "an offset behind the end is the end"
        );
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["expect", "capture", "headers"];
        assert_eq!(nearest("expcet", known), Some("expect"));
        assert_eq!(nearest("Header", known), Some("headers"));
        assert_eq!(nearest("zebra", known), None);
    }

    #[test]
    fn a_finding_shows_its_line_and_what_to_do() {
        let source = SourceFile::new("a.yaml", "name: x\nexpcet: []\n");
        let finding = Finding::at(&source, 8..14, "unknown key `expcet`")
            .label("not a key of a step")
            .help("did you mean `expect`?");
        insta::assert_snapshot!(finding.render(false));
    }
}
