//! Text with variables in it, `Bearer ${token}`, compiled once and filled in for each request.

use std::fmt;

use super::source::{Finding, Located, SourceFile, Span, nearest};
use super::vars::Vars;

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `${data.column}`: the virtual user's row.
    Data(String),
    /// `${uuid}`: a new one each time.
    Uuid,
    /// `${now}`: the present time, RFC 3339.
    Now,
    /// `${env.NAME}` or `${env.NAME:-default}`: the environment of this process or its env file.
    Env {
        /// The variable's name.
        name: String,
        /// What stands in for it.
        default: Option<String>,
    },
    /// `${name}`: the environment's variables, and what steps captured.
    Named(String),
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(column) => write!(f, "data.{column}"),
            Self::Uuid => f.write_str("uuid"),
            Self::Now => f.write_str("now"),
            Self::Env { name, .. } => write!(f, "env.{name}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    span: Span,
}

impl Template {
    /// Compiles text; `$${` stands for a plain `${`.
    ///
    /// # Errors
    /// A [`Finding`] for an unclosed `${`, an empty or unknown name.
    pub fn parse(source: &SourceFile, text: &Located<String>) -> Result<Self, Finding> {
        let mut parts = Vec::new();
        let mut rest = text.value.as_str();
        let mut plain = String::new();
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                plain.push_str(&rest[..at - 1]);
                plain.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            plain.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = inner.find('}').ok_or_else(|| {
                finding_in(source, text, "${", "`${` is not closed")
                    .help("close it with `}`, or write `$${` for the characters themselves")
            })?;
            let variable = parse_variable(&inner[..end]).map_err(|message| {
                finding_in(source, text, &format!("${{{}}}", &inner[..end]), &message)
                    .help("write ${name}, ${data.column}, ${env.NAME}, ${env.NAME:-default}, ${uuid} or ${now}")
            })?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(variable));
            rest = &inner[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self {
            parts,
            span: text.span.clone(),
        })
    }

    /// The template with `${env.…}` filled in: those don't change during a run.
    ///
    /// # Errors
    /// A [`Finding`] for an environment variable that is not set and has no default.
    pub fn resolve_env(mut self, source: &SourceFile, vars: &Vars) -> Result<Self, Finding> {
        for part in &mut self.parts {
            let Part::Variable(Variable::Env { name, default }) = part else {
                continue;
            };
            let Some(value) = vars
                .get(name)
                .or(default.as_deref())
                .or_else(|| vars.for_template(name))
            else {
                let near = nearest(name, vars.names()).filter(|near| near != name);
                let hint = near.map_or_else(String::new, |near| {
                    format!("; `{near}` is set: did you mean that?")
                });
                return Err(Finding::at(
                    source,
                    self.span,
                    format!("the environment variable {name} is not set"),
                )
                .help(format!(
                    "set it, or give a default: ${{env.{name}:-…}}{hint}"
                )));
            };
            *part = Part::Text(value.to_owned());
        }
        Ok(self)
    }

    /// Where the text stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The variables in it, in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
    }

    /// What follows a variable that stands at the very beginning; nothing if another thing stands there.
    #[must_use]
    pub(super) fn after(&self, first: &Variable) -> Option<Self> {
        match self.parts.split_first() {
            Some((Part::Variable(variable), rest)) if variable == first => Some(Self {
                parts: rest.to_vec(),
                span: self.span.clone(),
            }),
            _ => None,
        }
    }

    /// The text itself, if there is no variable in it.
    #[must_use]
    pub fn constant(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Variable(_) => None,
            })
            .collect()
    }

    /// Fills the template in, appending to `out`.
    ///
    /// # Errors
    /// The first variable that has no value.
    pub fn fill<'a>(
        &'a self,
        out: &mut String,
        mut lookup: impl FnMut(&Variable, &mut String) -> bool,
    ) -> Result<(), &'a Variable> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(variable) if lookup(variable, out) => {}
                Part::Variable(variable) => return Err(variable),
            }
        }
        Ok(())
    }
}

fn parse_variable(text: &str) -> Result<Variable, String> {
    let name_ok = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let refuse = |name: &str| {
        Err(if name.is_empty() {
            "a variable needs a name".to_owned()
        } else {
            format!("`{name}` is not a name of a variable")
        })
    };
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("env.") {
        let (name, default) = match rest.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (rest, None),
        };
        return if name_ok(name) {
            Ok(Variable::Env {
                name: name.to_owned(),
                default,
            })
        } else {
            refuse(name)
        };
    }
    if let Some(column) = text.strip_prefix("data.") {
        return if name_ok(column) {
            Ok(Variable::Data(column.to_owned()))
        } else {
            refuse(column)
        };
    }
    match text {
        "uuid" => Ok(Variable::Uuid),
        "now" => Ok(Variable::Now),
        name if name_ok(name) => Ok(Variable::Named(name.to_owned())),
        name => refuse(name),
    }
}

/// A finding at a piece of a located text, if the piece stands there as it is (no escapes in between).
pub(super) fn finding_in(
    source: &SourceFile,
    text: &Located<String>,
    piece: &str,
    message: &str,
) -> Finding {
    let written = source.text.get(text.span.clone()).unwrap_or_default();
    let span = match written.find(piece) {
        Some(at) => text.span.start + at..text.span.start + at + piece.len(),
        None => text.span.clone(),
    };
    Finding::at(source, span, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, Finding> {
        let source = SourceFile::new("a.yaml", text);
        Template::parse(
            &source,
            &Located {
                value: text.to_owned(),
                span: 0..text.len(),
            },
        )
    }

    fn fill(text: &str) -> Result<String, String> {
        let template = parse(text).unwrap();
        let mut out = String::new();
        template
            .fill(&mut out, |variable, out| match variable {
                Variable::Named(name) if name == "missing" => false,
                other => {
                    out.push_str(&format!("<{other}>"));
                    true
                }
            })
            .map_err(ToString::to_string)?;
        Ok(out)
    }

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(fill("Bearer ${token}!").unwrap(), "Bearer <token>!");
        assert_eq!(
            fill("${env.A:-b}/${data.email}${uuid}").unwrap(),
            "<env.A>/<data.email><uuid>"
        );
        assert_eq!(fill("a $${b} $5").unwrap(), "a ${b} $5");
        assert_eq!(fill("").unwrap(), "");
        assert_eq!(fill("x ${missing}"), Err("missing".to_owned()));
    }

    #[test]
    fn broken_templates_are_told_where() {
        insta::assert_snapshot!(
            "template_unclosed",
            parse("Bearer ${token").unwrap_err().render(false)
        );
        insta::assert_snapshot!(
            "template_bad_name",
            parse("Bearer ${to ken}").unwrap_err().render(false)
        );
        for bad in ["${}", "${env.}", "${data.}", "${1a}", "${a|b}"] {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
    }
}
