//! Reads gates.toml: the project, its targets, its environments.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::{
    Agent, Aggregate, Ask, Environment, Http2Use, Permission, Safety, Service, Setting,
};
use super::expectation::Expectation;
use super::node::{Node, Value, parse_toml};
use super::profile::{self, LoadProfile, ProfileKeys};
use super::reader::Group;
use super::source::{Finding, Findings, Located, SourceFile, nearest};
use super::targets::Targets;
use super::template::{Template, Variable};
use super::vars::{STAND_IN, Vars};
use crate::event::{Gate, Model, Shape, SourceRef, Stage};
use crate::units::Ratio;

const VERSION: u32 = 1;
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// gates.toml, parsed but not yet read for one environment.
#[derive(Debug)]
pub struct Project {
    /// The file.
    pub source: SourceFile,
    root: Node,
    folder: PathBuf,
}

/// What kind of stack an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackKind {
    /// Somewhere else, at an address.
    Deployed,
    /// The reference stack, booted by this process.
    Embedded,
}

/// What a run may do to a protected environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// Only look.
    Respect,
    /// The person who started the run named the environment.
    Allow,
}

/// What the person who starts a run chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What may be done to a protected environment.
    pub protected: Protected,
    /// The load, by name; without one, what the environment says.
    pub profile: Option<String>,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            protected: Protected::Respect,
            profile: None,
        }
    }
}

/// What gates.toml says, read for one environment.
#[derive(Debug)]
pub struct Settings {
    /// The project's name.
    pub project: String,
    /// Patterns of scenario files, relative to the project.
    pub scenarios: Vec<Located<String>>,
    /// Where reports go, relative to the project.
    pub reports: PathBuf,
    /// Targets for all steps.
    pub targets: Targets,
    /// The share of agents that must be healthy, and where that is demanded.
    pub agents: Option<(Ratio, SourceRef)>,
    /// The environment.
    pub environment: Environment,
}

impl Project {
    /// Reads and parses gates.toml.
    ///
    /// # Errors
    /// A [`Finding`] if there is no such file or it is not TOML.
    pub fn open(path: &Path) -> Result<Self, Finding> {
        if !path.exists() {
            return Err(Finding::about_file(
                &path.display().to_string(),
                "does not exist",
                "run in the folder that holds gates.toml, or name it with --config FILE",
            ));
        }
        Self::parse(
            SourceFile::read(path)?,
            path.parent().unwrap_or(Path::new("")),
        )
    }

    /// Parses the text of a gates.toml; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// A [`Finding`] if it is not TOML.
    pub fn parse(source: SourceFile, folder: &Path) -> Result<Self, Finding> {
        let root = parse_toml(&source)?;
        Ok(Self {
            source,
            root,
            folder: folder.to_owned(),
        })
    }

    /// The folder that paths are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn environments(&self) -> &[(Located<String>, Node)] {
        let Value::Map(entries) = &self.root.value else {
            return &[];
        };
        match entries
            .iter()
            .find(|(k, _)| k.value == "environments")
            .map(|(_, n)| &n.value)
        {
            Some(Value::Map(environments)) => environments,
            _ => &[],
        }
    }

    /// Names of all environments.
    pub fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.environments().iter().map(|(k, _)| k.value.as_str())
    }

    fn environment_node(&self, name: &str) -> Result<&(Located<String>, Node), Finding> {
        self.environments()
            .iter()
            .find(|(k, _)| k.value == name)
            .ok_or_else(|| {
                let names: Vec<_> = self.environment_names().collect();
                let help = match (nearest(name, names.iter().copied()), names.as_slice()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, []) => "define one: [environments.staging]".to_owned(),
                    (None, names) => format!("known environments: {}", names.join(", ")),
                };
                Finding::about_file(
                    &self.source.name,
                    format!("has no environment `{name}`"),
                    &help,
                )
            })
    }

    /// What kind of stack an environment is, so that an embedded one can be booted before the rest is read.
    ///
    /// # Errors
    /// A [`Finding`] if there is no such environment.
    pub fn stack(&self, environment: &str) -> Result<StackKind, Finding> {
        let (_, node) = self.environment_node(environment)?;
        let Value::Map(entries) = &node.value else {
            return Ok(StackKind::Deployed);
        };
        let embedded = entries
            .iter()
            .any(|(k, v)| k.value == "stack" && v.value == Value::Str("embedded".to_owned()));
        Ok(if embedded {
            StackKind::Embedded
        } else {
            StackKind::Deployed
        })
    }

    /// The path of an environment's own env file, if it names one.
    #[must_use]
    pub fn env_file(&self, environment: &str) -> Option<PathBuf> {
        let (_, node) = self.environment_node(environment).ok()?;
        let Value::Map(entries) = &node.value else {
            return None;
        };
        let (_, file) = entries.iter().find(|(k, _)| k.value == "env_file")?;
        match &file.value {
            Value::Str(path) => Some(self.folder.join(path)),
            _ => None,
        }
    }

    /// Reads all profiles, so that what is wrong with one is told whichever is used.
    fn profiles<'a>(&self, root: &mut Group<'a>) -> Vec<(String, ProfileKeys)> {
        let Some(table) = root.group("profiles", "[profiles]") else {
            return Vec::new();
        };
        let mut profiles = Vec::new();
        for (name, node) in table.all() {
            if let Some(group) = Group::open(table.source, table.findings, node, "a profile") {
                profiles.push((name.value.clone(), ProfileKeys::read(group)));
            }
        }
        profiles
    }

    /// Reads everything for one environment.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn settings(
        &self,
        environment: &str,
        vars: &Vars,
        choice: &Choice,
    ) -> Result<Settings, Vec<Finding>> {
        let (name, node) = self.environment_node(environment).map_err(|f| vec![f])?;
        let findings = RefCell::new(Findings::default());
        let settings = self.read(name, node, &findings, vars, choice);
        let findings = findings.into_inner().into_vec();
        match settings {
            Some(settings) if findings.is_empty() => Ok(settings),
            _ => Err(findings),
        }
    }

    fn read<'a>(
        &'a self,
        name: &Located<String>,
        node: &'a Node,
        findings: &'a RefCell<Findings>,
        vars: &Vars,
        choice: &Choice,
    ) -> Option<Settings> {
        let mut root = Group::open(&self.source, findings, &self.root, "gates.toml")?;
        if root.key("gates").is_none() {
            root.missing("gates");
        }
        root.number("gates", VERSION..=VERSION);
        let (mut project, mut scenarios, mut reports) = (None, Vec::new(), None);
        if let Some(mut group) = root.group("project", "[project]") {
            project = group.required_text("name");
            scenarios = group.texts("scenarios");
            reports = group.text("reports");
            group.finish();
        } else {
            root.missing("project");
        }
        if scenarios.is_empty() {
            scenarios.push(Located {
                value: "scenarios/*.yaml".to_owned(),
                span: root.span.clone(),
            });
        }
        let mut targets = Targets::default();
        let mut agents = None;
        if let Some(mut group) = root.group("targets", "[targets]") {
            let place = group.key("agents").map(|k| self.source.place(k.span.start));
            agents = group.unit("agents", Ratio::parse).zip(place);
            targets = Targets::read(&group, &["agents"]);
        }
        let base = root
            .group("load", "[load]")
            .map_or_else(ProfileKeys::default, ProfileKeys::read);
        let profiles = self.profiles(&mut root);
        root.take("environments");
        root.finish();
        let group = Group::open(&self.source, findings, node, "an environment")?;
        let reader = EnvironmentReader {
            source: &self.source,
            vars,
            url: String::new(),
        };
        let load = Loads {
            base,
            profiles,
            chosen: choice.profile.as_deref(),
        };
        let environment = reader.read(name, group, &load, &self.folder, choice.protected)?;
        Some(Settings {
            project: project?.value,
            scenarios,
            reports: self
                .folder
                .join(reports.map_or_else(|| "reports".to_owned(), |r| r.value)),
            targets,
            agents,
            environment,
        })
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

/// What gates.toml says of loads, and which one was asked for.
struct Loads<'a> {
    base: ProfileKeys,
    profiles: Vec<(String, ProfileKeys)>,
    chosen: Option<&'a str>,
}

impl Loads<'_> {
    /// The profile of an environment: `[load]`, what the environment changes in it, then the named profile.
    fn of(&self, group: &mut Group<'_>) -> LoadProfile {
        let place = group
            .key("profile")
            .map_or_else(|| group.span.clone(), |key| key.span.clone());
        let node = group.take("profile");
        let named = node.and_then(|node| match &node.value {
            Value::Str(name) => Some(Located {
                value: name.clone(),
                span: node.span.clone(),
            }),
            _ => None,
        });
        let keys = match (&named, node) {
            (None, Some(node)) => Group::open(group.source, group.findings, node, "`profile`")
                .map_or_else(ProfileKeys::default, ProfileKeys::read)
                .over(&self.base),
            _ => self.base.clone(),
        };
        let name = match (self.chosen, named) {
            (Some(chosen), _) => Located {
                value: chosen.to_owned(),
                span: place.clone(),
            },
            (None, Some(named)) => named,
            (None, None) => Located {
                value: "load".to_owned(),
                span: place.clone(),
            },
        };
        let own: Vec<&str> = self
            .profiles
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if let Err(problem) = profile::known(&name, &own) {
            group.find(name.span, problem);
            return LoadProfile::default();
        }
        let keys = match self.profiles.iter().find(|(n, _)| *n == name.value) {
            Some((_, own)) => own.clone().over(&keys),
            // An hour, not what `[load]` is held for.
            None if name.value == "soak" => ProfileKeys { hold: None, ..keys },
            None => keys,
        };
        match keys.profile(&name.value) {
            Ok(profile) => profile,
            Err((span, problem)) => {
                group.find(span.unwrap_or(place), problem);
                LoadProfile::default()
            }
        }
    }
}

/// Reads one environment's tables.
pub(super) struct EnvironmentReader<'a> {
    pub(super) source: &'a SourceFile,
    vars: &'a Vars,
    url: String,
}

impl EnvironmentReader<'_> {
    fn read(
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

    fn services(&self, group: &mut Group<'_>) -> Vec<Service> {
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

    fn agents(&self, group: &mut Group<'_>) -> Vec<Agent> {
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

    fn aggregate(&self, mut group: Group<'_>, agents: &[Agent]) -> Option<Aggregate> {
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
