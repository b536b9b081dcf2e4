//! One virtual user walking a compiled scenario: fill in, send, ask the answer, keep what later steps need.
//! Shared by smoke and load; what it returns says what was seen and never what it means.

mod exchange;
mod request;
mod session;
mod step;
mod user;

#[cfg(test)]
mod tests;

pub use session::Session;
pub use step::{Detail, Problem, StepResult, run_step};
pub use user::VirtualUser;
