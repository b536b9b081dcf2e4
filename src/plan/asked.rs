//! Reads what of an environment is asked whether it works: services, agents, and the one answer that speaks for them.

use std::time::Duration;

use super::environment::{Agent, Aggregate, Ask, Service};
use super::environment_file::EnvironmentReader;
use super::expectation::Expectation;
use super::reader::Group;
use super::source::{Finding, Located, nearest};
use crate::event::Gate;
/// How long an answer may take, unless the file says otherwise.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

impl EnvironmentReader<'_> {
    fn expectations(&self, group: &mut Group<'_>, default: &[&str]) -> Vec<Expectation> {
        let mut texts = group.texts("expect");
        if group.key("expect").is_none() {
            texts = default
                .iter()
                .map(|line| Located {
                    value: (*line).to_owned(),
                    span: group.span.clone(),
                })
                .collect();
        } else if texts.is_empty() {
            group.missing("expect");
        }
        texts
            .iter()
            .filter_map(|text| {
                group
                    .findings
                    .borrow_mut()
                    .keep(Expectation::parse(self.source, text))
            })
            .collect()
    }

    pub(super) fn services(&self, group: &mut Group<'_>) -> Vec<Service> {
        let nodes = group.items("services");
        let mut seen: Vec<String> = Vec::new();
        let mut services = Vec::new();
        for node in nodes {
            let Some(mut entry) = Group::open(self.source, group.findings, node, "a service")
            else {
                continue;
            };
            let name = unique_name(&mut entry, &mut seen);
            let probe = entry.text("probe");
            let ask = match probe.as_ref().map_or("http", |p| p.value.as_str()) {
                "http" => {
                    let url = self.required_address(&mut entry, &["http", "https"]);
                    let expect = self.expectations(&mut entry, &["status in 200..299"]);
                    url.map(|url| Ask::Http { url, expect })
                }
                "postgres" => {
                    // SQLAlchemy's `postgresql+asyncpg:` names a driver; the server is the same.
                    let schemes = [
                        "postgresql",
                        "postgres",
                        "postgresql+asyncpg",
                        "postgresql+psycopg",
                    ];
                    self.required_address(&mut entry, &schemes)
                        .map(|url| Ask::Postgres { url })
                }
                "redis" => self
                    .required_address(&mut entry, &["redis"])
                    .map(|url| Ask::Redis { url }),
                other => {
                    let message = format!("`{other}` is not a probe: http, postgres, redis");
                    entry.find(
                        probe.as_ref().map_or(node.span.clone(), |p| p.span.clone()),
                        message,
                    );
                    None
                }
            };
            let gate = match entry.text("gate") {
                None => Gate::Mandatory,
                Some(text) if text.value == "mandatory" => Gate::Mandatory,
                Some(text) if text.value == "advisory" => Gate::Advisory,
                Some(text) => {
                    entry.find(
                        text.span,
                        format!("`{}` is neither `mandatory` nor `advisory`", text.value),
                    );
                    Gate::Mandatory
                }
            };
            let timeout = entry.duration("timeout").unwrap_or(PROBE_TIMEOUT);
            let remedy = entry.text("remedy").map(|r| r.value);
            let place = self.source.place(entry.span.start);
            entry.finish();
            let (Some(name), Some(ask)) = (name, ask) else {
                continue;
            };
            let remedy = remedy.unwrap_or_else(|| {
                format!(
                    "Look at the log of {name}, and whether it is deployed and reachable from here."
                )
            });
            services.push(Service {
                name,
                ask,
                gate,
                timeout,
                remedy,
                place,
            });
        }
        services
    }

    pub(super) fn agents(&self, group: &mut Group<'_>) -> Vec<Agent> {
        let nodes = group.items("agents");
        let mut seen = Vec::new();
        let mut agents = Vec::new();
        for node in nodes {
            let Some(mut entry) = Group::open(self.source, group.findings, node, "an agent") else {
                continue;
            };
            let name = unique_name(&mut entry, &mut seen);
            let url = self.required_address(&mut entry, &["http", "https"]);
            let expect = self.expectations(
                &mut entry,
                &["status == 200", "jsonpath $.status == healthy"],
            );
            let fresh = entry.duration("fresh");
            let timeout = entry.duration("timeout").unwrap_or(PROBE_TIMEOUT);
            let remedy = entry.text("remedy").map(|r| r.value);
            let place = self.source.place(entry.span.start);
            entry.finish();
            let (Some(name), Some(url)) = (name, url) else {
                continue;
            };
            let remedy = remedy
                .unwrap_or_else(|| format!("Look at the log of the agent {name} and restart it."));
            agents.push(Agent {
                name,
                url,
                expect,
                fresh,
                timeout,
                remedy,
                place,
            });
        }
        agents
    }

    pub(super) fn aggregate(&self, mut group: Group<'_>, agents: &[Agent]) -> Option<Aggregate> {
        let url = self.required_address(&mut group, &["http", "https"]);
        let timeout = group.duration("timeout").unwrap_or(PROBE_TIMEOUT);
        let mut names = Vec::new();
        for text in group.texts("agents") {
            if agents.iter().any(|a| a.name == text.value) {
                names.push(text.value);
            } else {
                let near = nearest(&text.value, agents.iter().map(|a| a.name.as_str()));
                let finding = Finding::at(
                    self.source,
                    text.span,
                    format!("no agent is called `{}`", text.value),
                );
                group.add(match near {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help("name agents of this environment"),
                });
            }
        }
        match group.key("agents") {
            None => group.missing("agents"),
            Some(key) if group.findings.borrow().is_empty() && names.is_empty() => {
                group.find(
                    key.span.clone(),
                    "an aggregate of no agents can't disagree with any",
                );
            }
            Some(_) => {}
        }
        let place = self.source.place(group.span.start);
        group.finish();
        Some(Aggregate {
            url: url?,
            agents: names,
            timeout,
            place,
        })
    }
}

/// A name that no sibling has.
fn unique_name(entry: &mut Group<'_>, seen: &mut Vec<String>) -> Option<String> {
    let name = entry.required_text("name")?;
    if seen.contains(&name.value) {
        entry.find(name.span, format!("`{}` stands twice", name.value));
        return None;
    }
    seen.push(name.value.clone());
    Some(name.value)
}
