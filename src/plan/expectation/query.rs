//! The left side of an expectation: which value of an answer is meant.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderName;
use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use super::Reply;
use super::lookup::{Part, lookup};
use crate::units::show_duration;

/// A question to an answer.
#[derive(Debug, Clone)]
pub enum Query {
    /// The HTTP status.
    Status,
    /// A header's value.
    Header(HeaderName),
    /// Values in a JSON body, by RFC 9535.
    JsonPath(Box<JsonPath>),
    /// The body as text.
    Body,
    /// Length of the body.
    Bytes,
    /// From sending to the last byte.
    Duration,
    /// From sending to the end of the headers.
    Ttfb,
    /// From sending to the first non-empty piece of a stream.
    FirstToken,
    /// The longest silence between two pieces of a stream.
    MaxGap,
    /// Number of events of a stream or messages of a socket.
    Events,
    /// Name of the last event of a stream.
    Event,
}

/// A compiled path, and the text it was compiled from.
#[derive(Debug, Clone)]
pub struct JsonPath {
    pub(super) path: JpQuery,
    /// Whether it can name only one value (`$.a.b[0]`), so that a single value is not a list of one.
    pub(super) singular: bool,
    /// The way to that value, where it can be found without building the document.
    pub(super) way: Option<Vec<Part>>,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// There is no such thing in this answer.
    Nothing(&'static str),
    /// The answer is not of the kind in which it could be: so it can't be said to be absent either.
    Unreadable(&'static str),
    /// Text.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A time.
    Time(Duration),
    /// A value of a JSON document.
    Json(&'a Value),
    /// The same, where the document itself was not built.
    Alone(Value),
    /// All values that a path names.
    Many(Vec<&'a Value>),
}

impl Query {
    /// Names of all queries, for suggestions.
    pub const NAMES: [&'static str; 11] = [
        "status",
        "header",
        "jsonpath",
        "body",
        "bytes",
        "duration",
        "ttfb",
        "first_token",
        "max_gap",
        "events",
        "event",
    ];

    /// Asks an answer.
    #[must_use]
    pub fn find<'a>(&self, reply: &'a Reply<'_>) -> Found<'a> {
        let time =
            |value: Option<Duration>| value.map_or(Found::Nothing("not measured"), Found::Time);
        #[expect(
            clippy::cast_precision_loss,
            reason = "sizes and counts stay far below 2^53"
        )]
        match self {
            Self::Status => reply
                .status
                .map_or(Found::Nothing("no status"), |s| Found::Number(f64::from(s))),
            Self::Header(name) => reply
                .headers
                .and_then(|h| h.get(name))
                .map_or(Found::Nothing("no such header"), |v| {
                    Found::Text(String::from_utf8_lossy(v.as_bytes()))
                }),
            Self::JsonPath(path) => path.find(reply),
            Self::Body => Found::Text(String::from_utf8_lossy(reply.body)),
            Self::Bytes => Found::Number(reply.body.len() as f64),
            Self::Duration => Found::Time(reply.timings.end),
            Self::Ttfb => time(reply.timings.headers),
            Self::FirstToken => time(reply.timings.first_token),
            Self::MaxGap => time(reply.timings.max_gap),
            Self::Events => Found::Number(reply.events as f64),
            Self::Event => reply.last_event.map_or(Found::Nothing("no event"), |name| {
                Found::Text(Cow::Borrowed(name))
            }),
        }
    }

    /// Whether values of this query are times, so that what they are compared with needs a unit.
    #[must_use]
    pub fn is_time(&self) -> bool {
        matches!(
            self,
            Self::Duration | Self::Ttfb | Self::FirstToken | Self::MaxGap
        )
    }
}

impl JsonPath {
    fn find<'a>(&self, reply: &'a Reply<'_>) -> Found<'a> {
        let not_json = || {
            Found::Unreadable(if reply.body.is_empty() {
                "an empty body"
            } else {
                "a body that is not JSON"
            })
        };
        if let (Some(way), false) = (&self.way, reply.is_built()) {
            return match lookup(reply.body, way) {
                Ok(Some(value)) => Found::Alone(value),
                Ok(None) => Found::Nothing("no such value"),
                Err(_) => not_json(),
            };
        }
        let Some(document) = reply.json() else {
            return not_json();
        };
        let Ok(found) = js_path_process(&self.path, document) else {
            return Found::Nothing("no such value");
        };
        let mut values: Vec<&Value> = found
            .into_iter()
            .map(jsonpath_rust::query::QueryRef::val)
            .collect();
        match (self.singular, values.as_slice()) {
            (true, []) => Found::Nothing("no such value"),
            (true, [_]) => values
                .pop()
                .map_or(Found::Nothing("no such value"), Found::Json),
            _ => Found::Many(values),
        }
    }
}

impl Found<'_> {
    /// The value as one text, if it is one value.
    #[must_use]
    pub fn single_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Nothing(_)
            | Self::Unreadable(_)
            | Self::Json(Value::Null)
            | Self::Alone(Value::Null) => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Time(time) => Some(Cow::Owned(time.as_millis().to_string())),
            Self::Json(Value::String(text)) => Some(Cow::Borrowed(text)),
            Self::Alone(Value::String(text)) => Some(Cow::Borrowed(text)),
            Self::Json(value) => Some(Cow::Owned(value.to_string())),
            Self::Alone(value) => Some(Cow::Owned(value.to_string())),
            Self::Many(values) => match values.as_slice() {
                [one] => Found::Json(one)
                    .single_text()
                    .map(|t| Cow::Owned(t.into_owned())),
                _ => None,
            },
        }
    }

    /// What was found, for a reader.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Nothing(what) | Self::Unreadable(what) => (*what).to_owned(),
            // Not cut here: a secret that straddles the cut would not be found. Whoever redacts it cuts it.
            Self::Text(text) => format!("\"{text}\""),
            Self::Number(number) => number.to_string(),
            Self::Time(time) => show_duration(*time),
            Self::Json(value) => value.to_string(),
            Self::Alone(value) => value.to_string(),
            Self::Many(values) if values.is_empty() => "no such values".to_owned(),
            Self::Many(values) => {
                let shown: Vec<_> = values.iter().take(10).map(ToString::to_string).collect();
                let more = if values.len() > 10 {
                    format!(", … {} in all", values.len())
                } else {
                    String::new()
                };
                format!("[{}{more}]", shown.join(", "))
            }
        }
    }
}
