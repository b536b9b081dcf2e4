//! From events to one decision, by pure functions: no I/O, no clock of its own, same events in, same decision out.

pub mod breakpoint;
mod evaluate;
mod judge;
mod load;
mod outcome;
mod resources;
pub mod statistics;
mod target;
mod verdict;

pub use evaluate::{CutShort, Evaluation, Evaluator, RunInfo, StageReport, StageState};
pub use judge::{Judgement, Sample, judge_errors, judge_latency};
pub use load::{
    GeneratorFigures, Incident, LatencyFigures, LoadAccount, MetricSeries, PhaseAccount, Point,
    ProbePoint, ResourceAccount, ResourcePoint, ServiceResources, StepAccount,
};
pub use outcome::{Check, Detail, Measured, Outcome};
pub use resources::{judge_resources, judge_restarts};
pub use target::{judge_generator, judge_target};
pub use verdict::{Conservation, Decision, Verdict, decide};
