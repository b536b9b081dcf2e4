//! One tree of located values for both languages people write: YAML and TOML.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{Finding, Located, SourceFile, Span};

/// A value as it stands in a file.
pub(super) type Node = Located<Value>;

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing was written.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file; no key stands twice.
    Map(Vec<(Located<String>, Node)>),
}

impl Value {
    /// The kind of value, for messages.
    #[must_use]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a group of keys",
        }
    }
}

/// Reads YAML. Duplicate keys, alias bombs, deep nesting and several documents in one file are refused.
///
/// # Errors
/// A [`Finding`] at the place the parser stopped.
pub(super) fn parse_yaml(source: &SourceFile) -> Result<Node, Finding> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: 200_000,
            max_aliases: 1_000,
        },
    };
    serde_saphyr::from_str_with_options::<YamlNode>(&source.text, options)
        .map(|node| node.locate(&source.text))
        .map_err(|error| yaml_finding(source, &error))
}

fn yaml_finding(source: &SourceFile, error: &serde_saphyr::Error) -> Finding {
    let location = error.locations().and_then(|l| l.primary_location());
    let start = location.map_or(0, |l| byte_offset(&source.text, &l));
    let end = source.text[start..]
        .chars()
        .next()
        .map_or(start, |c| start + c.len_utf8());
    let text = error.without_snippet().to_string();
    // The library's text ends in its own `at line N, column M`, and hints at options of its own.
    let text = text.split(" at line ").next().unwrap_or_default();
    let message = match text.split_once("duplicate mapping key: ") {
        Some((_, rest)) => {
            let key = rest.split(',').next().unwrap_or(rest);
            return Finding::at(
                source,
                start..start + key.len(),
                format!("the key `{key}` stands twice"),
            )
            .label("second time")
            .help("remove one of the two");
        }
        // What follows a semicolon is advice to the library's programmer.
        None => text.split("; ").next().unwrap_or(text),
    };
    let finding = Finding::at(source, start..end, format!("not valid YAML: {message}"));
    if message.contains("mapping values are not allowed") {
        finding.help("text that contains `: ` needs quotes around it")
    } else if message.contains("unexpected character") || message.contains("cannot start any token")
    {
        finding.help("text that begins with this character needs quotes around it")
    } else if message.contains("multiple YAML documents") {
        finding.help("one file holds one document; move what follows `---` to a file of its own")
    } else {
        finding
    }
}

/// A location's offset in bytes, also where the parser only knows line and column.
fn byte_offset(text: &str, location: &serde_saphyr::Location) -> usize {
    if let Some(offset) = location
        .span()
        .byte_offset()
        .and_then(|o| usize::try_from(o).ok())
        && text.is_char_boundary(offset)
    {
        return offset;
    }
    let line = usize::try_from(location.line().saturating_sub(1)).unwrap_or(0);
    let column = usize::try_from(location.column().saturating_sub(1)).unwrap_or(0);
    let line_start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[line_start.min(text.len())..];
    line_start
        + rest
            .char_indices()
            .nth(column)
            .map_or(rest.len(), |(n, _)| n)
}

/// A node as the YAML library gives it: with lines and columns, and byte offsets for what it read from text.
struct YamlNode(Spanned<YamlValue>);

enum YamlValue {
    Scalar(Value),
    List(Vec<YamlNode>),
    Map(Vec<(Spanned<String>, YamlNode)>),
}

impl YamlNode {
    fn locate(self, text: &str) -> Node {
        let span = span_of(text, &self.0.referenced);
        let value = match self.0.value {
            YamlValue::Scalar(value) => value,
            YamlValue::List(items) => {
                Value::List(items.into_iter().map(|n| n.locate(text)).collect())
            }
            YamlValue::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, node)| {
                        let span = span_of(text, &key.referenced);
                        (
                            Located {
                                value: key.value,
                                span,
                            },
                            node.locate(text),
                        )
                    })
                    .collect(),
            ),
        };
        Located { value, span }
    }
}

fn span_of(text: &str, location: &serde_saphyr::Location) -> Span {
    let start = byte_offset(text, location);
    let len = location
        .span()
        .byte_len()
        .and_then(|l| usize::try_from(l).ok())
        .unwrap_or(0);
    let mut end = (start + len).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = YamlValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<YamlValue, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Scalar(Value::Int(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<YamlValue, E> {
        // A number that does not fit is no count, port or limit of anything: keep it as text would be guessing.
        i64::try_from(value)
            .map(|v| YamlValue::Scalar(Value::Int(v)))
            .map_err(|_| E::custom("number too large"))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Scalar(Value::Float(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Scalar(Value::Str(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<YamlValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(YamlValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<YamlValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(YamlValue::Map(entries))
    }
}

/// Reads TOML.
///
/// # Errors
/// A [`Finding`] at the place the parser stopped.
pub(super) fn parse_toml(source: &SourceFile) -> Result<Node, Finding> {
    match DeTable::parse(&source.text) {
        Ok(table) => {
            let span = table.span();
            toml_table(source, table.into_inner(), span)
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            Err(Finding::at(
                source,
                span,
                format!("not valid TOML: {}", error.message().replace('\n', ", ")),
            ))
        }
    }
}

fn toml_table(source: &SourceFile, table: DeTable<'_>, span: Span) -> Result<Node, Finding> {
    let entries = table
        .into_iter()
        .map(|(key, value)| {
            let key_span = key.span();
            let key = Located {
                value: key.into_inner().into_owned(),
                span: key_span,
            };
            let value_span = value.span();
            Ok((key, toml_value(source, value.into_inner(), value_span)?))
        })
        .collect::<Result<Vec<_>, Finding>>()?;
    Ok(Located {
        value: Value::Map(entries),
        span,
    })
}

fn toml_value(source: &SourceFile, value: DeValue<'_>, span: Span) -> Result<Node, Finding> {
    let refuse = |what: &str| Err(Finding::at(source, span.clone(), what.to_owned()));
    let value = match value {
        DeValue::String(text) => Value::Str(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Value::Int(value),
            Err(_) => return refuse("this number is too large"),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(value) => Value::Float(value),
            Err(_) => return refuse("this is not a number"),
        },
        DeValue::Datetime(date) => Value::Str(date.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| {
                    let span = item.span();
                    toml_value(source, item.into_inner(), span)
                })
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => return toml_table(source, table, span),
    };
    Ok(Located { value, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_values_know_their_place() {
        let source = SourceFile::new(
            "a.yaml",
            "name: x\nlist:\n  - \"é: 1\"\n  - {n: 5, ok: true}\n",
        );
        let node = parse_yaml(&source).unwrap();
        let Value::Map(entries) = &node.value else {
            panic!("{node:?}")
        };
        let Value::List(items) = &entries[1].1.value else {
            panic!()
        };
        assert_eq!(items[0].value, Value::Str("é: 1".into()));
        assert_eq!(source.text.get(items[0].span.clone()), Some("\"é: 1\""));
        let Value::Map(inner) = &items[1].value else {
            panic!()
        };
        assert_eq!(source.text.get(inner[0].1.span.clone()), Some("5"));
        assert_eq!(
            (&inner[0].1.value, &inner[1].1.value),
            (&Value::Int(5), &Value::Bool(true))
        );
    }

    #[test]
    fn toml_gives_the_same_tree() {
        let source = SourceFile::new("gates.toml", "[a.b]\nc = 'x'\nd = [1, 2.5]\n");
        let node = parse_toml(&source).unwrap();
        let Value::Map(entries) = &node.value else {
            panic!()
        };
        let Value::Map(b) = &entries[0].1.value else {
            panic!()
        };
        let Value::Map(leaf) = &b[0].1.value else {
            panic!()
        };
        assert_eq!(leaf[0].1.value, Value::Str("x".into()));
        assert_eq!(source.text.get(leaf[0].1.span.clone()), Some("'x'"));
    }

    #[test]
    fn broken_files_are_told_where() {
        let yaml = |text: &str| {
            parse_yaml(&SourceFile::new("a.yaml", text))
                .unwrap_err()
                .render(false)
        };
        insta::assert_snapshot!("yaml_duplicate_key", yaml("a: 1\nbb: 2\nbb: 3\n"));
        insta::assert_snapshot!("yaml_colon_in_text", yaml("say: hello: world\n"));
        insta::assert_snapshot!("yaml_unclosed_list", yaml("a: [1, 2\nb: 3\n"));
        insta::assert_snapshot!("yaml_two_documents", yaml("a: 1\n---\nb: 2\n"));
        insta::assert_snapshot!("yaml_reserved_character", yaml("a: @foo\n"));
        let toml = |text: &str| {
            parse_toml(&SourceFile::new("gates.toml", text))
                .unwrap_err()
                .render(false)
        };
        insta::assert_snapshot!("toml_unclosed_string", toml("a = \"x\nb = 1\n"));
        insta::assert_snapshot!("toml_duplicate_key", toml("a = 1\na = 2\n"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (n, c) in ('b'..='i').enumerate() {
            let before = char::from(b'a' + u8::try_from(n).unwrap());
            bomb += &format!(
                "{c}: &{c} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"
            );
        }
        assert!(parse_yaml(&SourceFile::new("bomb", &bomb)).is_err());
        assert!(parse_yaml(&SourceFile::new("deep", &"[".repeat(100_000))).is_err());
    }
}
