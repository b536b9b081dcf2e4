//! What the parts of the stack share: accounts, tokens, counters, and which faults have begun.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, header};

use super::fault::{ActiveFault, Fault};
use super::metrics::Metrics;

/// Learners that exist from the start.
const SEEDED: usize = 40;
/// Accounts beyond this number push out the oldest that were registered.
const MAX_REGISTERED: usize = 10_000;
/// Tokens beyond this number push out the oldest: enough for many minutes of load.
const MAX_TOKENS: usize = 200_000;

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) email: String,
    pub(super) name: String,
    // In the clear: this is a demonstration, and a real hash would measure the hash.
    pub(super) password: String,
}

#[derive(Debug, Default)]
struct Accounts {
    by_email: HashMap<String, Account>,
    registered: VecDeque<String>,
    tokens: HashMap<String, String>,
    order: VecDeque<String>,
    next_id: u64,
}

/// The stack's state.
#[derive(Debug)]
pub(super) struct Shared {
    accounts: Mutex<Accounts>,
    faults: Vec<ActiveFault>,
    booted: Instant,
    pub(super) metrics: Metrics,
}

impl Shared {
    pub(super) fn new(learner_password: String, faults: Vec<ActiveFault>) -> Self {
        let mut accounts = Accounts::default();
        for n in 1..=SEEDED {
            accounts.next_id += 1;
            let email = format!("learner-{n:02}@example.test");
            let account = Account {
                id: accounts.next_id,
                email: email.clone(),
                name: format!("Learner {n}"),
                password: learner_password.clone(),
            };
            accounts.by_email.insert(email, account);
        }
        Self {
            accounts: Mutex::new(accounts),
            faults,
            booted: Instant::now(),
            metrics: Metrics::default(),
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
            .map(|f| self.booted + f.after)
            .min()
    }

    // A std Mutex, since nothing is awaited while it is held.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an account; nothing if the e-mail is taken.
    pub(super) fn register(&self, email: &str, password: &str, name: &str) -> Option<Account> {
        let mut accounts = self.accounts();
        if accounts.by_email.contains_key(email) {
            return None;
        }
        if accounts.registered.len() >= MAX_REGISTERED
            && let Some(oldest) = accounts.registered.pop_front()
        {
            accounts.by_email.remove(&oldest);
        }
        accounts.next_id += 1;
        let account = Account {
            id: accounts.next_id,
            email: email.to_owned(),
            name: name.to_owned(),
            password: password.to_owned(),
        };
        accounts.registered.push_back(email.to_owned());
        accounts.by_email.insert(email.to_owned(), account.clone());
        Some(account)
    }

    /// A new token; nothing if e-mail and password don't belong together.
    pub(super) fn login(&self, email: &str, password: &str) -> Option<String> {
        let mut accounts = self.accounts();
        accounts
            .by_email
            .get(email)
            .filter(|a| a.password == password)?;
        let token = uuid::Uuid::new_v4().simple().to_string();
        if accounts.order.len() >= MAX_TOKENS
            && let Some(oldest) = accounts.order.pop_front()
        {
            accounts.tokens.remove(&oldest);
        }
        accounts.order.push_back(token.clone());
        accounts.tokens.insert(token.clone(), email.to_owned());
        Some(token)
    }

    /// Whose token it is.
    pub(super) fn account(&self, token: &str) -> Option<Account> {
        let accounts = self.accounts();
        let email = accounts.tokens.get(token)?;
        accounts.by_email.get(email).cloned()
    }

    /// Who is asking, by the `Authorization` header.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<(Account, String)> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let token = value.strip_prefix("Bearer ")?;
        Some((self.account(token)?, token.to_owned()))
    }

    /// Makes a token useless.
    pub(super) fn logout(&self, token: &str) {
        self.accounts().tokens.remove(token);
    }

    /// Removes an account and all its tokens.
    pub(super) fn delete(&self, email: &str) {
        let mut accounts = self.accounts();
        accounts.by_email.remove(email);
        accounts.tokens.retain(|_, owner| owner != email);
        accounts.registered.retain(|registered| registered != email);
    }
}
