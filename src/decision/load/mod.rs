//! What the load stage told, added up: nothing here judges.

mod account;
mod resources;
mod step;

pub use account::{GeneratorFigures, LoadAccount, PhaseAccount, ProbePoint};
pub use resources::{Incident, MetricSeries, ResourceAccount, ResourcePoint, ServiceResources};
pub use step::{LatencyFigures, Point, StepAccount};
