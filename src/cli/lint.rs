//! `gates lint`: everything that can be known without sending.

use std::collections::BTreeSet;
use std::path::Path;

use super::args::LintArgs;
use super::exit::Exit;
use super::{run, show};
use crate::plan::{Choice, Finding, Plan, Project, SourceFile, Vars, read_scenario};
use crate::report::words::plural;

pub(super) fn lint(args: &LintArgs) -> Exit {
    let (project, mut vars) = match run::open(&args.config, None) {
        Ok(opened) => opened,
        Err(findings) => {
            show::findings(&findings);
            return Exit::Usage;
        }
    };
    // What only a run knows is no fault of the files.
    vars.stand_in_for_unset();
    let names: Vec<String> = project.environment_names().map(str::to_owned).collect();
    let (mut findings, mut told) = (Vec::new(), BTreeSet::new());
    let mut scenarios = 0;
    for name in &names {
        let found = if args.files.is_empty() {
            whole(&project, name, &vars, &mut scenarios)
        } else {
            files(args, &project, name, &vars)
        };
        // Environments share most of the plan: what is wrong with it is told once.
        findings.extend(found.into_iter().filter(|f| told.insert(f.render(false))));
    }
    if names.is_empty() {
        findings.push(Finding::about_file(
            &project.source.name,
            "has no environment",
            "define one: [environments.staging]",
        ));
    }
    if findings.is_empty() {
        let n = if args.files.is_empty() {
            scenarios
        } else {
            args.files.len()
        };
        show::out(&format!(
            "{}, {}: nothing found.",
            plural(n, "scenario"),
            plural(names.len(), "environment")
        ));
        return Exit::Success;
    }
    show::findings(&findings);
    Exit::Usage
}

fn whole(project: &Project, environment: &str, vars: &Vars, scenarios: &mut usize) -> Vec<Finding> {
    match Plan::load(project, environment, vars, &Choice::default()) {
        Ok(plan) => {
            *scenarios = (*scenarios).max(plan.scenarios.len());
            Vec::new()
        }
        Err(findings) => findings,
    }
}

fn files(args: &LintArgs, project: &Project, environment: &str, vars: &Vars) -> Vec<Finding> {
    let names = match project.settings(environment, vars, &Choice::default()) {
        Ok(settings) => settings
            .environment
            .variables
            .into_keys()
            .chain(["url".to_owned()])
            .collect(),
        Err(findings) => return findings,
    };
    let lint = |path: &Path| match SourceFile::read(path) {
        Ok(source) => read_scenario(&source, vars, &names)
            .err()
            .unwrap_or_default(),
        Err(finding) => vec![finding],
    };
    args.files.iter().flat_map(|path| lint(path)).collect()
}
