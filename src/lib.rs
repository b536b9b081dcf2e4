//! `gates` loads a plan, runs it against one environment as a stream of events, judges these with pure
//! functions, folds the outcomes into one decision, and renders that decision for people and machines.
//!
//! ```text
//! files ─ plan ─▶ run ─ stages ─▶ event ─ journal ─▶ decision ─▶ report, exit code
//! ```

pub mod units;
pub mod event;
pub mod decision;
pub mod plan;
pub mod transport;
pub mod stop;
pub mod journey;
pub mod smoke;
pub mod probe;
pub mod load;
pub mod run;
pub mod report;
pub mod demo;
pub mod cli;
