//! From events to one decision, by pure functions: no I/O, no clock of its own, same events in, same decision out.

mod evaluate;
mod judge;
mod load;
mod outcome;
pub mod statistics;
mod verdict;

pub use evaluate::{
    CutShort, Evaluation, Evaluator, LoadAccount, RunInfo, StageReport, StageState,
};
pub use judge::{Judgement, Sample, judge_errors, judge_latency};
pub use load::{ErrorCount, LatencyFigures, Point, ProbePoint, StepAccount};
pub use outcome::{Check, Detail, Measured, Outcome};
pub use verdict::{Conservation, Decision, Verdict, decide};
