//! The embedded reference stack: a small language-learning platform with faults to be found, served from one thread.
//! Its interface is docs/reference-stack.md. No other module of the crate uses it but the command line.

mod accounts;
mod agents;
mod fault;
mod health;
mod learning;
mod metrics;
mod pages;
mod socket;
mod state;
mod tutor;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use state::Shared;

pub use agents::AgentName;
pub use fault::{ActiveFault, Fault, UnknownFault};

/// What to boot.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Faults, each with the time after which it begins.
    pub faults: Vec<ActiveFault>,
    /// The password of the seeded learners.
    pub learner_password: String,
    /// The base address's port, the agents following it; free ports if not given.
    pub port: Option<u16>,
}

/// Where a running stack listens.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Pages and API.
    pub base: SocketAddr,
    /// Each agent by itself.
    pub agents: Vec<(AgentName, SocketAddr)>,
}

/// The stack could not be booted.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// An address is taken.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The thread or its runtime could not be made.
    #[error("can't start the embedded stack: {0}")]
    Thread(String),
}

/// A running stack; dropping it stops it.
#[derive(Debug)]
pub struct Stack {
    addresses: Addresses,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Stack {
    /// Boots the stack on a thread of its own, so that its work is not done by the load generator's.
    /// Returns when every part listens.
    ///
    /// # Errors
    /// When an address is taken or no thread is to be had.
    pub async fn start(options: StackOptions) -> Result<Self, DemoError> {
        let (stop, stopped) = watch::channel(false);
        let (ready, booted) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("demo".to_owned())
            .spawn(move || {
                match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime.block_on(serve(options, ready, stopped)),
                    Err(error) => drop(ready.send(Err(DemoError::Thread(error.to_string())))),
                }
            })
            .map_err(|e| DemoError::Thread(e.to_string()))?;
        let addresses = booted
            .await
            .map_err(|_| DemoError::Thread("its thread ended early".to_owned()))??;
        Ok(Self {
            addresses,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // Its tasks are dropped with its runtime, so this is a matter of microseconds.
            let _ = thread.join();
        }
    }
}

async fn listen(port: Option<u16>) -> Result<(TcpListener, SocketAddr), DemoError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let refuse = |error| DemoError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let bound = listener.local_addr().map_err(refuse)?;
    Ok((listener, bound))
}

async fn serve(
    options: StackOptions,
    ready: oneshot::Sender<Result<Addresses, DemoError>>,
    mut stopped: watch::Receiver<bool>,
) {
    let booted = boot(options).await;
    let _ = match booted {
        Ok(addresses) => ready.send(Ok(addresses)),
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn boot(options: StackOptions) -> Result<Addresses, DemoError> {
    let (listener, base) = listen(options.port).await?;
    let shared = Arc::new(Shared::new(options.learner_password, options.faults));
    let mut agents = Vec::new();
    for (n, name) in (1..).zip(AgentName::ALL) {
        let (listener, address) = listen(options.port.map(|p| p.saturating_add(n))).await?;
        tokio::spawn(agents::serve(name, listener, Arc::clone(&shared)));
        agents.push((name, address));
    }
    let app = router(shared);
    tokio::spawn(async move {
        let _ = axum::serve(NoDelay(listener), app).await;
    });
    Ok(Addresses { base, agents })
}

/// Answers are small: waiting to fill packets would show as latency.
struct NoDelay(TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    return (stream, address);
                }
                // Out of files, most likely: that passes when connections close.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/learn", get(pages::learn))
        .route("/_next/static/{build}/{file}", get(pages::asset))
        .route("/health", get(health::backend))
        .route("/api/health", get(health::backend))
        .route("/health/simple", get(health::simple))
        .route("/api/agents/health", get(health::aggregate))
        .route("/api/agents/status", get(health::status))
        .route("/auth/register", post(accounts::register))
        .route("/auth/login", post(accounts::login))
        .route("/auth/refresh", post(accounts::refresh))
        .route("/auth/profile", get(accounts::profile))
        .route("/auth/logout", post(accounts::logout))
        .route("/auth/account", delete(accounts::delete))
        .route("/courses", get(learning::courses))
        .route("/courses/{id}", get(learning::course))
        .route("/courses/{id}/lessons/{lesson}", get(learning::lesson))
        .route("/api/exercises/{id}/submit", post(learning::submit))
        .route("/api/tutor/ask", post(tutor::ask))
        .route("/api/agents/ws/{token}", get(socket::open))
        .route("/openapi.json", get(pages::openapi))
        .route("/metrics", get(metrics::expose))
        .fallback(health::not_found)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&shared),
            metrics::count,
        ))
        .with_state(shared)
}

#[cfg(test)]
mod tests;
