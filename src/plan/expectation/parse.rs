//! Reads `query predicate value` and `query redact`; each mistake is told with the word it is about.

use http::HeaderName;
use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use regex::RegexBuilder;

use super::lookup::parts;
use super::predicate::{Comparison, Operand, Range};
use super::query::JsonPath;
use super::{Capture, Expectation, Predicate, Query};
use crate::plan::source::{Finding, Located, SourceFile, nearest};
use crate::plan::template::finding_in;
use crate::units::parse_duration;

/// Why a line could not be read: the piece it is about, what is wrong, what to do.
struct Mistake {
    piece: String,
    message: String,
    help: String,
}

fn mistake<T>(
    piece: &str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, Mistake> {
    Err(Mistake {
        piece: piece.to_owned(),
        message: message.into(),
        help: help.into(),
    })
}

const PREDICATES: [&str; 19] = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "exists",
    "not",
    "isEmpty",
    "in",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "count",
    "all",
    "any",
    "none",
    "redact",
];

impl Expectation {
    /// Compiles one line.
    ///
    /// # Errors
    /// A [`Finding`] at the word that could not be read.
    pub fn parse(source: &SourceFile, text: &Located<String>) -> Result<Self, Finding> {
        let compile = || {
            if text.value.contains("${") {
                return mistake(
                    "${",
                    "variables are not filled into expectations",
                    "write the value itself",
                );
            }
            let (query, rest) = split_query(&text.value)?;
            let predicate = parse_predicate(rest, query.is_time())?;
            Ok((query, predicate))
        };
        let (query, predicate) = compile().map_err(|m| told(source, text, &m))?;
        Ok(Self {
            text: text.value.trim().to_owned(),
            place: source.place(text.span.start),
            query,
            predicate,
        })
    }
}

impl Capture {
    /// Compiles one capture; `redact` at the end makes its value a secret.
    ///
    /// # Errors
    /// A [`Finding`] at the word that could not be read.
    pub fn parse(
        source: &SourceFile,
        name: &Located<String>,
        text: &Located<String>,
    ) -> Result<Self, Finding> {
        let (plain, secret) = match text.value.trim_end().strip_suffix(" redact") {
            Some(rest) => (rest, true),
            None => (text.value.as_str(), false),
        };
        let compile = || {
            let (query, rest) = split_query(plain)?;
            if rest.is_empty() {
                Ok(query)
            } else {
                mistake(
                    rest,
                    "a capture is a query alone",
                    "leave this out, or write it under `expect`",
                )
            }
        };
        let query = compile().map_err(|m| told(source, text, &m))?;
        Ok(Self {
            name: name.value.clone(),
            place: source.place(name.span.start),
            query,
            secret,
        })
    }
}

fn told(source: &SourceFile, text: &Located<String>, mistake: &Mistake) -> Finding {
    finding_in(source, text, &mistake.piece, &mistake.message).help(&mistake.help)
}

/// Takes the query from the front of the line.
fn split_query(line: &str) -> Result<(Query, &str), Mistake> {
    let (word, rest) = split_word(line);
    let query = match word {
        "" => {
            return mistake(
                line,
                "an expectation is missing",
                "write one, like `status == 200`",
            );
        }
        "status" => Query::Status,
        "body" => Query::Body,
        "bytes" => Query::Bytes,
        "duration" => Query::Duration,
        "ttfb" => Query::Ttfb,
        "first_token" => Query::FirstToken,
        "max_gap" => Query::MaxGap,
        "events" => Query::Events,
        "event" => Query::Event,
        "header" => {
            let (name, rest) = split_word(rest);
            return match HeaderName::try_from(name) {
                Ok(name) => Ok((Query::Header(name), rest)),
                Err(_) => mistake(
                    line,
                    "`header` needs the name of a header",
                    "write it like `header content-type contains json`",
                ),
            };
        }
        "jsonpath" => {
            let (path, rest) = split_path(rest);
            if path.is_empty() {
                return mistake(
                    line,
                    "`jsonpath` needs a path",
                    "write it like `jsonpath $.status == healthy`",
                );
            }
            return match parse_json_path(path) {
                Ok(compiled) => {
                    let singular = is_singular(&compiled);
                    let way = parts(&compiled);
                    Ok((
                        Query::JsonPath(Box::new(JsonPath {
                            path: compiled,
                            singular,
                            way,
                        })),
                        rest,
                    ))
                }
                Err(_) => mistake(
                    path,
                    format!("`{path}` is not a JSONPath"),
                    "a path begins with `$`, like `$.agents[*].status` (RFC 9535)",
                ),
            };
        }
        unknown => {
            let help = nearest(unknown, Query::NAMES).map_or_else(
                || format!("known queries: {}", Query::NAMES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return mistake(unknown, format!("unknown query `{unknown}`"), help);
        }
    };
    Ok((query, rest))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// A path ends at the first space outside of brackets and quotes.
fn split_path(text: &str) -> (&str, &str) {
    let (mut depth, mut quote) = (0_u32, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (q, Some(open)) if q == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('[' | '(', None) => depth += 1,
            (']' | ')', None) => depth = depth.saturating_sub(1),
            (c, None) if c.is_whitespace() && depth == 0 => {
                return (&text[..at], text[at..].trim());
            }
            _ => {}
        }
    }
    (text, "")
}

fn is_singular(path: &JpQuery) -> bool {
    path.segments.iter().all(|segment| {
        matches!(
            segment,
            Segment::Selector(Selector::Name(_) | Selector::Index(_))
        )
    })
}

fn parse_predicate(text: &str, time: bool) -> Result<Predicate, Mistake> {
    let (word, rest) = split_word(text);
    let alone = |predicate: Predicate| {
        if rest.is_empty() {
            Ok(predicate)
        } else {
            mistake(rest, format!("`{word}` takes no value"), "leave this out")
        }
    };
    match word {
        "" => mistake(
            text,
            "this says which value, but not what must hold of it",
            "add a predicate, like `== 200` or `exists`",
        ),
        "exists" => alone(Predicate::Exists),
        "isEmpty" => alone(Predicate::Empty),
        "not" if rest == "exists" => Ok(Predicate::Absent),
        "not" => mistake(
            text,
            "`not` stands only before `exists`",
            "use `!=` or `none`",
        ),
        "==" => Ok(Predicate::Compare(
            Comparison::Equal,
            operand(word, rest, time)?,
        )),
        "!=" => Ok(Predicate::Compare(
            Comparison::NotEqual,
            operand(word, rest, time)?,
        )),
        "<" | "<=" | ">" | ">=" => {
            let value = operand(word, rest, time)?;
            if matches!(value, Operand::Bool(_) | Operand::Null) {
                return mistake(
                    rest,
                    format!("`{word}` compares numbers, times or text"),
                    "use `==` here",
                );
            }
            Ok(Predicate::Compare(comparison(word), value))
        }
        "in" => parse_in(rest, time),
        "contains" => Ok(Predicate::Contains(text_operand(word, rest)?)),
        "startsWith" => Ok(Predicate::StartsWith(text_operand(word, rest)?)),
        "endsWith" => Ok(Predicate::EndsWith(text_operand(word, rest)?)),
        "matches" => {
            let pattern = text_operand(word, rest)?;
            match RegexBuilder::new(&pattern).size_limit(1 << 20).build() {
                Ok(regex) => Ok(Predicate::Matches(regex)),
                Err(error) => mistake(
                    rest,
                    "this is not a regular expression",
                    error.to_string().replace('\n', " "),
                ),
            }
        }
        "count" => {
            let (sign, value) = split_word(rest);
            match (PREDICATES[..6].contains(&sign), value.parse::<f64>()) {
                (true, Ok(number)) if number.is_finite() => {
                    Ok(Predicate::Count(comparison(sign), number))
                }
                _ => mistake(
                    text,
                    "`count` is compared with a number",
                    "write it like `count == 3`",
                ),
            }
        }
        "all" => Ok(Predicate::All(Box::new(parse_predicate(rest, time)?))),
        "any" => Ok(Predicate::Any(Box::new(parse_predicate(rest, time)?))),
        "none" => Ok(Predicate::None(Box::new(parse_predicate(rest, time)?))),
        "redact" => mistake(
            word,
            "`redact` belongs to captures",
            "leave it out; what is a secret is masked here too",
        ),
        "=" => mistake(word, "unknown predicate `=`", "did you mean `==`?"),
        unknown => {
            let help = nearest(unknown, PREDICATES).map_or_else(
                || format!("known predicates: {}", PREDICATES[..18].join(" ")),
                |near| format!("did you mean `{near}`?"),
            );
            mistake(unknown, format!("unknown predicate `{unknown}`"), help)
        }
    }
}

fn comparison(sign: &str) -> Comparison {
    match sign {
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => Comparison::Equal,
    }
}

fn operand(sign: &str, text: &str, time: bool) -> Result<Operand, Mistake> {
    if text.is_empty() {
        return mistake(
            sign,
            format!("`{sign}` needs a value"),
            "write what to compare with",
        );
    }
    if time {
        return match parse_duration(text) {
            Ok(duration) => Ok(Operand::Time(duration)),
            Err(error) => mistake(text, error.to_string(), "a time needs its unit"),
        };
    }
    if let Some(text) = unquote(text)? {
        return Ok(Operand::Text(text));
    }
    Ok(match text {
        "true" => Operand::Bool(true),
        "false" => Operand::Bool(false),
        "null" => Operand::Null,
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Operand::Number(number),
            _ => Operand::Text(text.to_owned()),
        },
    })
}

fn text_operand(word: &str, text: &str) -> Result<String, Mistake> {
    if text.is_empty() {
        return mistake(
            word,
            format!("`{word}` needs a text"),
            "write it behind, in quotes if it begins or ends with a space",
        );
    }
    let text = unquote(text)?.unwrap_or_else(|| text.to_owned());
    if text.is_empty() {
        return mistake(
            word,
            format!("`{word}` of an empty text always holds"),
            "this expectation can't fail: write the text that must be there",
        );
    }
    Ok(text)
}

/// The inside of a quoted text; nothing if it is not quoted.
fn unquote(text: &str) -> Result<Option<String>, Mistake> {
    if let Some(rest) = text.strip_prefix('"') {
        return match serde_json::from_str::<String>(text) {
            Ok(inner) => Ok(Some(inner)),
            Err(_) if !rest.ends_with('"') || rest.is_empty() => {
                mistake(text, "this quote is not closed", "close it with `\"`")
            }
            Err(_) => mistake(
                text,
                "this is not a quoted text",
                "inside quotes, write \\\" for a quote and \\\\ for a backslash",
            ),
        };
    }
    match text.strip_prefix('\'') {
        Some(rest) => match rest.strip_suffix('\'') {
            Some(inner) => Ok(Some(inner.to_owned())),
            None => mistake(text, "this quote is not closed", "close it with `'`"),
        },
        None => Ok(None),
    }
}

fn parse_in(text: &str, time: bool) -> Result<Predicate, Mistake> {
    let inner = text
        .strip_prefix('[')
        .map_or(Some(text), |rest| rest.strip_suffix(']'));
    let Some(inner) = inner.map(str::trim).filter(|i| !i.is_empty()) else {
        return mistake(
            if text.is_empty() { "in" } else { text },
            "`in` needs values",
            "write them like `in [200, 201]` or `in 200..299`",
        );
    };
    let mut ranges = Vec::new();
    for item in inner.split(',').map(str::trim) {
        if let Some((from, to)) = item.split_once("..") {
            match (from.trim().parse::<f64>(), to.trim().parse::<f64>()) {
                (Ok(from), Ok(to)) if from <= to => ranges.push(Range::Span(from, to)),
                (Ok(_), Ok(_)) => {
                    return mistake(
                        item,
                        "this range is empty",
                        "write the smaller number first",
                    );
                }
                _ => {
                    return mistake(
                        item,
                        "a range has a number at each end",
                        "write it like `200..299`",
                    );
                }
            }
        } else {
            ranges.push(Range::One(operand("in", item, time)?));
        }
    }
    Ok(Predicate::In(ranges))
}

#[cfg(test)]
mod tests;
