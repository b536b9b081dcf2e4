//! The `gates` program.
fn main() {}
