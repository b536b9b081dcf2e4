//! What a load is made of: who decides when journeys begin, and the phases one after the other.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::Rate;

/// Who decides when the next journey begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Model {
    /// The users do: each begins a journey when it has ended the one before. A slow stack is asked less.
    Closed,
    /// A clock does: journeys arrive whether or not those before have ended, as visitors do.
    Open {
        /// What lies between two arrivals.
        spacing: Spacing,
    },
}

/// What lies between two arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Always the same.
    #[default]
    Even,
    /// Independent of each other, as visitors are who do not know of each other: bursts and lulls.
    Poisson,
}

/// How much load there is at an instant: users in the closed model, arrivals per second in the open one.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(f64);

impl Level {
    /// No load.
    pub const NONE: Self = Self(0.0);

    /// So many users.
    #[must_use]
    pub fn users(users: u32) -> Self {
        Self(f64::from(users))
    }

    /// So many arrivals.
    #[must_use]
    pub fn rate(rate: Rate) -> Self {
        Self(rate.per_second())
    }

    /// Of a number that was worked out; less than nothing is nothing.
    #[must_use]
    pub fn of(number: f64) -> Self {
        Self(if number > 0.0 { number } else { 0.0 })
    }

    /// The number of users, or of arrivals per second.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// So many times this level.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self::of(self.0 * factor)
    }

    /// Both at the same time.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The higher one.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// The lower one.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// In words: `20 users`, `50/s`.
    #[must_use]
    pub fn show(self, model: Model) -> String {
        match model {
            Model::Closed if self.0.round() == 1.0 => "1 user".to_owned(),
            Model::Closed => format!("{:.0} users", self.0),
            Model::Open { .. } => {
                Rate::new(self.0).map_or_else(|| "0/s".to_owned(), |rate| rate.to_string())
            }
        }
    }
}

/// A part of the load with one purpose. Its level goes evenly from one value to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name, for readers: `warm-up`, `hold`, `spike`.
    pub name: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// The level at its beginning.
    pub from: Level,
    /// The level at its end.
    pub to: Level,
    /// What becomes of its figures.
    pub figures: Figures,
}

/// What becomes of a phase's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figures {
    /// They are shown and not judged: users arrive, caches fill.
    Shown,
    /// They are judged: in this phase, each target must hold.
    Judged,
}

impl Phase {
    /// Whether its figures are judged.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.figures == Figures::Judged
    }
}

/// Which phase of a run's load: 0 is the one that began first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PhaseIndex(pub u32);

impl PhaseIndex {
    /// As the place in a list.
    #[must_use]
    pub fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// How the level of a load runs over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Shape {
    /// Phases that are known before.
    Phases {
        /// One after the other.
        phases: Vec<Phase>,
    },
    /// Attempts, each at a rate that follows from how those before went.
    Search(Search),
}

/// How the highest rate is searched at which all targets hold: by doubling until one breaks, then by halving what
/// lies between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The first rate.
    pub start: Rate,
    /// The highest rate that is tried.
    pub most: Rate,
    /// Before each attempt: the rate rises, and what it stirs up settles.
    pub settle: Duration,
    /// How long each attempt is measured.
    pub measure: Duration,
    /// The search ends when a rate that holds and one that breaks are nearer than this share of the first.
    pub precision: crate::units::Ratio,
}

impl Shape {
    /// The highest level that this can come to.
    #[must_use]
    pub fn peak(&self) -> Level {
        match self {
            Self::Phases { phases } => phases
                .iter()
                .fold(Level::NONE, |peak, p| peak.max(p.from).max(p.to)),
            Self::Search(search) => Level::rate(search.most),
        }
    }

    /// Another load of the same shape at the same time: levels add up.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Phases { phases }, Self::Phases { phases: others }) => Self::Phases {
                phases: phases
                    .into_iter()
                    .enumerate()
                    .map(|(n, phase)| match others.get(n) {
                        Some(other) => Phase {
                            from: phase.from.plus(other.from),
                            to: phase.to.plus(other.to),
                            ..phase
                        },
                        None => phase,
                    })
                    .collect(),
            },
            (own, _) => own,
        }
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Even => "evenly",
            Self::Poisson => "at random",
        })
    }
}
