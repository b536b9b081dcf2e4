//! Reads gates.toml: the project, its targets, its environments.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::environment_file::EnvironmentReader;
use super::loads::Loads;
use super::node::{Node, Value, parse_toml};
use super::profile::ProfileKeys;
use super::reader::Group;
use super::source::{Finding, Findings, Located, SourceFile, nearest};
use super::targets::Targets;
use super::vars::Vars;
use crate::event::SourceRef;
use crate::units::Ratio;

const VERSION: u32 = 1;

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
