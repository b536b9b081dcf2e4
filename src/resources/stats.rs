//! The arithmetic of a container's CPU and memory, from what the engine says of it at two instants.

use jiff::Timestamp;
use serde::Deserialize;

use super::Unread;

/// `GET /containers/ID/stats`, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Stats {
    read: Timestamp,
    #[serde(default)]
    cpu_stats: CpuStats,
    #[serde(default)]
    memory_stats: MemoryStats,
}

#[derive(Debug, Default, Deserialize)]
struct CpuStats {
    #[serde(default)]
    cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
struct CpuUsage {
    total_usage: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct MemoryStats {
    usage: Option<u64>,
    stats: Option<MemoryDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct MemoryDetails {
    /// cgroup v1, with all cgroups below.
    total_inactive_file: Option<u64>,
    /// cgroup v2; in v1, without the cgroups below.
    inactive_file: Option<u64>,
}

/// What a container had used at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// By the engine's clock.
    read: Timestamp,
    /// CPU since it was started, in nanoseconds of one core.
    cpu_ns: Option<u64>,
    /// Memory that it can't give back.
    pub(super) memory_bytes: Option<u64>,
}

impl Usage {
    /// Reads an answer of the engine; nothing of a container that does not run.
    pub(super) fn of(stats: &super::engine::Answer, path: &str) -> Result<Option<Self>, Unread> {
        if stats.status == 200 && stats.body.is_empty() {
            // It was removed while it was measured.
            return Ok(None);
        }
        let stats: Stats = stats.json(path)?;
        // A container that does not run was never read: its stamp is the year 1.
        if stats.read < Timestamp::UNIX_EPOCH {
            return Ok(None);
        }
        Ok(Some(Self {
            read: stats.read,
            cpu_ns: stats.cpu_stats.cpu_usage.total_usage,
            memory_bytes: memory(&stats.memory_stats),
        }))
    }

    /// CPU between two instants, in thousandths of one core; nothing if the container was started anew between.
    pub(super) fn cpu_permille_since(&self, before: &Self) -> Option<u32> {
        let used = self.cpu_ns?.checked_sub(before.cpu_ns?)?;
        let elapsed = self.read.duration_since(before.read).as_nanos();
        let elapsed = u128::try_from(elapsed).ok().filter(|ns| *ns > 0)?;
        let permille = (u128::from(used) * 1000 + elapsed / 2) / elapsed;
        u32::try_from(permille).ok()
    }
}

/// As `docker stats` shows it: without files that are only cached and were not used for long.
fn memory(stats: &MemoryStats) -> Option<u64> {
    let usage = stats.usage?;
    let details = stats.stats.as_ref();
    let cached = details.and_then(|d| d.total_inactive_file.or(d.inactive_file));
    Some(match cached {
        Some(cached) if cached < usage => usage - cached,
        _ => usage,
    })
}

#[cfg(test)]
mod tests;
