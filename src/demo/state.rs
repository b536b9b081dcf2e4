//! What the parts of the stack share: accounts and their tokens, counters, and which faults have begun.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, header};

use super::fault::{ActiveFault, Fault};
use super::metrics::Metrics;
use super::roster::{Account, Roster};
use super::token::{Mint, Session, Use};

/// The tokens of a login.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
}

/// Counts requests, for faults that befall some of them: evenly, so that two runs see the same.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicU64);

impl Turns {
    /// How many came before this one.
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The stack's state.
#[derive(Debug)]
pub(super) struct Shared {
    roster: Mutex<Roster>,
    mint: Mint,
    faults: Vec<ActiveFault>,
    booted: Instant,
    pub(super) metrics: Metrics,
    pub(super) courses_opened: Turns,
    pub(super) answers_submitted: Turns,
}

impl Shared {
    pub(super) fn new(learner_password: &str, faults: Vec<ActiveFault>) -> Self {
        Self {
            roster: Mutex::new(Roster::seeded(learner_password)),
            mint: Mint::default(),
            faults,
            booted: Instant::now(),
            metrics: Metrics::default(),
            courses_opened: Turns::default(),
            answers_submitted: Turns::default(),
        }
    }

    /// Whether a fault has begun.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults
            .iter()
            .any(|f| f.fault == fault && self.booted.elapsed() >= f.after)
    }

    /// When a fault begins; nothing if it never does.
    pub(super) fn begins(&self, fault: Fault) -> Option<Instant> {
        self.faults
            .iter()
            .filter(|f| f.fault == fault)
            .filter_map(|f| self.booted.checked_add(f.after))
            .min()
    }

    // A std Mutex, since nothing is awaited while it is held.
    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an account; nothing if the e-mail is taken.
    pub(super) fn register(&self, email: &str, password: &str, name: &str) -> Option<Arc<Account>> {
        self.roster().register(email, password, name)
    }

    /// New tokens; nothing if e-mail and password don't belong together.
    pub(super) fn login(&self, email: &str, password: &str) -> Option<Tokens> {
        let account = self.roster().known(email, password)?;
        Some(self.tokens(account))
    }

    /// New tokens for one that refreshes.
    pub(super) fn refresh(&self, token: &str) -> Option<Tokens> {
        let session = self.mint.read(token, Use::Refresh)?;
        let account = self.roster().owner(session)?;
        Some(self.tokens(account.id))
    }

    fn tokens(&self, account: u32) -> Tokens {
        let session = self.mint.open(account);
        Tokens {
            access: self.mint.token(session, Use::Access),
            refresh: self.mint.token(session, Use::Refresh),
        }
    }

    /// Whose token it is.
    pub(super) fn account(&self, token: &str) -> Option<(Arc<Account>, Session)> {
        let session = self.mint.read(token, Use::Access)?;
        Some((self.roster().owner(session)?, session))
    }

    /// Who is asking, by the `Authorization` header.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<(Arc<Account>, Session)> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| self.account(token))?
    }

    /// Makes a session's tokens useless.
    pub(super) fn logout(&self, session: Session) {
        self.roster().end(session);
    }

    /// Removes an account and all its tokens.
    pub(super) fn delete(&self, account: u32) {
        self.roster().remove(account);
    }
}
