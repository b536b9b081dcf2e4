//! Reads a scenario's YAML file into a [`Scenario`]; tells all that is wrong with it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};

use super::address::Destination;
use super::data::{Data, Pick};
use super::expectation::{Capture, Expectation};
use super::names::check_names;
use super::node::{Node, Value, parse_yaml};
use super::reader::Group;
use super::scenario::{Action, Body, JsonPart, Request, Retry, Scenario, Step};
use super::source::{Finding, Findings, Located, SourceFile, Span, nearest};
use super::targets::Targets;
use super::template::Template;
use super::vars::Vars;
use crate::units::parse_duration;

/// How long a step may take unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The version of the language that this program reads.
const VERSION: u32 = 1;
/// Most redirects that a step can follow, and those of `redirects: follow`.
const MOST_REDIRECTS: u8 = 10;
/// Actions, exactly one of which a step has.
const ACTIONS: [&str; 3] = ["http", "sse", "websocket"];

/// Reads one scenario. `names` are the variables that the environment defines.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn read_scenario(
    source: &SourceFile,
    vars: &Vars,
    names: &BTreeSet<String>,
) -> Result<Scenario, Vec<Finding>> {
    let node = parse_yaml(source).map_err(|f| vec![f])?;
    let findings = RefCell::new(Findings::default());
    let scenario = read(source, &node, &findings, vars);
    if let Some(scenario) = &scenario {
        check_names(scenario, names, &findings);
    }
    let findings = findings.into_inner().into_vec();
    match scenario {
        Some(scenario) if findings.is_empty() => Ok(scenario),
        _ => Err(findings),
    }
}

fn read(
    source: &SourceFile,
    node: &Node,
    findings: &RefCell<Findings>,
    vars: &Vars,
) -> Option<Scenario> {
    let mut group = Group::open(source, findings, node, "a scenario")?;
    if group.key("gates").is_none() {
        group.missing("gates");
    }
    group.number("gates", VERSION..=VERSION);
    let name = group.required_text("name");
    let name = name.filter(|name| check_name(&group, name));
    let tags = group.texts("tags").into_iter().map(|t| t.value).collect();
    let weight = group.number("weight", 1..=1000).unwrap_or(1);
    let data = group
        .group("data", "`data`")
        .and_then(read_data)
        .map(Arc::new);
    let mut reader = StepReader {
        source,
        vars,
        seen: BTreeSet::new(),
    };
    let variables = reader.variables(&mut group);
    let steps = reader.list(&mut group, "steps");
    let teardown = reader.list(&mut group, "teardown");
    if steps.is_empty() && findings.borrow().is_empty() {
        group.missing("steps");
    }
    group.finish();
    Some(Scenario {
        name: name?.value.into(),
        source: source.clone(),
        tags,
        weight,
        data,
        variables,
        steps,
        teardown,
    })
}

fn check_name(group: &Group<'_>, name: &Located<String>) -> bool {
    let fine = !name.value.trim().is_empty()
        && name.value.chars().count() <= 80
        && !name.value.contains('/')
        && !name.value.chars().any(char::is_control);
    if !fine {
        group.find(
            name.span.clone(),
            "a name has 1 to 80 characters and no `/`",
        );
    }
    fine
}

fn read_data(mut group: Group<'_>) -> Option<Data> {
    let file = group.required_text("file");
    let pick = match group.text("pick") {
        None => Some(Pick::Sequential),
        Some(text) => match text.value.as_str() {
            "sequential" => Some(Pick::Sequential),
            "random" => Some(Pick::Random),
            "unique" => Some(Pick::Unique),
            other => {
                group.find(
                    text.span,
                    format!("`{other}` is none of `sequential`, `random`, `unique`"),
                );
                None
            }
        },
    };
    let (source, findings) = (group.source, group.findings);
    group.finish();
    let (file, pick) = (file?, pick?);
    let path = Path::new(&*source.name)
        .parent()
        .unwrap_or(Path::new(""))
        .join(&file.value);
    findings
        .borrow_mut()
        .keep(Data::read(&path, pick, source, &file.span))
}

/// Reads the steps of one scenario.
struct StepReader<'a> {
    source: &'a SourceFile,
    vars: &'a Vars,
    seen: BTreeSet<String>,
}

impl StepReader<'_> {
    fn list(&mut self, scenario: &mut Group<'_>, key: &'static str) -> Vec<Step> {
        match scenario.take(key) {
            None => Vec::new(),
            Some(Located {
                value: Value::List(items),
                ..
            }) => items
                .iter()
                .filter_map(|node| {
                    let group = Group::open(scenario.source, scenario.findings, node, "a step")?;
                    self.step(group)
                })
                .collect(),
            Some(node) => {
                scenario.find(
                    node.span.clone(),
                    format!(
                        "`{key}` is a list of steps, and this is {}",
                        node.value.kind()
                    ),
                );
                Vec::new()
            }
        }
    }

    fn variables(&self, scenario: &mut Group<'_>) -> Vec<(String, Template)> {
        let Some(variables) = scenario.group("variables", "`variables`") else {
            return Vec::new();
        };
        variables
            .all()
            .iter()
            .filter_map(|(key, node)| {
                let text = variables.as_text(node, &key.value)?;
                Some((key.value.clone(), self.template(&variables, &text)?))
            })
            .collect()
    }

    fn step(&mut self, mut group: Group<'_>) -> Option<Step> {
        let name = group
            .required_text("name")
            .filter(|name| check_name(&group, name));
        if let Some(name) = &name
            && !self.seen.insert(name.value.clone())
        {
            let finding = Finding::at(
                self.source,
                name.span.clone(),
                format!("two steps are called `{}`", name.value),
            );
            group.add(
                finding.help("reports and targets know a step by its name: give each its own"),
            );
        }
        let action = self.action(&mut group);
        let headers = self.headers(&mut group);
        let expect: Vec<_> = group
            .texts("expect")
            .iter()
            .filter_map(|text| {
                group
                    .findings
                    .borrow_mut()
                    .keep(Expectation::parse(self.source, text))
            })
            .collect();
        if group.items("expect").is_empty() {
            let finding = Finding::at(
                self.source,
                group.span.clone(),
                "a step without `expect` can't fail",
            );
            group.add(finding.help("add at least one line, like `expect: [status == 200]`"));
        }
        let capture = self.captures(&mut group);
        let retry = group.group("retry", "`retry`").and_then(|g| self.retry(g));
        let think = group.text("think").and_then(|text| think(&group, &text));
        let timeout = group.duration("timeout").unwrap_or(DEFAULT_TIMEOUT);
        let targets = group
            .group("target", "`target`")
            .map(|g| Targets::read(&g, &[]))
            .unwrap_or_default();
        let writes = group.flag("writes");
        let place = self.source.place(group.span.start);
        group.finish();
        let action = action?;
        let writes = writes.unwrap_or_else(|| changes_state(&action));
        Some(Step {
            name: name?.value.into(),
            place,
            action,
            headers,
            expect,
            capture,
            retry,
            think,
            timeout,
            targets,
            writes,
        })
    }

    fn action(&self, group: &mut Group<'_>) -> Option<Action> {
        let present: Vec<_> = ACTIONS
            .iter()
            .filter_map(|a| group.key(a))
            .cloned()
            .collect();
        let (until, token) = (
            self.of_events(group, "until"),
            self.of_events(group, "token"),
        );
        let (http, sse, websocket) = (
            group.text("http"),
            group.text("sse"),
            group.text("websocket"),
        );
        let body = self.body(group);
        let redirects = group.text("redirects");
        let send = self.messages(group);
        match present.as_slice() {
            [] => {
                group.add(
                    Finding::at(self.source, group.span.clone(), "this step does nothing")
                        .help(format!("a step has one of: {}", ACTIONS.join(", "))),
                );
                return None;
            }
            [_] => {}
            [_, second, ..] => {
                group.find(
                    second.span.clone(),
                    "a step does one thing, and this is a second one",
                );
                return None;
            }
        }
        if let (Some(_), Some((_, span))) = (&http, &until) {
            group.add(
                Finding::at(
                    self.source,
                    span.clone(),
                    "`until` waits for a piece of a stream, and `http` has none",
                )
                .help("to ask again until something holds, use `retry`"),
            );
        }
        if let (Some(_), Some((_, span))) = (&http, &token) {
            group.find(
                span.clone(),
                "`token` tells what counts of a stream, and `http` has none: use `sse`",
            );
        }
        if let (Some(_), Some(text)) = (&websocket, &redirects) {
            group.find(
                text.span.clone(),
                "`redirects` belongs to `http` and `sse`: a WebSocket follows none",
            );
        }
        let redirects = redirects.map_or(0, |text| read_redirects(group, &text));
        let until = until.map(|(expectation, _)| expectation);
        let token = token.map(|(expectation, _)| expectation);
        if let Some(text) = http {
            let mut request = self.request(group, &text, body)?;
            request.redirects = redirects;
            Some(Action::Http(request))
        } else if let Some(text) = sse {
            let mut request = self.request(group, &text, body)?;
            request.redirects = redirects;
            Some(Action::Sse {
                request,
                until,
                token,
            })
        } else {
            let url = self.template(group, &websocket?)?;
            Some(Action::WebSocket {
                url,
                send,
                until,
                token,
            })
        }
    }

    /// An expectation that is asked of single events, and where it stands.
    fn of_events(&self, group: &mut Group<'_>, key: &'static str) -> Option<(Expectation, Span)> {
        let text = group.text(key)?;
        let parsed = Expectation::parse(self.source, &text);
        let kept = group.findings.borrow_mut().keep(parsed)?;
        Some((kept, text.span))
    }

    fn request(&self, group: &Group<'_>, text: &Located<String>, body: Body) -> Option<Request> {
        let refuse = || {
            group.add(
                Finding::at(
                    self.source,
                    text.span.clone(),
                    "a request is a method and an address",
                )
                .help("write it like `GET ${url}/health`"),
            );
        };
        let Some((method, url)) = text.value.trim().split_once(char::is_whitespace) else {
            refuse();
            return None;
        };
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        if !known.contains(&method) {
            refuse();
            return None;
        }
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let url = self.template(
            group,
            &Located {
                value: url.trim().to_owned(),
                span: text.span.clone(),
            },
        )?;
        Some(Request {
            method,
            destination: Destination::Open(url.clone()),
            url,
            body,
            redirects: 0,
        })
    }

    fn template(&self, group: &Group<'_>, text: &Located<String>) -> Option<Template> {
        let parsed =
            Template::parse(self.source, text).and_then(|t| t.resolve_env(self.source, self.vars));
        group.findings.borrow_mut().keep(parsed)
    }

    fn headers(&self, group: &mut Group<'_>) -> Vec<(HeaderName, Template)> {
        let Some(headers) = group.group("headers", "`headers`") else {
            return Vec::new();
        };
        headers
            .all()
            .iter()
            .filter_map(|(key, node)| {
                let Ok(name) = HeaderName::try_from(key.value.as_str()) else {
                    headers.find(
                        key.span.clone(),
                        format!("`{}` is not the name of a header", key.value),
                    );
                    return None;
                };
                let text = headers.as_text(node, &key.value)?;
                Some((name, self.template(&headers, &text)?))
            })
            .collect()
    }

    fn captures(&self, group: &mut Group<'_>) -> Vec<Capture> {
        let Some(captures) = group.group("capture", "`capture`") else {
            return Vec::new();
        };
        captures
            .all()
            .iter()
            .filter_map(|(key, node)| {
                let text = captures.as_text(node, &key.value)?;
                captures
                    .findings
                    .borrow_mut()
                    .keep(Capture::parse(self.source, key, &text))
            })
            .collect()
    }

    fn body(&self, group: &mut Group<'_>) -> Body {
        let json = group.take("json");
        let text = group.text("body");
        match (json, text) {
            (None, None) => Body::Empty,
            (Some(node), None) => self.json(group, node),
            (None, Some(text)) => self.template(group, &text).map_or(Body::Empty, Body::Text),
            (Some(_), Some(text)) => {
                group.find(text.span, "a request has one body: `json` or `body`");
                Body::Empty
            }
        }
    }

    fn messages(&self, group: &mut Group<'_>) -> Vec<Body> {
        let items = group.items("send");
        items
            .iter()
            .filter_map(|node| match &node.value {
                Value::Map(_) => Some(self.json(group, node)),
                _ => {
                    let text = group.as_text(node, "send")?;
                    self.template(group, &text).map(Body::Text)
                }
            })
            .collect()
    }

    fn json(&self, group: &Group<'_>, node: &Node) -> Body {
        let mut parts = Vec::new();
        self.json_parts(group, node, &mut parts);
        Body::Json(parts)
    }

    /// Writes the document once, with holes where variables are filled in.
    fn json_parts(&self, group: &Group<'_>, node: &Node, parts: &mut Vec<JsonPart>) {
        match &node.value {
            Value::Null => raw(parts, "null"),
            Value::Bool(value) => raw(parts, &value.to_string()),
            Value::Int(value) => raw(parts, &value.to_string()),
            Value::Float(value) => raw(parts, &serde_json::Value::from(*value).to_string()),
            Value::Str(text) => {
                let located = Located {
                    value: text.clone(),
                    span: node.span.clone(),
                };
                let Some(template) = self.template(group, &located) else {
                    return;
                };
                match template.constant() {
                    Some(constant) => raw(parts, &serde_json::Value::from(constant).to_string()),
                    None => {
                        raw(parts, "\"");
                        parts.push(JsonPart::Inside(template));
                        raw(parts, "\"");
                    }
                }
            }
            Value::List(items) => {
                raw(parts, "[");
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        raw(parts, ",");
                    }
                    self.json_parts(group, item, parts);
                }
                raw(parts, "]");
            }
            Value::Map(entries) => {
                raw(parts, "{");
                for (n, (key, value)) in entries.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    raw(
                        parts,
                        &format!("{comma}{}:", serde_json::Value::from(key.value.as_str())),
                    );
                    self.json_parts(group, value, parts);
                }
                raw(parts, "}");
            }
        }
    }

    fn retry(&self, mut group: Group<'_>) -> Option<Retry> {
        let until = group.required_text("until").and_then(|text| {
            group
                .findings
                .borrow_mut()
                .keep(Expectation::parse(self.source, &text))
        });
        let every = group
            .duration("every")
            .unwrap_or(Duration::from_millis(500));
        let within = group.duration("for").unwrap_or(Duration::from_secs(10));
        group.finish();
        Some(Retry {
            until: until?,
            every,
            within,
        })
    }
}

fn raw(parts: &mut Vec<JsonPart>, text: &str) {
    match parts.last_mut() {
        Some(JsonPart::Raw(before)) => before.push_str(text),
        _ => parts.push(JsonPart::Raw(text.to_owned())),
    }
}

/// `none`, `follow`, or the most that are followed.
fn read_redirects(group: &Group<'_>, text: &Located<String>) -> u8 {
    match text.value.as_str() {
        "none" => 0,
        "follow" => MOST_REDIRECTS,
        number => match number.parse() {
            Ok(most @ 0..=MOST_REDIRECTS) => most,
            _ => {
                let finding = Finding::at(
                    group.source,
                    text.span.clone(),
                    format!("`{number}` is none of `none`, `follow`, and 0 to {MOST_REDIRECTS}"),
                );
                group.add(match nearest(number, ["none", "follow"]) {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help("`redirects: follow` follows up to 10"),
                });
                0
            }
        },
    }
}

/// `2s` or `2s..5s`.
fn think(group: &Group<'_>, text: &Located<String>) -> Option<(Duration, Duration)> {
    let read = |part: &str| match parse_duration(part) {
        Ok(duration) => Some(duration),
        Err(error) => {
            group.find(text.span.clone(), error.to_string());
            None
        }
    };
    let (least, most) = match text.value.split_once("..") {
        Some((least, most)) => (read(least)?, read(most)?),
        None => {
            let both = read(&text.value)?;
            (both, both)
        }
    };
    if least > most {
        group.find(
            text.span.clone(),
            "this range is empty: write the shorter time first",
        );
        return None;
    }
    Some((least, most))
}

/// Requests that are meant to change something, unless the step says otherwise with `writes: false`.
fn changes_state(action: &Action) -> bool {
    match action {
        Action::Http(request) | Action::Sse { request, .. } => {
            !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        }
        Action::WebSocket { .. } => false,
    }
}
