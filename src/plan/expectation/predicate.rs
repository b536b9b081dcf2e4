//! The right side of an expectation: what must hold of the value. What can't be compared does not hold.

use std::cmp::Ordering;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::query::Found;

/// What must hold of a value.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// `exists`: there is such a value, and it is not null.
    Exists,
    /// `not exists`.
    Absent,
    /// `isEmpty`: text, list or object without content.
    Empty,
    /// `== != < <= > >=`.
    Compare(Comparison, Operand),
    /// `in [a, b]` or `in 200..299`.
    In(Vec<Range>),
    /// `contains text`.
    Contains(String),
    /// `startsWith text`.
    StartsWith(String),
    /// `endsWith text`.
    EndsWith(String),
    /// `matches regex`.
    Matches(Regex),
    /// `count == 3`: of a list or of all values that a path names.
    Count(Comparison, f64),
    /// `all == healthy`: at least one value, and the inner predicate holds of each.
    All(Box<Self>),
    /// `any == healthy`.
    Any(Box<Self>),
    /// `none == failed`: at least one value, and the inner predicate holds of none.
    None(Box<Self>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::NotEqual => ordering != Ordering::Equal,
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `"text"` or a bare word.
    Text(String),
    /// `200`: equals a JSON number, and text that reads as this number.
    Number(f64),
    /// `500ms`.
    Time(Duration),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// One alternative of `in`.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// A single value.
    One(Operand),
    /// Both ends included.
    Span(f64, f64),
}

impl Predicate {
    /// Whether it holds of what was found.
    #[must_use]
    pub fn holds(&self, found: &Found<'_>) -> bool {
        if let Found::Alone(value) = found {
            return self.holds(&Found::Json(value));
        }
        match self {
            Self::Exists => match found {
                Found::Nothing(_) | Found::Unreadable(_) | Found::Json(Value::Null) => false,
                Found::Many(values) => values.iter().any(|v| !v.is_null()),
                _ => true,
            },
            Self::Absent => match found {
                Found::Nothing(_) => true,
                Found::Many(values) => values.is_empty(),
                _ => false,
            },
            Self::Empty => is_empty(found),
            Self::Compare(comparison, operand) => compare(found, *comparison, operand),
            Self::In(ranges) => ranges.iter().any(|range| match range {
                Range::One(operand) => compare(found, Comparison::Equal, operand),
                Range::Span(from, to) => number(found).is_some_and(|n| n >= *from && n <= *to),
            }),
            Self::Contains(part) => contains(found, part),
            Self::StartsWith(part) => text(found).is_some_and(|t| t.starts_with(part.as_str())),
            Self::EndsWith(part) => text(found).is_some_and(|t| t.ends_with(part.as_str())),
            Self::Matches(regex) => text(found).is_some_and(|t| regex.is_match(t)),
            Self::Count(comparison, wanted) => count(found)
                .and_then(|n| n.partial_cmp(wanted))
                .is_some_and(|ordering| comparison.accepts(ordering)),
            // Neither "all" nor "none" of nothing holds: an empty list of agents is not a healthy one,
            // and a path that names nothing may be a path that is wrong.
            Self::All(inner) => each(found)
                .is_some_and(|v| !v.is_empty() && v.iter().all(|v| inner.holds(&Found::Json(v)))),
            Self::Any(inner) => {
                each(found).is_some_and(|v| v.iter().any(|v| inner.holds(&Found::Json(v))))
            }
            Self::None(inner) => each(found)
                .is_some_and(|v| !v.is_empty() && !v.iter().any(|v| inner.holds(&Found::Json(v)))),
        }
    }
}

fn text<'a>(found: &'a Found<'_>) -> Option<&'a str> {
    match found {
        Found::Text(text) => Some(text),
        Found::Json(value) => value.as_str(),
        Found::Many(values) => match values.as_slice() {
            [one] => one.as_str(),
            _ => None,
        },
        _ => None,
    }
}

fn number(found: &Found<'_>) -> Option<f64> {
    match found {
        Found::Number(number) => Some(*number),
        Found::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        Found::Json(value) => value.as_f64(),
        Found::Many(values) => match values.as_slice() {
            [one] => one.as_f64(),
            _ => None,
        },
        _ => None,
    }
}

fn single<'a>(found: &'a Found<'_>) -> Option<&'a Value> {
    match found {
        Found::Json(value) => Some(value),
        Found::Many(values) => match values.as_slice() {
            [one] => Some(one),
            _ => None,
        },
        _ => None,
    }
}

fn compare(found: &Found<'_>, comparison: Comparison, operand: &Operand) -> bool {
    let ordering = match operand {
        Operand::Number(wanted) => number(found).and_then(|n| n.partial_cmp(wanted)),
        Operand::Text(wanted) => text(found).map(|t| t.cmp(wanted)),
        Operand::Time(wanted) => match found {
            Found::Time(time) => Some(time.cmp(wanted)),
            _ => None,
        },
        Operand::Bool(wanted) => single(found)
            .and_then(Value::as_bool)
            .map(|b| b.cmp(wanted)),
        Operand::Null => single(found).map(|v| {
            if v.is_null() {
                Ordering::Equal
            } else {
                Ordering::Greater
            }
        }),
    };
    match ordering {
        Some(ordering) => comparison.accepts(ordering),
        // A value of another type is unequal, but only if there is one: absence satisfies nothing.
        None => {
            comparison == Comparison::NotEqual
                && !matches!(found, Found::Nothing(_) | Found::Unreadable(_))
                && !no_values(found)
        }
    }
}

fn no_values(found: &Found<'_>) -> bool {
    matches!(found, Found::Many(values) if values.is_empty())
}

fn contains(found: &Found<'_>, part: &str) -> bool {
    if let Some(text) = text(found) {
        return text.contains(part);
    }
    each(found).is_some_and(|values| {
        values.iter().any(|v| {
            v.as_str()
                .map_or_else(|| number_reads(v, part), |text| text == part)
        })
    })
}

/// Whether a number or a boolean is written so.
fn number_reads(value: &Value, text: &str) -> bool {
    match value {
        Value::Number(number) => text.parse() == Ok(number.as_f64().unwrap_or(f64::NAN)),
        Value::Bool(flag) => text.parse() == Ok(*flag),
        _ => false,
    }
}

fn each<'a>(found: &'a Found<'_>) -> Option<Vec<&'a Value>> {
    match found {
        Found::Json(Value::Array(items)) => Some(items.iter().collect()),
        Found::Many(values) => Some(values.clone()),
        _ => None,
    }
}

fn is_empty(found: &Found<'_>) -> bool {
    match found {
        Found::Text(text) => text.is_empty(),
        Found::Json(Value::String(text)) => text.is_empty(),
        Found::Json(Value::Array(items)) => items.is_empty(),
        Found::Json(Value::Object(entries)) => entries.is_empty(),
        Found::Many(values) => values.is_empty(),
        _ => false,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lengths of lists stay far below 2^53"
)]
fn count(found: &Found<'_>) -> Option<f64> {
    match found {
        Found::Json(Value::Object(entries)) => Some(entries.len() as f64),
        _ => each(found).map(|values| values.len() as f64),
    }
}
