//! The program as its users run it: real processes, real sockets, real exit codes.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod load;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod stack;
