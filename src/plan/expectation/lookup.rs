//! Finds the one value that a simple path names (`$.a.b[0]`) while reading a document, without building the rest of it.

use std::fmt;

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Name(String),
    Index(usize),
}

/// The parts of a path that names at most one value; nothing for a path that needs the whole document.
pub(super) fn parts(path: &JpQuery) -> Option<Vec<Part>> {
    path.segments
        .iter()
        .map(|segment| match segment {
            Segment::Selector(Selector::Name(name)) => {
                let bare = name
                    .strip_prefix('\'')
                    .and_then(|n| n.strip_suffix('\''))
                    .or_else(|| name.strip_prefix('"').and_then(|n| n.strip_suffix('"')))
                    .unwrap_or(name);
                (!bare.contains('\\')).then(|| Part::Name(bare.to_owned()))
            }
            Segment::Selector(Selector::Index(index)) => {
                usize::try_from(*index).ok().map(Part::Index)
            }
            _ => None,
        })
        .collect()
}

/// The value at a path, if there is one.
///
/// # Errors
/// When the body is not a JSON document: all of it is read, also what stands behind the value.
pub(super) fn lookup(body: &[u8], path: &[Part]) -> Result<Option<Value>, NotJson> {
    // What is skipped is not looked at for this, and a document is all UTF-8.
    let text = std::str::from_utf8(body).map_err(|_| NotJson)?;
    let mut document = serde_json::Deserializer::from_str(text);
    let found = Inside(path).deserialize(&mut document);
    let end = document.end();
    found
        .and_then(|found| end.map(|()| found))
        .map_err(|_| NotJson)
}

/// The body is no JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// Reads a value in which the rest of a path is to be found.
struct Inside<'p>(&'p [Part]);

impl<'de> DeserializeSeed<'de> for Inside<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            Value::deserialize(from).map(Some)
        } else {
            from.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = match self.0 {
            [Part::Name(name), rest @ ..] => (Some(name.as_str()), rest),
            _ => (None, &[][..]),
        };
        let mut found = None;
        while let Some(wants) = map.next_key_seed(Is(wanted))? {
            if wants {
                // Of a key that stands twice, the last counts, as when a whole document is built.
                found = map.next_value_seed(Inside(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if let [Part::Index(index), rest @ ..] = self.0 {
            for _ in 0..*index {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = items.next_element_seed(Inside(rest))?.flatten();
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(found);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    // Scalars have no inside.
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a key is the one that is wanted, told without keeping it.
struct Is<'w>(Option<&'w str>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(self.0 == Some(key))
    }
}

#[cfg(test)]
mod tests {
    use jsonpath_rust::parser::parse_json_path;
    use jsonpath_rust::query::js_path_process;
    use proptest::prelude::*;

    use super::*;

    const PATHS: [&str; 8] = [
        "$",
        "$.a",
        "$.b.a",
        "$.a[0]",
        "$[1]",
        "$['a b'].a",
        "$.a[2].b",
        "$[0][0]",
    ];

    /// By building the whole document.
    fn slowly(body: &[u8], path: &JpQuery) -> Result<Option<Value>, serde_json::Error> {
        let document: Value = serde_json::from_slice(body)?;
        let found = js_path_process(path, &document).unwrap_or_default();
        Ok(found.into_iter().next().map(|f| f.val().clone()))
    }

    fn same(body: &[u8]) {
        for text in PATHS {
            let path = parse_json_path(text).unwrap();
            let parts = parts(&path).unwrap();
            let shown = String::from_utf8_lossy(body);
            match (lookup(body, &parts), slowly(body, &path)) {
                (Ok(quick), Ok(slow)) => assert_eq!(quick, slow, "{text} in {shown}"),
                (Err(_), Err(_)) => {}
                (quick, slow) => panic!("{text} in {shown}: {quick:?}, but {slow:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_document_is_refused_also_behind_the_value() {
        same(b"{\"b\":\"\xff\",\"a\":1}");
        for body in [
            "",
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":1,}",
            "[1,2",
            "nul",
            "{\"a\":1,\"b\":tru}",
        ] {
            same(body.as_bytes());
        }
        assert!(lookup(b"{\"a\":1}x", &[Part::Name("a".into())]).is_err());
    }

    #[test]
    fn the_last_of_two_keys_counts() {
        for body in [
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":1},\"a\":3}",
            "{\"\\u0061\":7}",
        ] {
            same(body.as_bytes());
        }
    }

    #[test]
    fn paths_that_need_the_whole_document_are_left_to_it() {
        for text in ["$[*]", "$..a", "$[-1]", "$[0:2]", "$[?@.a]", "$['a','b']"] {
            assert_eq!(parts(&parse_json_path(text).unwrap()), None, "{text}");
        }
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z\"\\\\é]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((prop_oneof!["a", "b", "a b"], inner), 0..4)
                    .prop_map(|e| Value::Object(e.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn finds_what_the_whole_document_holds(document in document()) {
            same(document.to_string().as_bytes());
        }
    }
}
