//! Tokens: opaque to whoever holds them, and nothing that the stack has to remember.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a token is for: one that refreshes is not taken for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Access,
    Refresh,
}

/// One login: its two tokens belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) account: u32,
    /// Counts the logins since boot.
    pub(super) serial: u32,
}

/// Makes tokens and tells its own from any other.
///
/// A token names its session under a seal whose key is drawn at boot, as a JWT does. A map of live tokens would have
/// to forget some of them to stay bounded, and under a load of many logins these are tokens in use.
#[derive(Debug, Default)]
pub(super) struct Mint {
    // The standard library's keyed hash: good enough where only demonstration learners are to be protected.
    key: RandomState,
    sessions: AtomicU32,
}

impl Mint {
    pub(super) fn open(&self, account: u32) -> Session {
        let serial = self.sessions.fetch_add(1, Ordering::Relaxed);
        Session { account, serial }
    }

    pub(super) fn token(&self, session: Session, usage: Use) -> String {
        let Session { account, serial } = session;
        let seal = self.key.hash_one((session, usage));
        // The serial is under the account's bits, so that neither is seen by its leading zeros.
        let named = (u64::from(account) << 32 | u64::from(serial)) ^ seal.rotate_left(17);
        format!("{named:016x}{seal:016x}")
    }

    /// The session of a token; nothing if it was not made here, or not for this.
    pub(super) fn read(&self, token: &str, usage: Use) -> Option<Session> {
        // Digits only: `from_str_radix` would take a sign as well.
        if token.len() != 32 || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let (named, seal) = token.split_at(16);
        let seal = u64::from_str_radix(seal, 16).ok()?;
        let named = u64::from_str_radix(named, 16).ok()? ^ seal.rotate_left(17);
        let session = Session {
            account: u32::try_from(named >> 32).ok()?,
            serial: u32::try_from(named & u64::from(u32::MAX)).ok()?,
        };
        (self.key.hash_one((session, usage)) == seal).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_only_by_its_mint_and_for_its_use() {
        let mint = Mint::default();
        let session = mint.open(7);
        assert_ne!(session, mint.open(7), "each login is a session of its own");
        let token = mint.token(session, Use::Access);
        assert_eq!(token.len(), 32);
        assert_eq!(mint.read(&token, Use::Access), Some(session));
        assert_eq!(mint.read(&token, Use::Refresh), None);
        assert_eq!(Mint::default().read(&token, Use::Access), None);
        for forged in [
            "",
            "é",
            "+",
            "junk",
            &token[1..],
            &token.replace(|c| c != '0', "1"),
        ] {
            assert_eq!(mint.read(forged, Use::Access), None, "{forged}");
        }
        let signed = format!("+{}", &token[1..]);
        assert_eq!(mint.read(&signed, Use::Access), None);
    }
}
