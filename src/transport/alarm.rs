//! A time limit for one thing after the other, at the cost of one timer for all of them.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::coop::{has_budget_remaining, unconstrained};
use tokio::time::{Sleep, sleep_until};

/// Rings when a limit is over. Most limits never are: so the timer stays set for an earlier one, and is set
/// again only when it rings too early, instead of twice for each request.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Set>);

#[derive(Debug)]
struct Set {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    /// What `work` comes to; nothing if `limit` is over first. It is taken by reference, since futures that hold
    /// others by value grow with every layer, and are moved about with every request.
    pub(super) async fn within<F: Future>(
        &mut self,
        from: Instant,
        limit: Duration,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        let deadline = from + limit;
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_over(cx, deadline).map(|()| None),
        })
        .await
    }

    fn poll_over(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let set = self.0.get_or_insert_with(|| Set {
            at: deadline,
            sleep: Box::pin(sleep_until(deadline.into())),
        });
        if set.at > deadline {
            set.at = deadline;
            set.sleep.as_mut().reset(deadline.into());
        }
        // A server that always has something more to say uses up what tokio lets a task do at a time. The timer
        // must not wait for more of that, or it would never ring.
        let ring = |cx: &mut Context<'_>, sleep: Pin<&mut Sleep>| {
            if has_budget_remaining() {
                sleep.poll(cx).is_ready()
            } else {
                pin!(unconstrained(sleep)).poll(cx).is_ready()
            }
        };
        while ring(cx, set.sleep.as_mut()) {
            if set.at >= deadline {
                // For the next one it has to be set again.
                self.0 = None;
                return Poll::Ready(());
            }
            set.at = deadline;
            set.sleep.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn each_limit_holds_whatever_the_one_before_was() {
        let mut alarm = Alarm::default();
        let now = || tokio::time::Instant::now().into_std();
        for (limit, work, in_time) in [
            (1000, 10, true),
            (1000, 990, true),
            (50, 60, false),
            (50, 40, true),
            (2000, 1500, true),
            (10, 5000, false),
        ] {
            let begun = now();
            let done = alarm
                .within(begun, limit * MS, pin!(tokio::time::sleep(work * MS)))
                .await;
            assert_eq!(done.is_some(), in_time, "{work} ms within {limit} ms");
            assert_eq!((now() - begun).as_millis(), u128::from(work.min(limit)));
        }
    }

    #[tokio::test]
    async fn it_rings_though_there_is_always_something_to_do() {
        let busy = pin!(async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        });
        let work = async {
            let mut alarm = Alarm::default();
            alarm.within(Instant::now(), 50 * MS, busy).await
        };
        let rang = tokio::time::timeout(5000 * MS, work).await;
        assert_eq!(rang, Ok(None::<()>));
    }
}
