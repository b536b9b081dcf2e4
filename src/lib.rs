//! `gates` loads a plan, runs it against one environment as a stream of events, judges these with pure
//! functions, folds the outcomes into one decision, and renders that decision for people and machines.
//!
//! ```text
//! files ─ plan ─▶ run ─ stages ─▶ event ─ journal ─▶ decision ─▶ report, exit code
//! ```

pub mod cli;
pub mod decision;
pub mod demo;
pub mod event;
pub mod journey;
pub mod load;
pub mod plan;
pub mod probe;
pub mod report;
mod resources;
pub mod run;
pub mod smoke;
pub mod stop;
pub mod transport;
pub mod units;
