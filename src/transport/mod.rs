//! The wire, shared by smoke, load and probes: one connection per user and host, every instant taken where it happens.

mod alarm;
mod body;
mod client;
mod connector;
mod cookies;
mod decode;
mod error;
mod http1;
mod http2;
mod link;
mod listening;
mod metered;
mod redirect;
mod sse;
mod websocket;
mod wire;

#[cfg(test)]
mod tests;

pub use client::{Client, Exchange, Limits};
pub use connector::{Connector, TlsError};
pub(crate) use decode::OFFERED;
pub use error::TransportError;
pub use listening::{Listening, OfEvent, Until};
pub use redirect::Redirects;
pub use sse::Streamed;
pub use websocket::Conversed;
