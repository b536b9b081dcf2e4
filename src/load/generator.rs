//! What the load generator knows of itself: files it may open, CPU it has, how late it wakes.

use std::time::Instant;

use super::LoadError;

/// Files that are open anyway: the journal, the runtime's own, the embedded stack's.
const SPARE_FILES: u64 = 100;

/// Whether this process may open the connections that so many users need.
pub(super) fn enough_files(users: u32, key: &'static str) -> Result<(), LoadError> {
    let Some(limit) = file_limit() else {
        return Ok(());
    };
    // A user holds a connection, and a second one for a moment when it opens a socket.
    let needed = u64::from(users) * 2 + SPARE_FILES;
    if needed <= limit {
        Ok(())
    } else {
        Err(LoadError::Files {
            users,
            key,
            needed,
            limit,
        })
    }
}

/// The soft limit of open files, where the system tells it.
fn file_limit() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// Measures the CPU that the calling thread has and waits for, between two looks. All users of a load live on one
/// thread: when that one is busy all the time, or may not run, answers wait to be noticed.
#[derive(Debug)]
pub(super) struct CpuMeter {
    last: Option<(Instant, Scheduled)>,
}

/// What the scheduler says of a thread, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Scheduled {
    ran: u64,
    waited: u64,
}

/// Shares of the time between two looks, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuShares {
    /// Of one core, that the thread had.
    pub(super) ran_permille: u32,
    /// In which it could have run and was not let.
    pub(super) starved_permille: u32,
}

impl CpuMeter {
    pub(super) fn new() -> Self {
        Self {
            last: scheduled().map(|s| (Instant::now(), s)),
        }
    }

    /// The shares since the last look; nothing where the system does not tell.
    pub(super) fn look(&mut self) -> Option<CpuShares> {
        let (before, then) = self.last?;
        let (now, scheduled) = (Instant::now(), scheduled()?);
        self.last = Some((now, scheduled));
        let elapsed = u64::try_from(now.duration_since(before).as_nanos()).ok();
        let elapsed = elapsed.filter(|ns| *ns > 0)?;
        let permille = |now: u64, then: u64| {
            u32::try_from(now.saturating_sub(then).saturating_mul(1000) / elapsed).ok()
        };
        Some(CpuShares {
            ran_permille: permille(scheduled.ran, then.ran)?,
            starved_permille: permille(scheduled.waited, then.waited)?,
        })
    }
}

/// `/proc/thread-self/schedstat`: nanoseconds on a CPU, nanoseconds waiting for one, number of turns.
fn scheduled() -> Option<Scheduled> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut fields = text.split_whitespace();
    let ran = fields.next()?.parse().ok()?;
    let waited = fields.next()?.parse().ok()?;
    Some(Scheduled { ran, waited })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_as_work_and_sleep_as_none() {
        let mut meter = CpuMeter::new();
        if meter.look().is_none() {
            // This system does not tell.
            return;
        }
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 200 {
            std::hint::black_box(begin);
        }
        let busy = meter.look().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let idle = meter.look().unwrap();
        assert!(busy.ran_permille + busy.starved_permille > 800, "{busy:?}");
        assert!(idle.ran_permille < 200, "{idle:?}");
    }
}
