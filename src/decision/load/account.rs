//! The load stage, added up: its phases, its steps, the generator and the probes over time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LatencyFigures, ResourceAccount, StepAccount};
use crate::event::{
    Aborted, Event, FailureSample, Figures, GeneratorSample, Latency, LoadPlanned, Phase,
    PhaseIndex, ProbeState, Tally, Window,
};

/// The load stage, added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadAccount {
    /// What was to be offered.
    pub planned: LoadPlanned,
    /// The phases that began, in order; [`PhaseIndex`] counts them.
    pub phases: Vec<PhaseAccount>,
    /// Per step, in the order of the plan.
    pub steps: Vec<StepAccount>,
    /// The probes over time.
    pub probes: Vec<ProbePoint>,
    /// What the services used of their machines.
    pub resources: ResourceAccount,
    /// First failures of each kind, told in full.
    pub failures: Vec<(u64, FailureSample)>,
    /// Why it was ended before its time, if it was.
    pub aborted: Option<Aborted>,
}

/// One phase as it really was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseAccount {
    /// What it was to be.
    pub phase: Phase,
    /// When it began, microseconds since the run began.
    pub from_us: u64,
    /// End of its last window.
    pub to_us: u64,
    /// Journeys that arrived (open model).
    pub arrived: u64,
    /// Those among them that were not begun.
    pub dropped: u64,
    /// Delay between due and sent.
    pub delay: Latency,
    /// How the generator fared; with shards, each of them.
    pub generators: Vec<GeneratorAccount>,
}

/// The looks of one generator at itself, added up: their number does not matter for the memory that they take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorAccount {
    /// The time that they are about, microseconds.
    pub over_us: u64,
    /// How much of it the thread of the users had a core.
    pub cpu_us: f64,
    /// How much of it that thread could have run and was not let.
    pub starved_us: f64,
    /// How much later than it should a short sleep ended.
    pub lag: Latency,
}

impl GeneratorAccount {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a run stay far below 2^53"
    )]
    fn absorb(&mut self, sample: &GeneratorSample) {
        let of = |permille: u32| f64::from(permille) / 1000.0 * sample.over_us as f64;
        self.over_us += sample.over_us;
        self.cpu_us += of(sample.cpu_permille);
        self.starved_us += of(sample.starved_permille);
        self.lag.merge(&sample.lag);
    }

    fn merge(&mut self, other: &Self) {
        self.over_us += other.over_us;
        self.cpu_us += other.cpu_us;
        self.starved_us += other.starved_us;
        self.lag.merge(&other.lag);
    }
}

impl PhaseAccount {
    /// How long it really was.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        Duration::from_micros(self.to_us.saturating_sub(self.from_us)).min(self.phase.lasts)
    }
}

/// One answer of one probe, placed in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbePoint {
    /// The probe.
    pub probe: String,
    /// When, microseconds since the run began.
    pub at_us: u64,
    /// What it found.
    pub state: ProbeState,
}

impl LoadAccount {
    /// An account of a load that has not begun.
    #[must_use]
    pub fn new(planned: LoadPlanned) -> Self {
        let steps = planned.steps.iter().cloned().map(StepAccount::new);
        Self {
            steps: steps.collect(),
            planned,
            phases: Vec::new(),
            probes: Vec::new(),
            resources: ResourceAccount::default(),
            failures: Vec::new(),
            aborted: None,
        }
    }

    /// Takes in what happened `at` so many microseconds after the run began; what is not about load is passed over.
    pub fn absorb(&mut self, at: u64, event: &Event) {
        match event {
            Event::PhaseStarted { phase } => self.phases.push(PhaseAccount {
                phase: phase.clone(),
                from_us: at,
                to_us: at,
                arrived: 0,
                dropped: 0,
                delay: Latency::new(),
                generators: Vec::new(),
            }),
            Event::FailureSample(sample) => self.failures.push((at, sample.clone())),
            Event::Generator(sample) => {
                if let Some(phase) = self.phases.get_mut(sample.phase.place()) {
                    if phase.generators.is_empty() {
                        phase.generators.push(GeneratorAccount::default());
                    }
                    phase.generators[0].absorb(sample);
                }
            }
            Event::LoadAborted(aborted) => self.aborted = Some(aborted.clone()),
            Event::Window(window) => self.window(window),
            other => self.resources.absorb(at, other),
        }
    }

    fn window(&mut self, window: &Window) {
        let Some(phase) = self.phases.get_mut(window.phase.place()) else {
            return;
        };
        phase.to_us = phase.to_us.max(window.to_us);
        phase.delay.merge(&window.delay);
        phase.arrived += window.arrived;
        phase.dropped += window.dropped;
        let figures = phase.phase.figures;
        for step in &window.steps {
            if let Some(account) = self.steps.iter_mut().find(|a| a.step == step.step) {
                account.absorb(window, figures, &step.tally);
            }
        }
    }

    /// Takes in a probe's answer.
    pub fn probed(&mut self, at_us: u64, probe: &str, state: ProbeState) {
        self.probes.push(ProbePoint {
            probe: probe.to_owned(),
            at_us,
            state,
        });
    }

    /// Adds a load that was offered at the same time by another process: histograms are added, never averaged.
    pub(in crate::decision) fn merge(&mut self, other: Self) {
        self.planned.users += other.planned.users;
        self.planned.shape = self.planned.shape.clone().beside(&other.planned.shape);
        for (n, phase) in other.phases.into_iter().enumerate() {
            match self.phases.get_mut(n) {
                Some(own) => {
                    own.to_us = own.to_us.max(phase.to_us);
                    own.arrived += phase.arrived;
                    own.dropped += phase.dropped;
                    own.delay.merge(&phase.delay);
                    own.generators.extend(phase.generators);
                }
                None => self.phases.push(phase),
            }
        }
        for (account, other) in self.steps.iter_mut().zip(other.steps) {
            account.merge(other);
        }
        self.probes.extend(other.probes);
        self.probes.sort_by_key(|p| p.at_us);
        self.resources.merge(other.resources);
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|(at, _)| *at);
        self.aborted = self.aborted.take().or(other.aborted);
    }

    /// The judged phases, with their indices.
    pub fn judged(&self) -> impl Iterator<Item = (PhaseIndex, &PhaseAccount)> {
        let numbered = (0..).map(PhaseIndex).zip(&self.phases);
        numbered.filter(|(_, p)| p.phase.figures == Figures::Judged)
    }

    /// Length of the judged phases as they really were; nothing if none began.
    #[must_use]
    pub fn held_for(&self) -> Option<Duration> {
        let mut lengths = self.judged().map(|(_, p)| p.lasted()).peekable();
        lengths.peek()?;
        Some(lengths.sum())
    }

    /// Journeys that arrived in the judged phases (open model).
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.judged().map(|(_, p)| p.arrived).sum()
    }

    /// Those among them that were not begun.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.judged().map(|(_, p)| p.dropped).sum()
    }

    /// Delay between due and sent, over the judged phases.
    #[must_use]
    pub fn delay(&self) -> Latency {
        let mut delay = Latency::new();
        for (_, phase) in self.judged() {
            delay.merge(&phase.delay);
        }
        delay
    }

    /// Percentiles of the delay between due and sent.
    #[must_use]
    pub fn delay_figures(&self) -> Option<LatencyFigures> {
        LatencyFigures::of(&self.delay())
    }

    /// All steps together, over the judged phases.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for step in &self.steps {
            total.merge(&step.total);
        }
        total
    }

    /// What the generator's looks at itself in the judged phases come to.
    #[must_use]
    pub fn generator_figures(&self) -> Option<GeneratorFigures> {
        let judged: Vec<PhaseIndex> = self.judged().map(|(index, _)| index).collect();
        self.generator_in(|phase| judged.contains(&phase))
    }

    /// What the generator's looks at itself in some phases come to. Of several generators, the worst in each respect:
    /// what one of them measured while it was out of breath is in all the figures.
    #[must_use]
    pub fn generator_in(&self, chosen: impl Fn(PhaseIndex) -> bool) -> Option<GeneratorFigures> {
        let mut own: Vec<GeneratorAccount> = Vec::new();
        let numbered = (0..).map(PhaseIndex).zip(&self.phases);
        for (_, phase) in numbered.filter(|(index, _)| chosen(*index)) {
            for (n, account) in phase.generators.iter().enumerate() {
                match own.get_mut(n) {
                    Some(sum) => sum.merge(account),
                    None => own.push(account.clone()),
                }
            }
        }
        let figures = own.iter().filter_map(GeneratorFigures::of);
        figures.reduce(GeneratorFigures::worst)
    }
}

/// The generator over some phases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratorFigures {
    /// Share of one core that the thread of the users had.
    pub cpu: f64,
    /// Share of the time in which it could have run and was not let.
    pub starved: f64,
    /// How much later than it should a short sleep ended.
    pub lag: Option<LatencyFigures>,
}

impl GeneratorFigures {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a run stay far below 2^53"
    )]
    fn of(account: &GeneratorAccount) -> Option<Self> {
        let over = account.over_us as f64;
        (account.over_us > 0).then(|| Self {
            cpu: account.cpu_us / over,
            starved: account.starved_us / over,
            lag: LatencyFigures::of(&account.lag),
        })
    }

    fn worst(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            starved: self.starved.max(other.starved),
            lag: match (self.lag, other.lag) {
                (Some(a), Some(b)) if a.p99_us < b.p99_us => Some(b),
                (a, b) => a.or(b),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(over_us: u64, cpu: f64, lag_us: u64) -> GeneratorFigures {
        let mut lag = Latency::new();
        lag.record(Duration::from_micros(lag_us));
        GeneratorFigures::of(&GeneratorAccount {
            over_us,
            cpu_us: cpu * 1e6,
            starved_us: 0.0,
            lag,
        })
        .unwrap()
    }

    #[test]
    fn one_generator_out_of_breath_is_seen_among_others() {
        let worst = figures(1_000_000, 0.99, 9000).worst(figures(1_000_000, 0.05, 100));
        assert!((worst.cpu - 0.99).abs() < 1e-9, "{worst:?}");
        let other = figures(1_000_000, 0.05, 100).worst(figures(1_000_000, 0.99, 9000));
        assert_eq!(worst, other);
        assert!(worst.lag.unwrap().p99_us >= 9000);
    }

    #[test]
    fn a_generator_that_was_not_looked_at_has_no_figures() {
        assert_eq!(GeneratorFigures::of(&GeneratorAccount::default()), None);
    }
}
