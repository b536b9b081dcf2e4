//! Where a load stands, told to all users at once, and cheap to ask for each of their requests.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// Where the load stands, as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum State {
    /// Go on.
    Run,
    /// Finish the step under way, begin nothing new.
    WindDown,
    /// Drop everything now.
    Cut,
}

/// The state that all users of a load share.
#[derive(Debug)]
pub(super) struct Course {
    state: AtomicU8,
    listeners: Mutex<Vec<Weak<AtomicWaker>>>,
}

/// One user's ear for the course. A `watch` channel would do the same, but takes a lock for every wait,
/// and there are two waits in every request.
#[derive(Debug)]
pub(super) struct Listener(Arc<AtomicWaker>);

impl Course {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Run as u8),
            listeners: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Run,
            1 => State::WindDown,
            _ => State::Cut,
        }
    }

    /// Goes on to a later state; never back to an earlier one.
    pub(super) fn advance(&self, to: State) {
        self.state.fetch_max(to as u8, Ordering::AcqRel);
        for listener in self.lock().iter().filter_map(Weak::upgrade) {
            listener.wake();
        }
    }

    pub(super) fn listen(&self) -> Listener {
        let waker = Arc::new(AtomicWaker::new());
        let mut listeners = self.lock();
        if listeners.len() == listeners.capacity() {
            listeners.retain(|l| l.strong_count() > 0);
        }
        listeners.push(Arc::downgrade(&waker));
        Listener(waker)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<AtomicWaker>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// What `work` comes to; nothing if the course is at `state`, or comes to it, before.
    pub(super) async fn unless<F: Future>(
        &self,
        course: &Course,
        state: State,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            // First the ear, then the look: what comes between is heard.
            self.0.register(cx.waker());
            if course.state() >= state {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_of_it() {
        let course = Arc::new(Course::new());
        let wait = |state| {
            let course = Arc::clone(&course);
            tokio::spawn(async move {
                let listener = course.listen();
                listener
                    .unless(
                        &course,
                        state,
                        pin!(tokio::time::sleep(Duration::from_secs(60))),
                    )
                    .await
                    .is_some()
            })
        };
        let (until_wind_down, until_cut, whole) =
            (wait(State::WindDown), wait(State::Cut), wait(State::Cut));
        tokio::time::sleep(Duration::from_secs(1)).await;
        course.advance(State::WindDown);
        assert!(!until_wind_down.await.unwrap());
        assert!(!until_cut.is_finished());
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(whole.await.unwrap(), "the work was done before the cut");
        assert!(until_cut.await.unwrap());
        course.advance(State::Cut);
        course.advance(State::Run);
        assert_eq!(course.state(), State::Cut, "never back");
        assert!(
            !wait(State::Cut).await.unwrap(),
            "what comes later is cut at once"
        );
    }
}
