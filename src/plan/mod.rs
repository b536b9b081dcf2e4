//! What people write, loaded: gates.toml and scenarios as typed values; after this module nobody sees a raw string.

pub mod expectation;
mod node;
mod reader;
mod source;
mod template;
pub use source::{Finding, SourceFile};
