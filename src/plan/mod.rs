//! What people write, loaded: gates.toml and scenarios as typed values; after this module nobody sees a raw string.

mod address;
mod asked;
mod checks;
mod data;
mod environment;
mod environment_file;
pub mod expectation;
mod loads;
mod names;
mod node;
mod profile;
mod project;
mod reader;
mod resources;
mod scenario;
mod scenario_file;
mod single;
mod source;
mod targets;
mod template;
mod vars;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::event::{Model, Redactor, SourceRef, Stage};
use crate::units::Ratio;

pub use address::{Address, Destination, NoAddress, Origin};
pub use checks::{AGGREGATE, REACHABLE, agent_probe, service_probe};
pub use data::{Data, Pick, Row};
pub use environment::{
    Agent, Aggregate, Ask, Environment, Http2Use, Permission, Refusal, Safety, Service, Setting,
};
pub use profile::{Abort, AbortLimit, AbortRule, LoadProfile, ProfileKeys};
pub use project::{Choice, Project, Protected, Settings, StackKind};
pub use resources::{DockerEngine, Prometheus, Query, Resources};
pub use scenario::{Action, Body, JsonPart, Request, Retry, Scenario, Step};
pub use scenario_file::read_scenario;
pub use source::{Finding, Located, SourceFile};
pub use targets::{ErrorTarget, LatencyTarget, Targets};
pub use template::{Template, Variable};
pub use vars::Vars;

/// Everything that a run needs to know, checked.
#[derive(Debug)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// Where reports go.
    pub reports: PathBuf,
    /// Targets for all steps.
    pub targets: Targets,
    /// The share of agents that must be healthy, and where that is demanded.
    pub agents: Option<(Ratio, SourceRef)>,
    /// Where it runs.
    pub environment: Environment,
    /// What is done there.
    pub scenarios: Vec<Scenario>,
    /// Knows the secrets of the environment.
    pub redactor: Redactor,
}

impl Plan {
    /// Loads the plan for one environment.
    ///
    /// # Errors
    /// Everything that is wrong with gates.toml and the scenarios.
    pub fn load(
        project: &Project,
        environment: &str,
        vars: &Vars,
        choice: &Choice,
    ) -> Result<Self, Vec<Finding>> {
        let mut settings = project.settings(environment, vars, choice)?;
        let names = variable_names(&settings.environment);
        let (mut scenarios, mut findings) = read_scenarios(project, &settings, vars, &names);
        let under_load = scenarios.iter().filter(|s| s.used_by(Stage::Load)).count();
        settings.environment.load.cover(under_load);
        findings.extend(check_scenarios(project, &settings, &scenarios));
        if !findings.is_empty() {
            return Err(findings);
        }
        for scenario in &mut scenarios {
            scenario.settle_in(&settings.environment.url);
        }
        let redactor = redactor(&settings.environment, vars);
        Ok(Self {
            project: settings.project,
            reports: settings.reports,
            targets: settings.targets,
            agents: settings.agents,
            environment: settings.environment,
            scenarios,
            redactor,
        })
    }

    /// Scenarios that a stage may run here.
    pub fn scenarios_for(&self, stage: Stage) -> impl Iterator<Item = &Scenario> {
        self.scenarios
            .iter()
            .filter(move |s| s.used_by(stage) && self.refusal(s).is_none())
    }
}

/// The names that scenarios can use without capturing them.
fn variable_names(environment: &Environment) -> BTreeSet<String> {
    environment
        .variables
        .keys()
        .cloned()
        .chain(std::iter::once("url".to_owned()))
        .collect()
}

fn read_scenarios(
    project: &Project,
    settings: &Settings,
    vars: &Vars,
    names: &BTreeSet<String>,
) -> (Vec<Scenario>, Vec<Finding>) {
    let (mut scenarios, mut findings) = (Vec::new(), Vec::new());
    for pattern in &settings.scenarios {
        let at = |message: String| Finding::at(&project.source, pattern.span.clone(), message);
        let full = project.folder().join(&pattern.value);
        let paths = match glob::glob(&full.to_string_lossy()) {
            Ok(paths) => paths.filter_map(Result::ok).collect::<Vec<_>>(),
            Err(error) => {
                findings.push(at(format!("this is not a pattern of files: {error}")));
                continue;
            }
        };
        if paths.is_empty() {
            findings.push(
                at(format!("no file matches `{}`", pattern.value))
                    .help("the pattern is relative to gates.toml"),
            );
        }
        for path in paths {
            match SourceFile::read(&path)
                .map_err(|f| vec![f])
                .and_then(|s| read_scenario(&s, vars, names))
            {
                Ok(scenario) => scenarios.push(scenario),
                Err(found) => findings.extend(found),
            }
        }
    }
    (scenarios, findings)
}

/// What can only be seen when all scenarios are read.
fn check_scenarios(project: &Project, settings: &Settings, scenarios: &[Scenario]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (n, scenario) in scenarios.iter().enumerate() {
        if let Some(other) = scenarios[..n].iter().find(|s| s.name == scenario.name) {
            findings.push(Finding::about_file(
                &scenario.source.name,
                format!("is called `{}`, as is {}", scenario.name, other.source.name),
                "give each scenario a name of its own",
            ));
        }
        let uses = |s: &Stage| scenario.used_by(*s);
        if ![Stage::Smoke, Stage::Load].iter().any(uses) {
            findings.push(Finding::about_file(
                &scenario.source.name,
                format!("is run by no stage: its tags are {}", scenario.tags.join(", ")),
                "a scenario with tags is run by the stages among them, `smoke` and `load`; one without tags by both",
            ));
        }
        if let Some(data) = &scenario.data
            && data.pick() == Pick::Unique
            && scenario.used_by(Stage::Load)
        {
            let load = &settings.environment.load;
            let share = match load.model {
                Model::Closed => users_of(scenarios, scenario, load.users),
                // Whoever is free takes the next journey.
                Model::Open { .. } => usize::try_from(load.users).unwrap_or(usize::MAX),
            };
            if share > data.len() {
                findings.push(Finding::about_file(
                    &scenario.source.name,
                    format!(
                        "gives each of {share} users a row of its own, but has {} rows",
                        data.len()
                    ),
                    "add rows, lower `users`, or use `pick: sequential`",
                ));
            }
        }
    }
    findings.extend(load_without_targets(project, settings, scenarios));
    let under_load = scenarios.iter().filter(|s| s.used_by(Stage::Load)).count();
    let users = usize::try_from(settings.environment.load.users).unwrap_or(usize::MAX);
    let closed = settings.environment.load.model == Model::Closed;
    if settings.environment.stages.contains(&Stage::Load) && closed && users < under_load {
        findings.push(Finding::about_file(
            &project.source.name,
            format!(
                "lets {users} users run {under_load} scenarios, so some would never run under load"
            ),
            "raise `users` in [load], or take the tag `load` from some scenarios",
        ));
    }
    findings
}

/// A step under load whose errors nobody bounds would pass whatever the stack answers.
fn load_without_targets(
    project: &Project,
    settings: &Settings,
    scenarios: &[Scenario],
) -> Option<Finding> {
    let environment = &settings.environment;
    let offered =
        environment.stages.contains(&Stage::Load) && environment.safety.load == Permission::Allowed;
    if !offered || settings.targets.errors.is_some() {
        return None;
    }
    let unbounded = scenarios
        .iter()
        .filter(|s| s.used_by(Stage::Load))
        .flat_map(|s| s.all_steps().map(move |step| (s, step)))
        .find(|(_, step)| step.targets.errors.is_none());
    unbounded.map(|(scenario, step)| {
        Finding::about_file(
            &project.source.name,
            format!(
                "puts step `{}` of `{}` under load without a target for errors, so it could pass by failing fast",
                step.name, scenario.name
            ),
            "add `errors = \"1%\"` to [targets], or leave the stage out: stages = [\"preflight\", \"smoke\", \"agents\"]",
        )
    })
}

/// Most users that a scenario can get of all, by its weight.
fn users_of(scenarios: &[Scenario], one: &Scenario, users: u32) -> usize {
    let total: u32 = scenarios
        .iter()
        .filter(|s| s.used_by(Stage::Load))
        .map(|s| s.weight)
        .sum();
    let share = (u64::from(users) * u64::from(one.weight)).div_ceil(u64::from(total.max(1)));
    // Users arrive scenario by scenario, so a share can be exceeded by a round of the weights.
    usize::try_from(share + u64::from(one.weight))
        .unwrap_or(usize::MAX)
        .min(usize::try_from(users).unwrap_or(usize::MAX))
}

/// Whether a name is one that people give to secrets.
fn sounds_secret(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "API_KEY",
        "PRIVATE_KEY",
        "CREDENTIAL",
    ];
    let name = name.to_uppercase();
    NAMES.iter().any(|n| name.contains(n))
}

/// Collects secrets: what is marked so, what is called so, and passwords inside of addresses.
fn redactor(environment: &Environment, vars: &Vars) -> Redactor {
    let mut redactor = Redactor::default();
    for setting in environment.variables.values().filter(|s| s.secret) {
        redactor.add(&setting.value);
    }
    for name in vars.names() {
        let Some(value) = vars.get(name) else {
            continue;
        };
        if sounds_secret(name) && value.len() >= 8 {
            redactor.add(value);
        }
        if let Some(password) = url::Url::parse(value)
            .ok()
            .as_ref()
            .and_then(url::Url::password)
        {
            redactor.add(password);
        }
    }
    let addresses = environment.services.iter().map(|s| match &s.ask {
        Ask::Http { url, .. } | Ask::Postgres { url } | Ask::Redis { url } => url,
    });
    let prometheus = environment.resources.iter().flat_map(|r| &r.prometheus);
    let prometheus = prometheus.map(|p| &p.url);
    for address in addresses.chain(prometheus).chain([&environment.url]) {
        if let Some(password) = url::Url::parse(address)
            .ok()
            .as_ref()
            .and_then(url::Url::password)
        {
            redactor.add(password);
        }
    }
    redactor
}

#[cfg(test)]
mod tests;
