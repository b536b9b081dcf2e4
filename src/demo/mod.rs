//! The embedded reference stack: a small language-learning platform with faults to be found, served from one thread.
//! Its interface is docs/reference-stack.md. No other module of the crate uses it but the command line.

mod accounts;
mod agents;
mod fault;
mod health;
mod learning;
mod metrics;
mod pages;
mod roster;
mod socket;
mod state;
mod token;
mod tutor;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use state::Shared;
use wire::{Cut, Listener};

pub use agents::AgentName;
pub use fault::{ActiveFault, Fault, UnknownFault};

/// How long requests under way may take once the stack is stopped.
const DRAIN: Duration = Duration::from_secs(2);
/// Longest body of a request: nothing that the platform is sent comes near it.
const MAX_BODY: usize = 64 * 1024;

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

/// What the stack's thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Serve,
    /// Accept nothing new, finish what is under way.
    Drain,
    /// End now.
    Leave,
}

/// A running stack; dropping it stops it.
#[derive(Debug)]
pub struct Stack {
    addresses: Addresses,
    orders: watch::Sender<Order>,
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<()>,
}

impl Stack {
    /// Boots the stack on a thread of its own, so that its work is not done by the load generator's.
    /// Returns when every part listens.
    ///
    /// # Errors
    /// When an address is taken or no thread is to be had.
    pub async fn start(options: StackOptions) -> Result<Self, DemoError> {
        let (orders, told) = watch::channel(Order::Serve);
        let (ready, booted) = oneshot::channel();
        let (ends, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("demo".to_owned())
            .spawn(move || {
                match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime.block_on(serve(options, ready, told)),
                    Err(error) => drop(ready.send(Err(DemoError::Thread(error.to_string())))),
                }
                let _ = ends.send(());
            })
            .map_err(|e| DemoError::Thread(e.to_string()))?;
        let addresses = booted
            .await
            .map_err(|_| DemoError::Thread("its thread ended early".to_owned()))??;
        Ok(Self {
            addresses,
            orders,
            thread: Some(thread),
            ended,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops it, and lets requests under way be answered, for two seconds at most. Dropping it cuts them off.
    pub async fn stop(mut self) {
        self.orders.send_replace(Order::Drain);
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.orders.send_replace(Order::Leave);
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
    mut orders: watch::Receiver<Order>,
) {
    let mut servers = JoinSet::new();
    let booted = boot(options, &orders, &mut servers).await;
    let runs = booted.is_ok();
    if ready.send(booted).is_err() || !runs {
        return;
    }
    stopped(orders.clone()).await;
    // An order to leave may be the first, and may come while draining.
    tokio::select! {
        _ = orders.wait_for(|order| *order == Order::Leave) => {}
        () = tokio::time::sleep(DRAIN) => {}
        () = async { while servers.join_next().await.is_some() {} } => {}
    }
}

/// Ends when the stack is to stop, or nobody holds it any more.
async fn stopped(mut orders: watch::Receiver<Order>) {
    let _ = orders.wait_for(|order| *order != Order::Serve).await;
}

async fn boot(
    options: StackOptions,
    orders: &watch::Receiver<Order>,
    servers: &mut JoinSet<()>,
) -> Result<Addresses, DemoError> {
    let (listener, base) = listen(options.port).await?;
    let shared = Arc::new(Shared::new(&options.learner_password, options.faults));
    let mut agents = Vec::new();
    for (n, name) in (1..).zip(AgentName::ALL) {
        let (listener, address) = listen(options.port.map(|p| p.saturating_add(n))).await?;
        servers.spawn(agents::serve(
            name,
            listener,
            Arc::clone(&shared),
            stopped(orders.clone()),
        ));
        agents.push((name, address));
    }
    let app = router(shared).into_make_service_with_connect_info::<Cut>();
    let stopped = stopped(orders.clone());
    servers.spawn(async move {
        let _ = axum::serve(Listener(listener), app)
            .with_graceful_shutdown(stopped)
            .await;
    });
    Ok(Addresses { base, agents })
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
        .method_not_allowed_fallback(health::not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&shared),
            metrics::count,
        ))
        .with_state(shared)
}

#[cfg(test)]
mod tests;
