//! Reads a journal's records in order and settles every declared check by them.

mod settle;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Check, Decision, LoadAccount, decide};
use crate::event::{Event, Moment, Probed, Record, RunStarted, Stage, StepKey, StepRan};

/// What is told about the run itself.
pub type RunInfo = RunStarted;

/// A run, judged: all that any report needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What was known at the start.
    pub run: RunInfo,
    /// How long the run took, microseconds: the time of its last event.
    pub took_us: u64,
    /// The decision.
    pub decision: Decision,
    /// Every check, in the order of declaration.
    pub checks: Vec<Check>,
    /// Every stage, in order.
    pub stages: Vec<StageReport>,
    /// The load stage's account, if it began.
    pub load: Option<LoadAccount>,
    /// What kept the run from its end, if something did.
    pub cut_short: Option<CutShort>,
}

/// What keeps a run from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutShort {
    /// Somebody stopped it.
    Interrupted,
    /// The harness could not do its own work.
    HarnessFailed,
    /// The journal ends in the middle: the process was killed, or the machine went down.
    BrokenOff,
}

/// How far a stage came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// How far it came.
    pub state: StageState,
    /// How long it ran, microseconds; nothing unless it ended.
    pub took_us: Option<u64>,
}

/// How far a stage came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StageState {
    /// The run ended before it.
    NotReached,
    /// It was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It began and did not end.
    CutShort,
    /// It did all it set out to do.
    Ended,
}

/// Collects records; [`Evaluator::finish`] judges them. Its memory grows with the number of windows, never of requests.
#[derive(Debug, Default)]
pub struct Evaluator {
    run: Option<RunStarted>,
    last_us: u64,
    stages: BTreeMap<Stage, (u64, Option<u64>)>,
    skipped: BTreeMap<Stage, String>,
    steps: BTreeMap<StepKey, StepRan>,
    blocked: BTreeMap<StepKey, String>,
    probes: BTreeMap<(String, Moment), Vec<(u64, Probed)>>,
    load: Option<LoadAccount>,
    disturbances: Vec<String>,
    cut_short: Option<CutShort>,
    ended: bool,
}

impl Evaluator {
    /// Takes in the next record.
    pub fn absorb(&mut self, record: &Record) {
        let at = record.at_us;
        self.last_us = self.last_us.max(at);
        match &record.event {
            Event::RunStarted(run) => self.run = Some(RunStarted::clone(run)),
            Event::StageStarted { stage } => {
                self.stages.insert(*stage, (at, None));
            }
            Event::StageEnded { stage } => {
                self.stages.entry(*stage).or_insert((at, None)).1 = Some(at);
            }
            Event::StageSkipped { stage, reason } => {
                self.skipped.insert(*stage, reason.clone());
            }
            Event::Probed(probed) => self.absorb_probe(at, probed),
            Event::StepRan(ran) => {
                self.steps.insert(ran.step.clone(), StepRan::clone(ran));
            }
            Event::StepBlocked { step, reason } => {
                self.blocked.insert(step.clone(), reason.clone());
            }
            Event::LoadPlanned(planned) => self.load = Some(LoadAccount::new(planned.clone())),
            Event::Interrupted { signal } => self.disturb(
                CutShort::Interrupted,
                format!("The run was interrupted by {signal}, so nothing is decided."),
            ),
            Event::HarnessFailed { doing, problem } => {
                self.disturb(
                    CutShort::HarnessFailed,
                    format!("The harness failed while {doing}: {problem}"),
                );
            }
            Event::RunEnded => self.ended = true,
            Event::PhaseStarted { .. }
            | Event::Window(_)
            | Event::LoadAborted(_)
            | Event::FailureSample(_)
            | Event::Generator(_)
            | Event::Resource(_)
            | Event::Metric(_)
            | Event::Container(_)
            | Event::ResourcesUnavailable(_) => {
                if let Some(load) = &mut self.load {
                    load.absorb(at, &record.event);
                }
            }
        }
    }

    /// Takes in another shard of the same load, whole: its requests count as if they were of this run, and what
    /// cut it short cuts this one short.
    pub fn absorb_shard(&mut self, shard: Self) {
        self.cut_short = self.cut_short.or(shard.cut_short);
        self.disturbances.extend(shard.disturbances);
        if !shard.ended {
            self.disturb(
                CutShort::BrokenOff,
                "The journal of a shard ends in the middle, so nothing is decided.".to_owned(),
            );
        }
        self.last_us = self.last_us.max(shard.last_us);
        for (probe, answers) in shard.probes {
            self.probes.entry(probe).or_default().extend(answers);
        }
        match (&mut self.load, shard.load) {
            (Some(load), Some(other)) => load.merge(other),
            (None, None) => {}
            _ => self.disturb(
                CutShort::BrokenOff,
                "A shard put nothing under load, so nothing is decided.".to_owned(),
            ),
        }
    }

    fn disturb(&mut self, what: CutShort, reason: String) {
        self.cut_short.get_or_insert(what);
        self.disturbances.push(reason);
    }

    fn absorb_probe(&mut self, at: u64, probed: &Probed) {
        if let (Moment::During, Some(load)) = (probed.moment, &mut self.load) {
            load.probed(at, &probed.probe, probed.state);
        }
        self.probes
            .entry((probed.probe.clone(), probed.moment))
            .or_default()
            .push((at, probed.clone()));
    }

    /// Judges what was taken in; nothing if the journal does not even say what was to be checked.
    #[must_use]
    pub fn finish(mut self) -> Option<Evaluation> {
        let run = self.run.take()?;
        if !self.ended {
            self.disturb(
                CutShort::BrokenOff,
                "The journal ends in the middle: the run was cut off, so nothing is decided."
                    .to_owned(),
            );
        }
        let checks: Vec<Check> = run
            .checks
            .iter()
            .map(|declared| self.settle(declared))
            .collect();
        let decision = decide(&checks, run.checks.len(), &self.disturbances);
        let stages = Stage::ALL.map(|stage| self.stage_report(stage)).to_vec();
        Some(Evaluation {
            run,
            took_us: self.last_us,
            decision,
            checks,
            stages,
            load: self.load,
            cut_short: self.cut_short,
        })
    }

    fn stage_report(&self, stage: Stage) -> StageReport {
        let (state, took_us) = match (self.stages.get(&stage), self.skipped.get(&stage)) {
            (_, Some(reason)) => (
                StageState::Skipped {
                    reason: reason.clone(),
                },
                None,
            ),
            (Some((from, Some(to))), _) => (StageState::Ended, Some(to.saturating_sub(*from))),
            (Some((_, None)), _) => (StageState::CutShort, None),
            (None, None) => (StageState::NotReached, None),
        };
        StageReport {
            stage,
            state,
            took_us,
        }
    }
}

#[cfg(test)]
mod tests;
