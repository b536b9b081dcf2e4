//! Who has an account, and which sessions were ended. Bounded, since load tests register and log out without end.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::token::Session;

/// Learners that exist from the start.
const SEEDED: usize = 40;
/// Accounts beyond this number push out the oldest that was registered; the seeded ones stay.
const MAX_REGISTERED: usize = 10_000;
/// Ends of sessions beyond this number push out the oldest: minutes of load, and only a test for replay would notice.
const MAX_ENDED: usize = 100_000;

/// Somebody with an account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: u32,
    pub(super) email: String,
    pub(super) name: String,
    // Salted by the id and a key drawn at boot, and cheap: a slow hash would make a load test measure the hash.
    password: u64,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Roster {
    by_id: HashMap<u32, Arc<Account>>,
    by_email: HashMap<String, u32>,
    // Ids only grow, so the first is the oldest.
    registered: BTreeSet<u32>,
    ended: HashSet<Session>,
    order: VecDeque<Session>,
    last_id: u32,
    key: RandomState,
}

impl Roster {
    /// The learners of the contract.
    pub(super) fn seeded(password: &str) -> Self {
        let mut roster = Self::default();
        for n in 1..=SEEDED {
            roster.add(
                &format!("learner-{n:02}@example.test"),
                password,
                &format!("Learner {n}"),
            );
        }
        roster
    }

    fn add(&mut self, email: &str, password: &str, name: &str) -> Arc<Account> {
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        let account = Arc::new(Account {
            id,
            email: email.to_owned(),
            name: name.to_owned(),
            password: self.key.hash_one((id, password)),
        });
        self.by_email.insert(email.to_owned(), id);
        self.by_id.insert(id, Arc::clone(&account));
        account
    }

    /// Makes an account; nothing if the e-mail is taken.
    pub(super) fn register(
        &mut self,
        email: &str,
        password: &str,
        name: &str,
    ) -> Option<Arc<Account>> {
        if self.by_email.contains_key(email) {
            return None;
        }
        if self.registered.len() >= MAX_REGISTERED
            && let Some(oldest) = self.registered.first().copied()
        {
            self.remove(oldest);
        }
        let account = self.add(email, password, name);
        self.registered.insert(account.id);
        Some(account)
    }

    /// The account that e-mail and password belong to.
    pub(super) fn known(&self, email: &str, password: &str) -> Option<u32> {
        let account = self.by_id.get(self.by_email.get(email)?)?;
        (account.password == self.key.hash_one((account.id, password))).then_some(account.id)
    }

    /// Whose session it is; nothing once it was ended or the account is gone.
    pub(super) fn owner(&self, session: Session) -> Option<Arc<Account>> {
        let account = self.by_id.get(&session.account)?;
        (!self.ended.contains(&session)).then(|| Arc::clone(account))
    }

    /// Makes a session's tokens useless.
    pub(super) fn end(&mut self, session: Session) {
        if !self.ended.insert(session) {
            return;
        }
        self.order.push_back(session);
        if self.order.len() > MAX_ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// Removes an account, and with it the meaning of its tokens.
    pub(super) fn remove(&mut self, id: u32) {
        if let Some(account) = self.by_id.remove(&id) {
            self.by_email.remove(&account.email);
            self.registered.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_beyond_the_bound_push_out_the_oldest_but_no_learner() {
        let mut roster = Roster::seeded("secret-word");
        let before = roster.by_id.len();
        for n in 0..MAX_REGISTERED + 5 {
            roster.register(&format!("{n}@example.test"), "password", "N");
        }
        assert_eq!(roster.by_id.len(), before + MAX_REGISTERED);
        assert_eq!(roster.by_email.len(), roster.by_id.len());
        assert_eq!(roster.known("4@example.test", "password"), None);
        assert!(roster.known("5@example.test", "password").is_some());
        assert_eq!(
            roster.known("learner-01@example.test", "secret-word"),
            Some(1)
        );
    }

    #[test]
    fn ended_sessions_are_bounded() {
        let mut roster = Roster::seeded("secret-word");
        for n in 0..=MAX_ENDED {
            let serial = u32::try_from(n).unwrap();
            roster.end(Session { account: 1, serial });
        }
        assert_eq!(roster.ended.len(), MAX_ENDED);
        assert_eq!(roster.order.len(), MAX_ENDED);
    }
}
