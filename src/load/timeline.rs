//! The phases of a load, placed in time: which one an instant belongs to, and how much load there is.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::event::{Phase, PhaseIndex};

/// All phases so far. They are known from the beginning, but for a search, which adds one attempt after the other.
#[derive(Debug, Default)]
pub(super) struct Timeline(RwLock<Vec<Placed>>);

#[derive(Debug, Clone)]
struct Placed {
    phase: Phase,
    from: Instant,
}

impl Placed {
    fn to(&self) -> Instant {
        self.from + self.phase.lasts
    }

    fn level_at(&self, at: Instant) -> f64 {
        let (from, to) = (self.phase.from.get(), self.phase.to.get());
        let lasts = self.phase.lasts.as_secs_f64();
        if lasts == 0.0 {
            return to;
        }
        let share = at.saturating_duration_since(self.from).as_secs_f64() / lasts;
        from + (to - from) * share.clamp(0.0, 1.0)
    }

    /// When its level rises above `level`, at `after` or later; nothing if it does not.
    fn rises_above(&self, level: f64, after: Instant) -> Option<Instant> {
        let begin = self.from.max(after);
        if begin >= self.to() {
            return None;
        }
        if self.level_at(begin) > level {
            return Some(begin);
        }
        let (from, to) = (self.phase.from.get(), self.phase.to.get());
        // Just above: at the level itself, it is not yet exceeded.
        (to > level).then(|| {
            let share = ((level - from) / (to - from)).clamp(0.0, 1.0);
            let at = self.from + self.phase.lasts.mul_f64(share) + Duration::from_millis(1);
            at.max(begin)
        })
    }
}

impl Timeline {
    /// Puts phases behind each other, beginning at an instant; what was planned for later is over then.
    pub(super) fn add(&self, begin: Instant, phases: &[Phase]) {
        let mut placed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut from = begin;
        for phase in phases {
            placed.push(Placed {
                phase: phase.clone(),
                from,
            });
            from += phase.lasts;
        }
    }

    fn read<T>(&self, look: impl FnOnce(&[Placed]) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The phase in which something is due.
    pub(super) fn phase_of(&self, due: Instant) -> PhaseIndex {
        self.read(|placed| index(begun(placed, due)))
    }

    /// The phase to which something belongs that was due in one and hung into others: it took a user away from
    /// the load that was to be judged, so it is judged too.
    pub(super) fn phase_of_hung(&self, due: Instant, now: Instant) -> PhaseIndex {
        self.read(|placed| {
            let (first, last) = (begun(placed, due), begun(placed, now));
            let judged =
                (first..=last).find(|n| placed.get(*n).is_some_and(|p| p.phase.is_judged()));
            index(judged.unwrap_or(first))
        })
    }

    /// When the level rises above that of so many users, at `after` or later; nothing if it never does.
    pub(super) fn rises_above(&self, users: f64, after: Instant) -> Option<Instant> {
        self.read(|placed| placed.iter().find_map(|p| p.rises_above(users, after)))
    }
}

/// The last phase that had begun; the first one before any had.
fn begun(placed: &[Placed], at: Instant) -> usize {
    placed.partition_point(|p| p.from <= at).saturating_sub(1)
}

fn index(place: usize) -> PhaseIndex {
    PhaseIndex(u32::try_from(place).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Figures, Level};

    const S: Duration = Duration::from_secs(1);

    fn phase(from: u32, to: u32, lasts: Duration, figures: Figures) -> Phase {
        Phase {
            name: "p".into(),
            lasts,
            from: Level::users(from),
            to: Level::users(to),
            figures,
        }
    }

    fn timeline() -> (Timeline, Instant) {
        let (timeline, begin) = (Timeline::default(), Instant::now());
        timeline.add(
            begin,
            &[
                phase(0, 10, 10 * S, Figures::Shown),
                phase(10, 10, 10 * S, Figures::Judged),
                phase(10, 2, 4 * S, Figures::Shown),
                phase(2, 2, 10 * S, Figures::Judged),
            ],
        );
        (timeline, begin)
    }

    #[test]
    fn levels_run_evenly() {
        let (timeline, begin) = timeline();
        let at = |s: u32| {
            let at = begin + s * S;
            timeline.read(|placed| placed[begun(placed, at)].level_at(at))
        };
        assert_eq!(
            [at(0), at(5), at(10), at(15), at(22), at(30)],
            [0.0, 5.0, 10.0, 10.0, 6.0, 2.0]
        );
    }

    #[test]
    fn users_arrive_one_by_one_and_stay_away_when_there_is_no_place() {
        let (timeline, begin) = timeline();
        let arrives = |users: f64, after: u32| {
            let at = timeline.rises_above(users, begin + after * S)?;
            Some((at - begin).as_secs_f64())
        };
        assert!(arrives(0.0, 0).unwrap() < 0.01);
        assert!((arrives(5.0, 0).unwrap() - 5.0).abs() < 0.01);
        assert_eq!(arrives(5.0, 12), Some(12.0));
        assert_eq!(arrives(5.0, 23), None, "there are fewer, and will be");
        assert_eq!(arrives(1.0, 30), Some(30.0));
        assert_eq!(arrives(10.0, 0), None, "the eleventh user has no place");
    }

    #[test]
    fn what_hangs_is_judged_where_it_took_a_user_away() {
        let (timeline, begin) = timeline();
        let of = |s: u32| timeline.phase_of(begin + s * S).0;
        assert_eq!(
            [of(0), of(9), of(10), of(21), of(25), of(99)],
            [0, 0, 1, 2, 3, 3]
        );
        let hung = |due: u32, now: u32| timeline.phase_of_hung(begin + due * S, begin + now * S).0;
        assert_eq!(hung(5, 8), 0, "it ended in the warm-up");
        assert_eq!(hung(5, 12), 1);
        assert_eq!(hung(12, 30), 1);
        assert_eq!(hung(21, 26), 3);
    }
}
