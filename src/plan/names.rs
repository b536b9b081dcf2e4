//! Checks that every variable of a scenario has a value by the time it is used.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::scenario::Scenario;
use super::source::{Finding, Findings, nearest};
use super::template::{Template, Variable};
use crate::event::Clock;

/// Finds variables that nobody defines, captures that nobody uses, and targets that a step can't feed.
/// `names` are the variables that the environment defines.
pub(super) fn check_names(
    scenario: &Scenario,
    names: &BTreeSet<String>,
    findings: &RefCell<Findings>,
) {
    let mut known = names.clone();
    let mut later = BTreeSet::new();
    for step in scenario.all_steps() {
        later.extend(step.capture.iter().map(|c| c.name.clone()));
    }
    for (name, template) in &scenario.variables {
        for variable in template.variables() {
            if let Some(finding) = check(scenario, template, variable, &known, &later) {
                findings.borrow_mut().push(finding);
            }
        }
        known.insert(name.clone());
    }
    for step in scenario.all_steps() {
        for template in step.templates() {
            for variable in template.variables() {
                if let Some(finding) = check(scenario, template, variable, &known, &later) {
                    findings.borrow_mut().push(finding);
                }
            }
        }
        for target in &step.targets.latency {
            if target.clock == Clock::FirstToken && !step.action.is_stream() {
                let span = scenario.source.offset(&target.place);
                findings.borrow_mut().push(
                    Finding::at(
                        &scenario.source,
                        span..span,
                        "`first_token` is measured on streams, and this step is none",
                    )
                    .help("use `p95` here, or make the step an `sse` or `websocket` one"),
                );
            }
        }
        known.extend(step.capture.iter().map(|c| c.name.clone()));
    }
}

fn check(
    scenario: &Scenario,
    template: &Template,
    variable: &Variable,
    known: &BTreeSet<String>,
    later: &BTreeSet<String>,
) -> Option<Finding> {
    let at = |message: String| Finding::at(&scenario.source, template.span(), message);
    match variable {
        Variable::Uuid | Variable::Now | Variable::Env { .. } => None,
        Variable::Named(name) if known.contains(name) => None,
        Variable::Named(name) if later.contains(name) => Some(
            at(format!("`${{{name}}}` is captured by a later step"))
                .help("move that step before this one"),
        ),
        Variable::Named(name) => {
            let near = nearest(name, known.iter().map(String::as_str));
            Some(at(format!("nothing defines `${{{name}}}`")).help(near.map_or_else(
                || "capture it in an earlier step, or define it under `variables` in gates.toml (for `gates load`: --url, --var)".to_owned(),
                |near| format!("did you mean `${{{near}}}`?"),
            )))
        }
        Variable::Data(column) => match &scenario.data {
            None => Some(at(format!(
                "`${{data.{column}}}` needs `data: {{file: …}}` in the scenario"
            ))),
            Some(data) if data.columns.contains(column) => None,
            Some(data) => {
                let near = nearest(column, data.columns.iter().map(String::as_str));
                Some(
                    at(format!("the data file has no column `{column}`")).help(near.map_or_else(
                        || format!("its columns: {}", data.columns.join(", ")),
                        |near| format!("did you mean `${{data.{near}}}`?"),
                    )),
                )
            }
        },
    }
}
