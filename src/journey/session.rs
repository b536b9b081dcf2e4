//! What all stages of one run share.

use std::sync::Arc;

use super::VirtualUser;
use crate::event::Teller;
use crate::plan::{Environment, Plan};
use crate::stop::Stop;
use crate::transport::Connector;

/// The plan, the way to the stack, the way to tell, and the way to be stopped.
#[derive(Debug, Clone)]
pub struct Session {
    /// What is to be done.
    pub plan: Arc<Plan>,
    /// The environment of the plan, shared by all users.
    pub environment: Arc<Environment>,
    /// Opens connections.
    pub connector: Arc<Connector>,
    /// Takes events.
    pub teller: Teller,
    /// Ends the run early.
    pub stop: Stop,
}

impl Session {
    /// A new virtual user.
    #[must_use]
    pub fn user(&self) -> VirtualUser {
        VirtualUser::new(
            Arc::clone(&self.connector),
            Arc::clone(&self.environment),
            self.plan.redactor.clone(),
        )
    }
}
