//! Reads typed values out of a tree of nodes. Unknown keys, wrong types and missing keys become findings; all are told, not only the first.

use std::cell::RefCell;
use std::time::Duration;

use super::node::{Node, Value};
use super::source::{Finding, Findings, Located, SourceFile, Span, nearest};
use crate::units::{UnitError, parse_duration};

/// A group of keys being read. Every key must be taken; [`Group::finish`] finds those that nobody asked for.
pub(super) struct Group<'a> {
    /// The file, for findings.
    pub(super) source: &'a SourceFile,
    /// Where findings go.
    pub(super) findings: &'a RefCell<Findings>,
    /// What the group is, for messages: `a step`.
    what: &'static str,
    /// Where the group stands.
    pub(super) span: Span,
    entries: &'a [(Located<String>, Node)],
    known: Vec<&'static str>,
}

impl<'a> Group<'a> {
    /// Begins to read a node as a group of keys; nothing (and a finding) if it is none.
    pub(super) fn open(
        source: &'a SourceFile,
        findings: &'a RefCell<Findings>,
        node: &'a Node,
        what: &'static str,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            findings.borrow_mut().push(Finding::at(
                source,
                node.span.clone(),
                format!(
                    "{what} is a group of keys, and this is {}",
                    node.value.kind()
                ),
            ));
            return None;
        };
        // A block mapping has no span of its own: its first key stands for it.
        let span = entries
            .first()
            .map_or(node.span.clone(), |(key, _)| key.span.clone());
        Some(Self {
            source,
            findings,
            what,
            span,
            entries,
            known: Vec::new(),
        })
    }

    /// Adds a finding.
    pub(super) fn find(&self, span: Span, message: impl Into<String>) {
        self.add(Finding::at(self.source, span, message));
    }

    /// Adds a finding that was made already.
    pub(super) fn add(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// The node under a key, and from now on the key is known.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let entries = self.entries;
        entries
            .iter()
            .find(|(k, _)| k.value == key)
            .map(|(_, node)| node)
            .filter(|n| n.value != Value::Null)
    }

    /// The key as it stands in the file, with its place.
    #[must_use]
    pub(super) fn key(&self, key: &str) -> Option<&'a Located<String>> {
        let entries = self.entries;
        entries.iter().find(|(k, _)| k.value == key).map(|(k, _)| k)
    }

    /// All keys and values, for groups whose keys are names that people choose.
    #[must_use]
    pub(super) fn all(&self) -> &'a [(Located<String>, Node)] {
        self.entries
    }

    /// Text under a key. Numbers and booleans are taken as they would be written.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        let node = self.take(key)?;
        self.as_text(node, key)
    }

    /// Text under a key that must be there.
    pub(super) fn required_text(&mut self, key: &'static str) -> Option<Located<String>> {
        let present = self.key(key).is_some();
        let text = self.text(key);
        if !present || (text.is_none() && self.take_again(key).is_none()) {
            self.missing(key);
        }
        text
    }

    fn take_again(&self, key: &str) -> Option<&'a Node> {
        let entries = self.entries;
        entries
            .iter()
            .find(|(k, _)| k.value == key)
            .map(|(_, n)| n)
            .filter(|n| n.value != Value::Null)
    }

    /// Finds that a key is missing.
    pub(super) fn missing(&self, key: &str) {
        self.add(
            Finding::at(
                self.source,
                self.span.clone(),
                format!("{} needs `{key}`", self.what),
            )
            .label(format!("`{key}` is missing here")),
        );
    }

    /// A node as text.
    pub(super) fn as_text(&self, node: &Node, key: &str) -> Option<Located<String>> {
        let value = match &node.value {
            Value::Str(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            other => {
                self.find(
                    node.span.clone(),
                    format!("`{key}` is text, and this is {}", other.kind()),
                );
                return None;
            }
        };
        Some(Located {
            value,
            span: node.span.clone(),
        })
    }

    /// `true` or `false` under a key.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.find(
            node.span.clone(),
            format!(
                "`{key}` is true or false, and this is {}",
                node.value.kind()
            ),
        );
        None
    }

    /// A whole number in a range under a key.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let node = self.take(key)?;
        let number = match node.value {
            Value::Int(number) => u32::try_from(number).ok().filter(|n| range.contains(n)),
            _ => None,
        };
        if number.is_none() {
            let message = if range.start() == range.end() {
                format!(
                    "`{key}` is {}, the only version that this program reads",
                    range.start()
                )
            } else {
                format!(
                    "`{key}` is a whole number from {} to {}",
                    range.start(),
                    range.end()
                )
            };
            self.find(node.span.clone(), message);
        }
        number
    }

    /// A value with a unit under a key.
    pub(super) fn unit<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.find(text.span, error.to_string());
                None
            }
        }
    }

    /// A duration under a key.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.unit(key, parse_duration)
    }

    /// The items of a list under a key; a single value counts as a list of one.
    pub(super) fn items(&mut self, key: &'static str) -> &'a [Node] {
        match self.take(key) {
            None => &[],
            Some(Located {
                value: Value::List(items),
                ..
            }) => items,
            Some(node) => std::slice::from_ref(node),
        }
    }

    /// A list of texts under a key; a single text counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Located<String>> {
        let items = self.items(key);
        items
            .iter()
            .filter_map(|item| self.as_text(item, key))
            .collect()
    }

    /// A group of keys under a key.
    pub(super) fn group(&mut self, key: &'static str, what: &'static str) -> Option<Group<'a>> {
        let node = self.take(key)?;
        Group::open(self.source, self.findings, node, what)
    }

    /// Ends the reading: every key that nobody asked for is a finding, with the nearest known word.
    pub(super) fn finish(self) {
        for (key, _) in self.entries {
            if self.known.contains(&key.value.as_str()) {
                continue;
            }
            let finding = Finding::at(
                self.source,
                key.span.clone(),
                format!("unknown key `{}`", key.value),
            )
            .label(format!("not a key of {}", self.what));
            let help = nearest(&key.value, self.known.iter().copied()).map_or_else(
                || format!("known keys: {}", self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.add(finding.help(help));
        }
    }
}
