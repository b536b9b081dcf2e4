//! Expectations and captures: one-line strings, `query predicate value`, compiled once and asked of every answer.

mod headers;
mod lookup;
mod parse;
mod predicate;
mod query;
mod reply;

use std::borrow::Cow;

use crate::event::SourceRef;

pub use headers::Headers;
pub use predicate::Predicate;
pub use query::Query;
pub use reply::Reply;

/// What must hold of an answer: `jsonpath $.status == healthy`.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// As it stands in the file.
    pub text: String,
    /// Where it stands.
    pub place: SourceRef,
    pub(crate) query: Query,
    pub(crate) predicate: Predicate,
}

/// What an expectation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it held.
    pub held: bool,
    /// The value that was there, for a reader; not yet redacted.
    pub seen: String,
}

impl Expectation {
    /// Whether the expectation holds, without saying what was seen.
    #[must_use]
    pub fn holds(&self, reply: &Reply<'_>) -> bool {
        self.predicate.holds(&self.query.find(reply))
    }

    /// Whether it holds, and what was seen.
    #[must_use]
    pub fn check(&self, reply: &Reply<'_>) -> Verdict {
        let found = self.query.find(reply);
        let seen = match (&self.query, &found) {
            // Of however few letters the value is: it lets in whoever knows it.
            (Query::Header(name), query::Found::Text(_)) if name == http::header::SET_COOKIE => {
                "a cookie, whose value is not shown".to_owned()
            }
            _ => found.show(),
        };
        Verdict {
            held: self.predicate.holds(&found),
            seen,
        }
    }
}

/// A value to keep for later steps: `token: jsonpath $.access_token redact`.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The variable it becomes.
    pub name: String,
    /// Where it stands.
    pub place: SourceRef,
    /// What is captured.
    pub query: Query,
    /// Whether the value is a secret.
    pub secret: bool,
}

impl Capture {
    /// The captured text; nothing if the answer does not hold exactly one such value.
    #[must_use]
    pub fn find(&self, reply: &Reply<'_>) -> Option<String> {
        self.query.find(reply).single_text().map(Cow::into_owned)
    }
}
