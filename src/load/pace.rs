//! Keeps all users together under the environment's `max_rps`: each request takes the next free slot.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Slots of equal length, given out in order. No burst: a limit per second holds for every part of it too.
#[derive(Debug)]
pub(super) struct Pace {
    slot: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            slot: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::new(None),
        }
    }

    /// The first free slot at or after `wanted`.
    pub(super) fn next(&self, wanted: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(wanted, |next| next.max(wanted));
        *next = Some(at + self.slot);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_never_closer_than_the_limit() {
        let pace = Pace::new(100);
        let now = Instant::now();
        let given: Vec<_> = (0..5).map(|_| pace.next(now)).collect();
        for pair in given.windows(2) {
            assert_eq!(pair[1] - pair[0], Duration::from_millis(10));
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(pace.next(later), later, "unused slots are not saved up");
    }
}
