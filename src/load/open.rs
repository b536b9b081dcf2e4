//! The open model: a clock says when journeys begin, and whoever is free takes the next one.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Field;
use super::course::State;
use super::walk::{AtWork, Walker};
use crate::event::{Phase, Spacing};

/// Phases that begin at an instant, one after the other.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) begin: Instant,
    pub(super) phases: Vec<Phase>,
}

/// The arrivals of a batch, one after the other.
struct Arrivals {
    batch: Batch,
    spacing: Spacing,
    random: fastrand::Rng,
    /// Arrivals so far as an expectation: even spacing adds one each time, Poisson an exponential with mean one.
    expected: f64,
}

impl Arrivals {
    fn new(batch: Batch, spacing: Spacing) -> Self {
        Self {
            batch,
            spacing,
            random: fastrand::Rng::new(),
            expected: 0.0,
        }
    }

    /// The time at which so many arrivals are expected, in seconds; nothing if that is after the last phase.
    fn time_of(&self, expected: f64) -> Option<f64> {
        let (mut left, mut at) = (expected, 0.0);
        for phase in &self.batch.phases {
            let lasts = phase.lasts.as_secs_f64();
            let (from, to) = (phase.from.get(), phase.to.get());
            let in_phase = f64::midpoint(from, to) * lasts;
            if left < in_phase {
                return Some(at + time_in_phase(left, from, to, lasts));
            }
            left -= in_phase;
            at += lasts;
        }
        None
    }
}

/// When so many arrivals have come, at a rate that goes evenly from `from` to `to` in `lasts` seconds.
///
/// The inverse of the rate's integral, `from·t + (to − from)·t²/2·lasts`, in the form that also holds where the rate
/// does not change: `t = 2n / (from + √(from² + 2n·(to − from)/lasts))`.
fn time_in_phase(n: f64, from: f64, to: f64, lasts: f64) -> f64 {
    let root = (from * from + 2.0 * n * (to - from) / lasts)
        .max(0.0)
        .sqrt();
    if from + root > 0.0 {
        (2.0 * n / (from + root)).min(lasts)
    } else {
        0.0
    }
}

impl Iterator for Arrivals {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let at = self.time_of(self.expected);
        self.expected += match self.spacing {
            Spacing::Even => 1.0,
            // By inversion; 1 − u is never 0.
            Spacing::Poisson => -(1.0 - self.random.f64()).ln(),
        };
        Some(self.batch.begin + Duration::from_secs_f64(at?))
    }
}

/// Lets journeys arrive until the field's course says otherwise.
pub(super) async fn attack(
    field: Arc<Field>,
    batches: Receiver<Batch>,
    spacing: Spacing,
) -> Result<(), String> {
    let mut arrivals = on_time(batches, spacing, &field)
        .map_err(|e| format!("can't start the clock of arrivals: {e}"))?;
    field.record(|r| r.arriving = true);
    let idle = Arc::new(Idle::new(&field));
    let listener = field.course.listen();
    loop {
        let next = std::pin::pin!(arrivals.recv());
        match listener.unless(&field.course, State::Cut, next).await {
            // The load was cut, or its last journey has arrived.
            None | Some(Some(None)) => break,
            Some(Some(Some(at))) => arrive(&field, &idle, at),
            Some(None) => return Err("the clock of arrivals stopped".to_owned()),
        }
    }
    field.record(|r| r.arriving = false);
    // The last arrival comes a little before the load is over.
    let over = std::pin::pin!(std::future::pending::<()>());
    listener.unless(&field.course, State::WindDown, over).await;
    Ok(())
}

/// A journey begins, if somebody is free for it; if nobody is, that is counted.
fn arrive(field: &Arc<Field>, idle: &Arc<Idle>, at: Instant) {
    let phase = field.timeline.phase_of(at);
    let walker = idle.take(field);
    field.record(|r| r.arrival(phase, walker.is_some()));
    let Some((scenario, mut walker)) = walker else {
        return;
    };
    let (field, idle) = (Arc::clone(field), Arc::clone(idle));
    let at_work = AtWork::begin(&field);
    tokio::spawn(async move {
        if !walker.journey(Some(at)).await {
            field.record(|r| r.dropped_late(phase));
        }
        drop(at_work);
        idle.put(scenario, walker);
    });
}

/// Hands out arrivals when they are due, and nothing after the last one. A thread of its own sleeps to some 0.1 ms, a runtime's timer to 1 ms.
fn on_time(
    batches: Receiver<Batch>,
    spacing: Spacing,
    field: &Arc<Field>,
) -> Result<mpsc::UnboundedReceiver<Option<Instant>>, std::io::Error> {
    let (due, receiver) = mpsc::unbounded_channel();
    let field = Arc::clone(field);
    std::thread::Builder::new()
        .name("arrivals".to_owned())
        .spawn(move || {
            let arrivals = batches
                .iter()
                .flat_map(|batch| Arrivals::new(batch, spacing));
            for at in arrivals {
                // What was due before the load ended has arrived, however late that is noticed.
                if !wait_until(at, &field) {
                    break;
                }
                if due.send(Some(at)).is_err() {
                    return;
                }
            }
            // The last word: without it, the clock did not come to its end.
            let _ = due.send(None);
        })?;
    Ok(receiver)
}

/// Sleeps in pieces, so that a load that is stopped does not leave a thread behind; tells whether the instant came
/// before that.
fn wait_until(at: Instant, field: &Field) -> bool {
    while let Some(left) = at
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        if field.course.state() != State::Run {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    field.course.state() != State::Cut
}

/// Users without a journey, per scenario, and whose turn it is.
struct Idle {
    inner: Mutex<Turns>,
    most: u32,
}

struct Turns {
    scenarios: Vec<Turn>,
    made: u32,
}

struct Turn {
    weight: i64,
    credit: i64,
    idle: Vec<Walker>,
}

impl Idle {
    fn new(field: &Field) -> Self {
        let scenarios = field.scenarios.iter().map(|(scenario, _)| Turn {
            weight: i64::from(scenario.weight),
            credit: 0,
            idle: Vec::new(),
        });
        Self {
            inner: Mutex::new(Turns {
                scenarios: scenarios.collect(),
                made: 0,
            }),
            most: field.session.environment.load.users,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user for the scenario whose turn it is; nothing when as many as allowed are at work.
    ///
    /// Turns are given by smooth weighted round-robin (as nginx does): exact shares, and no bursts of one scenario.
    fn take(&self, field: &Arc<Field>) -> Option<(usize, Walker)> {
        let mut turns = self.lock();
        let total: i64 = turns.scenarios.iter().map(|t| t.weight).sum();
        for turn in &mut turns.scenarios {
            turn.credit += turn.weight;
        }
        let (index, turn) = turns
            .scenarios
            .iter_mut()
            .enumerate()
            .max_by_key(|(n, turn)| (turn.credit, std::cmp::Reverse(*n)))?;
        turn.credit -= total;
        if let Some(walker) = turn.idle.pop() {
            return Some((index, walker));
        }
        if turns.made >= self.most {
            // Somebody who waits for another scenario leaves, so that this one is not starved.
            let other = turns.scenarios.iter_mut().find(|t| !t.idle.is_empty())?;
            other.idle.pop();
            turns.made -= 1;
        }
        turns.made += 1;
        drop(turns);
        Some((index, Walker::new(Arc::clone(field), index)))
    }

    fn put(&self, scenario: usize, walker: Walker) {
        if let Some(turn) = self.lock().scenarios.get_mut(scenario) {
            turn.idle.push(walker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Figures, Level};

    fn batch(levels: &[(f64, f64, u64)]) -> Batch {
        let phase = |(from, to, lasts): &(f64, f64, u64)| Phase {
            name: "p".into(),
            lasts: Duration::from_secs(*lasts),
            from: Level::of(*from),
            to: Level::of(*to),
            figures: Figures::Judged,
        };
        Batch {
            begin: Instant::now(),
            phases: levels.iter().map(phase).collect(),
        }
    }

    fn times(levels: &[(f64, f64, u64)], spacing: Spacing) -> Vec<f64> {
        let mut arrivals = Arrivals::new(batch(levels), spacing);
        arrivals.random = fastrand::Rng::with_seed(7);
        let begin = arrivals.batch.begin;
        arrivals.map(|at| (at - begin).as_secs_f64()).collect()
    }

    #[test]
    fn the_rate_rises_then_stays() {
        let times = times(&[(0.0, 100.0, 2), (100.0, 100.0, 10)], Spacing::Even);
        let between = |from: f64, to: f64| times.iter().filter(|t| (from..to).contains(*t)).count();
        // Half the rate on average while it rises: 100 arrivals in 2 s, a quarter of them in the first second.
        assert_eq!((between(0.0, 1.0), between(0.0, 2.0)), (25, 100));
        assert_eq!(between(2.0, 12.0), 1000);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        let gaps: Vec<f64> = times[100..].windows(2).map(|p| p[1] - p[0]).collect();
        assert!(
            gaps.iter().all(|gap| (gap - 0.01).abs() < 1e-6),
            "evenly spaced"
        );
    }

    #[test]
    fn poisson_has_the_rate_and_the_spread() {
        let times = times(&[(1000.0, 1000.0, 10)], Spacing::Poisson);
        // 10 000 expected, standard deviation 100.
        assert!((9_500..10_500).contains(&times.len()), "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|p| p[1] - p[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let spread = variance.sqrt() / mean;
        assert!(
            (0.9..1.1).contains(&spread),
            "exponential gaps spread by their mean: {spread}"
        );
    }

    #[test]
    fn without_a_warm_up_the_rate_is_there_at_once() {
        let times = times(&[(10.0, 10.0, 10)], Spacing::Even);
        let ms: Vec<_> = times.iter().take(3).map(|t| (t * 1e3).round()).collect();
        assert_eq!(ms, [0.0, 100.0, 200.0]);
    }

    proptest::proptest! {
        #[test]
        fn every_phase_gets_what_its_rate_says(levels in proptest::collection::vec((0.0_f64..200.0, 0.0_f64..200.0, 1_u64..5), 1..5)) {
            let times = times(&levels, Spacing::Even);
            proptest::prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
            let mut from = 0.0;
            for (begin, end, lasts) in levels {
                let to = from + lasts as f64;
                let n = times.iter().filter(|t| (from..to).contains(*t)).count() as f64;
                let wanted = f64::midpoint(begin, end) * lasts as f64;
                proptest::prop_assert!((n - wanted).abs() <= 1.5, "{n} instead of {wanted}");
                from = to;
            }
        }
    }
}
