//! What the load stage told, added up: nothing here judges.

mod account;
mod step;

pub use account::{GeneratorFigures, LoadAccount, PhaseAccount, ProbePoint};
pub use step::{LatencyFigures, Point, StepAccount};
