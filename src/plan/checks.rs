//! Declares every check that a plan owes an answer to, before anything is sent.

use std::time::Duration;

use super::Plan;
use super::environment::{Permission, Refusal};
use super::scenario::{Scenario, Step};
use super::targets::Targets;
use crate::event::{
    Clock, Decide, DeclaredCheck, ErrorScope, Gate, Moment, SearchTarget, Shape, Stage, StepKey,
    Subject,
};

impl Plan {
    /// Every check of this plan, in the order in which stages answer them.
    #[must_use]
    pub fn declare(&self) -> Vec<DeclaredCheck> {
        let mut checks = self.preflight();
        checks.extend(self.smoke());
        checks.extend(self.agents());
        checks.extend(self.under_load());
        checks
    }

    fn preflight(&self) -> Vec<DeclaredCheck> {
        let environment = &self.environment;
        let reachable = DeclaredCheck {
            id: "preflight/reachable".to_owned(),
            stage: Stage::Preflight,
            title: "the stack answers".to_owned(),
            group: "reachable".to_owned(),
            gate: Gate::Mandatory,
            subject: Subject::Probe {
                probe: REACHABLE.to_owned(),
                moment: Moment::Before,
            },
            source: Some(environment.place.clone()),
            remedy: format!(
                "Check the address of `{}` in gates.toml, that the stack is up, and that this machine may reach it.",
                environment.name
            ),
        };
        let services = environment.services.iter().map(|service| DeclaredCheck {
            id: format!("preflight/{}", service.name),
            stage: Stage::Preflight,
            title: service.name.clone(),
            group: "services".to_owned(),
            gate: service.gate,
            subject: Subject::Probe {
                probe: service_probe(&service.name),
                moment: Moment::Before,
            },
            source: Some(service.place.clone()),
            remedy: service.remedy.clone(),
        });
        std::iter::once(reachable).chain(services).collect()
    }

    fn smoke(&self) -> Vec<DeclaredCheck> {
        let mut checks = Vec::new();
        for scenario in self.scenarios.iter().filter(|s| s.used_by(Stage::Smoke)) {
            let refusal = self.refusal(scenario);
            for step in scenario.all_steps() {
                let subject = match &refusal {
                    Some(refusal) => refusal.clone().subject(),
                    None => Subject::Step(scenario.key(step)),
                };
                checks.push(DeclaredCheck {
                    id: format!("smoke/{}/{}", scenario.name, step.name),
                    stage: Stage::Smoke,
                    title: step.name.to_string(),
                    group: scenario.name.to_string(),
                    gate: Gate::Mandatory,
                    subject,
                    source: Some(step.place.clone()),
                    remedy: format!(
                        "Repeat the request by hand; if its answer is right, the expectation at {} is not.",
                        step.place
                    ),
                });
            }
        }
        checks
    }

    /// Why a scenario may not run here; nothing if it may.
    #[must_use]
    pub fn refusal(&self, scenario: &Scenario) -> Option<Refusal> {
        let step = scenario.first_write()?;
        let what = format!(
            "writes, and step `{}` of `{}` writes",
            step.name, scenario.name
        );
        self.environment
            .safety
            .writes
            .refusal(&what, "writes", &self.environment.name)
    }

    /// Each agent by itself is mandatory, unless gates.toml asks for less than all of them.
    fn agent_gate(&self) -> Gate {
        match &self.agents {
            // Only where the share itself is checked.
            Some((at_least, _))
                if at_least.get() < 1.0 && self.environment.stages.contains(&Stage::Agents) =>
            {
                Gate::Advisory
            }
            _ => Gate::Mandatory,
        }
    }

    fn agents(&self) -> Vec<DeclaredCheck> {
        let mut checks: Vec<_> = self
            .environment
            .agents
            .iter()
            .map(|agent| DeclaredCheck {
                id: format!("agents/{}", agent.name),
                stage: Stage::Agents,
                title: agent.name.clone(),
                group: "agents".to_owned(),
                gate: self.agent_gate(),
                subject: Subject::Probe {
                    probe: agent_probe(&agent.name),
                    moment: Moment::Before,
                },
                source: Some(agent.place.clone()),
                remedy: agent.remedy.clone(),
            })
            .collect();
        if let Some((at_least, place)) = &self.agents {
            let mut moments = vec![Moment::Before];
            if self.environment.stages.contains(&Stage::Load)
                && self.environment.safety.load == Permission::Allowed
            {
                // A search goes beyond what the stack can bear, on purpose: what counts is that it recovers.
                if !matches!(self.environment.load.shape, Shape::Search(_)) {
                    moments.push(Moment::During);
                }
                moments.push(Moment::After);
            }
            checks.push(DeclaredCheck {
                id: "agents/health".to_owned(),
                stage: Stage::Agents,
                title: "agent health over the whole run".to_owned(),
                group: "agents".to_owned(),
                gate: Gate::Mandatory,
                subject: Subject::AgentHealth {
                    probes: self
                        .environment
                        .agents
                        .iter()
                        .map(|a| agent_probe(&a.name))
                        .collect(),
                    moments,
                    at_least: *at_least,
                },
                source: Some(place.clone()),
                remedy: "Look at the agents that are named here, one by one.".to_owned(),
            });
        }
        if let Some(aggregate) = &self.environment.aggregate {
            checks.push(DeclaredCheck {
                id: "agents/aggregate".to_owned(),
                stage: Stage::Agents,
                title: "the aggregate agrees with the agents".to_owned(),
                group: "agents".to_owned(),
                gate: Gate::Mandatory,
                subject: Subject::Probe {
                    probe: AGGREGATE.to_owned(),
                    moment: Moment::Before,
                },
                source: Some(aggregate.place.clone()),
                remedy: "Trust each agent's own word; mend the aggregate, for others rely on it."
                    .to_owned(),
            });
        }
        checks
    }

    /// How late the generator may be: what gates.toml says, or so little that it hardly shows in any figure that is
    /// judged.
    #[must_use]
    pub fn max_delay(&self) -> Duration {
        const USUAL: Duration = Duration::from_millis(50);
        // A runtime's timer goes in steps of a millisecond.
        const LEAST: Duration = Duration::from_millis(5);
        if let Some(delay) = self.environment.load.max_delay {
            return delay;
        }
        let own = self.scenarios.iter().filter(|s| s.used_by(Stage::Load));
        let targets = own.flat_map(Scenario::all_steps).map(|step| {
            self.targets
                .for_step(&step.targets, step.action.is_stream())
        });
        let limits = targets.flat_map(|t| t.latency).map(|target| target.limit);
        limits
            .min()
            .map_or(USUAL, |least| (least / 10).clamp(LEAST, USUAL))
    }

    fn under_load(&self) -> Vec<DeclaredCheck> {
        let profile = &self.environment.load;
        let search = matches!(profile.shape, Shape::Search(_));
        let mut checks = Vec::new();
        let mut searched = Vec::new();
        let forbidden =
            self.environment
                .safety
                .load
                .refusal("load", "load", &self.environment.name);
        for scenario in self.scenarios.iter().filter(|s| s.used_by(Stage::Load)) {
            let refusal = forbidden.clone().or_else(|| self.refusal(scenario));
            for step in scenario.all_steps() {
                let targets = self
                    .targets
                    .for_step(&step.targets, step.action.is_stream());
                let declared = step_targets(scenario, step, &targets, refusal.as_ref());
                if search && refusal.is_none() {
                    searched.extend(declared.into_iter().map(search_target));
                } else {
                    checks.extend(declared);
                }
            }
        }
        let subject = |subject: Subject| match &forbidden {
            Some(refusal) => refusal.clone().subject(),
            None => subject,
        };
        let check =
            |name: &str, title: &str, group: &str, about: Subject, remedy: &str| DeclaredCheck {
                id: format!("load/{name}"),
                stage: Stage::Load,
                title: title.to_owned(),
                group: group.to_owned(),
                gate: Gate::Mandatory,
                subject: subject(about),
                source: None,
                remedy: remedy.to_owned(),
            };
        if search {
            let about = Subject::Breakpoint {
                at_least: profile.at_least,
                targets: searched,
                delay: self.max_delay(),
            };
            checks.push(check(
                "breakpoint",
                "the highest rate at which all targets hold",
                "all steps",
                about,
                "See which target breaks first, and what the services and agents did at that rate.",
            ));
            checks.extend(self.resource_checks(Gate::Advisory, &subject));
            checks.extend(self.probes(&[Moment::After], &subject));
            return checks;
        }
        if let Some(errors) = &self.targets.errors {
            checks.push(DeclaredCheck {
                source: Some(errors.place.clone()),
                ..check(
                    "errors",
                    "error rate of all requests",
                    "all steps",
                    Subject::Errors {
                        scope: ErrorScope::All,
                        limit: errors.limit,
                        decide: self.targets.decide.unwrap_or_default(),
                    },
                    "Look at the steps below with the most errors, and at their first failures.",
                )
            });
        }
        if let Some(abort) = &profile.abort {
            let rules = abort.rules().into_iter().map(|rule| rule.text).collect();
            checks.push(check(
                "abort",
                "the load was not ended before its time",
                "all steps",
                Subject::NotAborted { rules },
                "The stack was far beyond its targets: see the first failures and the services at that time.",
            ));
        }
        checks.push(check(
            "generator",
            "the generator kept to its schedule",
            "generator",
            Subject::Generator {
                delay: self.max_delay(),
            },
            "Give the machine that runs `gates` more CPU, or offer less.",
        ));
        checks.extend(self.resource_checks(Gate::Mandatory, &subject));
        checks.extend(self.probes(&[Moment::During, Moment::After], &subject));
        checks
    }

    /// What is asked of the services' machines. A search goes on until something gives way, and that may be a
    /// container: then `restarts` only informs.
    fn resource_checks(
        &self,
        restarts: Gate,
        subject: &dyn Fn(Subject) -> Subject,
    ) -> Vec<DeclaredCheck> {
        let Some(resources) = &self.environment.resources else {
            return Vec::new();
        };
        let check = |name: &str, title: &str, gate, about, remedy: &str| DeclaredCheck {
            id: format!("load/{name}"),
            stage: Stage::Load,
            title: title.to_owned(),
            group: "resources".to_owned(),
            gate,
            subject: subject(about),
            source: Some(resources.place.clone()),
            remedy: remedy.to_owned(),
        };
        let project = resources.docker.as_ref().map(|d| d.project.clone());
        let mut checks = vec![check(
            "resources",
            "resource use was read while load ran",
            Gate::Advisory,
            Subject::Resources {
                project: project.clone(),
                queries: resources.queries().map(|q| q.name.clone()).collect(),
            },
            "Let the user who runs `gates` read from what `resources` names, on the machine where it is.",
        )];
        checks.extend(project.map(|project| {
            check(
                "restarts",
                "no container was killed or started anew under load",
                restarts,
                Subject::Restarts { project },
                "Read the log of that container at that time; if it was killed for want of memory, compare its peak with its limit.",
            )
        }));
        checks
    }

    fn probes(
        &self,
        moments: &[Moment],
        subject: &dyn Fn(Subject) -> Subject,
    ) -> Vec<DeclaredCheck> {
        let mut checks = Vec::new();
        for &moment in moments {
            let word = if moment == Moment::During {
                "during"
            } else {
                "after"
            };
            let services = self
                .environment
                .services
                .iter()
                .map(|s| (service_probe(&s.name), &s.name, &s.place, &s.remedy, s.gate));
            let agents = self.environment.agents.iter().map(|a| {
                (
                    agent_probe(&a.name),
                    &a.name,
                    &a.place,
                    &a.remedy,
                    self.agent_gate(),
                )
            });
            for (probe, name, place, remedy, gate) in services.chain(agents) {
                checks.push(DeclaredCheck {
                    id: format!("load/{word}/{name}"),
                    stage: Stage::Load,
                    title: format!("{name} {moment}"),
                    group: format!("{word} load"),
                    gate,
                    subject: subject(Subject::Probe { probe, moment }),
                    source: Some(place.clone()),
                    remedy: remedy.clone(),
                });
            }
        }
        checks
    }
}

/// A check of a step as a target of a search: the search repeats itself where an interval would need more samples.
fn search_target(check: DeclaredCheck) -> SearchTarget {
    let id = check.id.trim_start_matches("load/").to_owned();
    let mut subject = check.subject;
    if let Subject::Latency { decide, .. } | Subject::Errors { decide, .. } = &mut subject {
        *decide = Decide::Point;
    }
    SearchTarget { id, subject }
}

/// Name of the probe that asks whether the stack answers at all.
pub const REACHABLE: &str = "reachable";
/// Name of the probe that compares the aggregate with the agents.
pub const AGGREGATE: &str = "aggregate";

/// Name of a service's probe.
#[must_use]
pub fn service_probe(name: &str) -> String {
    format!("service/{name}")
}

/// Name of an agent's probe.
#[must_use]
pub fn agent_probe(name: &str) -> String {
    format!("agent/{name}")
}

fn step_targets(
    scenario: &Scenario,
    step: &Step,
    targets: &Targets,
    refusal: Option<&Refusal>,
) -> Vec<DeclaredCheck> {
    let key: StepKey = scenario.key(step);
    let decide = targets.decide.unwrap_or_default();
    let check = |what: &str, subject: Subject, source, remedy: &str| DeclaredCheck {
        id: format!("load/{}/{}/{what}", scenario.name, step.name),
        stage: Stage::Load,
        title: format!("{what} of {}", step.name),
        group: scenario.name.to_string(),
        gate: Gate::Mandatory,
        subject: match refusal {
            Some(refusal) => refusal.clone().subject(),
            None => subject,
        },
        source: Some(source),
        remedy: remedy.to_owned(),
    };
    let mut checks: Vec<_> = targets
        .latency
        .iter()
        .map(|target| {
            let what = match target.clock {
                Clock::Response => target.percentile.to_string(),
                Clock::FirstToken => format!("first_token.{}", target.percentile),
                Clock::Gap => format!("gap.{}", target.percentile),
            };
            let subject = Subject::Latency {
                step: key.clone(),
                clock: target.clock,
                percentile: target.percentile,
                limit: target.limit,
                decide,
            };
            check(&what, subject, target.place.clone(), "See its latency over time beside the services, then profile this endpoint at this load.")
        })
        .collect();
    if let Some(errors) = &targets.errors {
        let subject = Subject::Errors {
            scope: ErrorScope::Step(key),
            limit: errors.limit,
            decide,
        };
        checks.push(check(
            "errors",
            subject,
            errors.place.clone(),
            "See its first failures in full, then the stack's log at those times.",
        ));
    }
    checks
}
