//! What the load generator knows of itself: files it may open, CPU it uses.

use std::time::Instant;

use super::LoadError;

/// Files that are open anyway: the journal, the runtime's own, the embedded stack's.
const SPARE_FILES: u64 = 100;

/// Whether this process may open the connections that so many users need.
pub(super) fn enough_files(users: u32) -> Result<(), LoadError> {
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

/// Measures the CPU that this process uses between two looks.
#[derive(Debug)]
pub(super) struct CpuMeter {
    last: Option<(Instant, u64)>,
}

/// Clock ticks per second in /proc; fixed at 100 on every Linux that user space sees.
const TICKS: u64 = 100;

impl CpuMeter {
    pub(super) fn new() -> Self {
        Self {
            last: ticks().map(|t| (Instant::now(), t)),
        }
    }

    /// Thousandths of one core used since the last look; nothing where the system does not tell.
    pub(super) fn look(&mut self) -> Option<u32> {
        let (before, ticks_before) = self.last?;
        let (now, ticks_now) = (Instant::now(), ticks()?);
        self.last = Some((now, ticks_now));
        let elapsed_ms = u64::try_from(now.duration_since(before).as_millis())
            .ok()
            .filter(|ms| *ms > 0)?;
        let used_ms = ticks_now.saturating_sub(ticks_before) * 1000 / TICKS;
        u32::try_from(used_ms * 1000 / elapsed_ms).ok()
    }
}

/// User and system time of this process so far.
fn ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold spaces: count from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
