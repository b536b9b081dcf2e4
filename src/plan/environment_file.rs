//! Reads one environment of gates.toml.

use std::collections::BTreeMap;
use std::path::Path;

use super::environment::{Environment, Http2Use, Permission, Safety, Setting};
use super::loads::Loads;
use super::node::Value;
use super::project::Protected;
use super::reader::Group;
use super::source::{Finding, Located, SourceFile, nearest};
use super::template::{Template, Variable};
use super::vars::{STAND_IN, Vars};
use crate::event::{Model, Shape, Stage};
/// Reads one environment's tables.
pub(super) struct EnvironmentReader<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) vars: &'a Vars,
    pub(super) url: String,
}

impl EnvironmentReader<'_> {
    pub(super) fn read(
        mut self,
        name: &Located<String>,
        mut group: Group<'_>,
        loads: &Loads<'_>,
        folder: &Path,
        protected: Protected,
    ) -> Option<Environment> {
        let stack = group.text("stack");
        let embedded = stack.as_ref().is_some_and(|s| s.value == "embedded");
        if let Some(stack) = stack.filter(|s| s.value != "embedded") {
            group.find(
                stack.span,
                format!(
                    "`{}` is not `embedded`, the only stack that is built in",
                    stack.value
                ),
            );
        }
        let url = if embedded {
            self.vars.for_template("GATES_DEMO_URL").map(str::to_owned)
        } else {
            let text = group.required_text("url");
            text.and_then(|text| self.address(&group, &text, &["http", "https"]))
        };
        self.url = url
            .clone()
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_owned();
        group.text("env_file");
        let stages = self.stages(&mut group);
        let safety = self.safety(&mut group, protected);
        let variables = self.variables(&mut group);
        let ca_file = group
            .text("ca_file")
            .and_then(|t| self.fill(&group, &t))
            .filter(|p| !p.is_empty());
        let http2 = group.text("http2").map(|text| read_http2(&group, text));
        let http2 = http2.unwrap_or_default();
        let load = loads.of(&mut group);
        let services = self.services(&mut group);
        let agents = self.agents(&mut group);
        let aggregate = group
            .group("aggregate", "`aggregate`")
            .and_then(|g| self.aggregate(g, &agents));
        let resources = self.resources(&mut group);
        let place = self.source.place(name.span.start);
        if let Some(max) = safety.max_users.filter(|max| *max < load.users) {
            group.find(
                name.span.clone(),
                format!(
                    "a load of {} users is more than `max_users = {max}` of `{}`",
                    load.users, name.value
                ),
            );
        }
        let peak = load.shape.peak();
        if let (Some(max), Model::Open { .. }) = (safety.max_rps, load.model)
            && peak.get() > f64::from(max)
        {
            let help = match load.shape {
                Shape::Search(_) => format!("; set `most = \"{max}/s\"` in [profiles.breakpoint]"),
                Shape::Phases { .. } => String::new(),
            };
            group.find(
                name.span.clone(),
                format!(
                    "journeys at {} are more than `max_rps = {max}` of `{}` lets through{help}",
                    peak.show(load.model),
                    name.value
                ),
            );
        }
        group.finish();
        Some(Environment {
            name: name.value.clone(),
            url: self.url,
            place,
            stages,
            safety,
            services,
            agents,
            aggregate,
            resources,
            variables,
            ca_file: ca_file.map(|path| folder.join(path)),
            http2,
            load,
        })
    }

    /// Fills `${url}` and `${env.…}` into a text of gates.toml.
    pub(super) fn fill(&self, group: &Group<'_>, text: &Located<String>) -> Option<String> {
        let filled = Template::parse(self.source, text)
            .and_then(|t| t.resolve_env(self.source, self.vars))
            .and_then(|template| {
                let mut out = String::new();
                let known = |variable: &Variable, out: &mut String| match variable {
                    Variable::Named(name) if name == "url" => {
                        out.push_str(&self.url);
                        true
                    }
                    _ => false,
                };
                match template.fill(&mut out, known) {
                    Ok(()) => Ok(out),
                    Err(variable) => Err(Finding::at(
                        self.source,
                        text.span.clone(),
                        format!("`${{{variable}}}` has no value in gates.toml"),
                    )
                    .help("here ${url} and ${env.NAME} can be used")),
                }
            });
        group.findings.borrow_mut().keep(filled)
    }

    /// An address with one of the given schemes.
    fn address(
        &self,
        group: &Group<'_>,
        text: &Located<String>,
        schemes: &[&str],
    ) -> Option<String> {
        let filled = self.fill(group, text)?;
        if filled.contains(STAND_IN) {
            return Some(filled);
        }
        let problem = match url::Url::parse(&filled) {
            Ok(url) if !schemes.contains(&url.scheme()) => Some(format!(
                "the address begins with `{}:`, not with {}",
                url.scheme(),
                schemes.join(": or ")
            )),
            Ok(url) if url.host_str().is_none_or(str::is_empty) => {
                Some("the address names no host".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(format!("this is not an address: {error}")),
        };
        match problem {
            None => Some(filled),
            Some(problem) => {
                // The address may hold a password: it is not repeated here.
                group.find(text.span.clone(), problem);
                None
            }
        }
    }

    pub(super) fn required_address(
        &self,
        group: &mut Group<'_>,
        schemes: &[&str],
    ) -> Option<String> {
        let text = group.required_text("url")?;
        self.address(group, &text, schemes)
    }

    fn stages(&self, group: &mut Group<'_>) -> Vec<Stage> {
        if group.key("stages").is_none() {
            return Stage::ALL.to_vec();
        }
        let mut stages = Vec::new();
        for text in group.texts("stages") {
            match Stage::ALL.iter().find(|s| s.name() == text.value) {
                Some(stage) => stages.push(*stage),
                None => group.find(
                    text.span,
                    format!(
                        "`{}` is not a stage: preflight, smoke, agents, load",
                        text.value
                    ),
                ),
            }
        }
        stages.sort_unstable();
        stages.dedup();
        stages
    }

    fn safety(&self, group: &mut Group<'_>, protected: Protected) -> Safety {
        let is_protected = group.flag("protected").unwrap_or(false);
        let permission = |granted: Option<bool>| match (is_protected, protected, granted) {
            (_, _, Some(false)) => Permission::Excluded,
            (true, Protected::Respect, _) => Permission::Protected,
            (true, Protected::Allow, None) | (_, _, Some(true)) => Permission::Allowed,
            (false, _, None) => Permission::Unsaid,
        };
        Safety {
            writes: permission(group.flag("writes")),
            load: permission(group.flag("load")),
            max_users: group.number("max_users", 1..=100_000),
            max_rps: group.number("max_rps", 1..=1_000_000),
        }
    }

    fn variables(&self, group: &mut Group<'_>) -> BTreeMap<String, Setting> {
        let Some(table) = group.group("variables", "`variables`") else {
            return BTreeMap::new();
        };
        let mut variables = BTreeMap::new();
        for (key, node) in table.all() {
            let setting = if matches!(node.value, Value::Map(_)) {
                Group::open(self.source, table.findings, node, "a variable").and_then(
                    |mut entry| {
                        let value = entry
                            .required_text("value")
                            .and_then(|t| self.fill(&entry, &t));
                        let secret = entry.flag("secret").unwrap_or(false);
                        entry.finish();
                        Some(Setting {
                            value: value?,
                            secret,
                        })
                    },
                )
            } else {
                let text = table.as_text(node, &key.value);
                text.and_then(|t| self.fill(&table, &t))
                    .map(|value| Setting {
                        value,
                        secret: false,
                    })
            };
            if key.value == "url" {
                table.find(
                    key.span.clone(),
                    "`url` is the environment's own address already",
                );
            } else if let Some(setting) = setting {
                variables.insert(key.value.clone(), setting);
            }
        }
        variables
    }
}

fn read_http2(group: &Group<'_>, text: Located<String>) -> Http2Use {
    match text.value.as_str() {
        "auto" => Http2Use::Auto,
        "off" => Http2Use::Off,
        "prior-knowledge" => Http2Use::PriorKnowledge,
        other => {
            let known = ["auto", "off", "prior-knowledge"];
            let finding = Finding::at(
                group.source,
                text.span,
                format!("`{other}` is none of `auto`, `off`, `prior-knowledge`"),
            );
            group.add(match nearest(other, known) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("`auto` speaks HTTP/2 over TLS if the server chooses it"),
            });
            Http2Use::Auto
        }
    }
}
