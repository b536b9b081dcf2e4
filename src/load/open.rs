//! The open model: a clock says when journeys begin, and whoever is free takes the next one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Field;
use super::course::State;
use super::walk::{AtWork, Walker};
use crate::event::Spacing;
use crate::units::Rate;

/// The arrivals of a load, one after the other: the rate rises evenly during the warm-up, then stays.
struct Arrivals {
    begin: Instant,
    warm_up: f64,
    end: f64,
    rate: f64,
    spacing: Spacing,
    random: fastrand::Rng,
    /// Arrivals so far as an expectation: even spacing adds one each time, Poisson an exponential with mean one.
    expected: f64,
}

impl Arrivals {
    fn new(field: &Field, begin: Instant, rate: Rate, spacing: Spacing) -> Self {
        let profile = &field.session.environment.load;
        Self {
            begin,
            warm_up: profile.warm_up.as_secs_f64(),
            end: (profile.warm_up + profile.hold).as_secs_f64(),
            rate: rate.per_second(),
            spacing,
            random: fastrand::Rng::new(),
            expected: 0.0,
        }
    }

    /// The time at which so many arrivals are expected: the inverse of the rate's integral over time,
    /// `rate·t²/2w` during a warm-up of `w` seconds and `rate·(t − w/2)` after it.
    fn time_of(&self, expected: f64) -> f64 {
        let in_warm_up = self.rate * self.warm_up / 2.0;
        if expected < in_warm_up {
            (2.0 * self.warm_up * expected / self.rate).sqrt()
        } else {
            expected / self.rate + self.warm_up / 2.0
        }
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
        (at < self.end).then(|| self.begin + Duration::from_secs_f64(at))
    }
}

/// Lets journeys arrive until the field's course says otherwise.
pub(super) async fn attack(field: Arc<Field>, rate: Rate, spacing: Spacing) -> Result<(), String> {
    let mut arrivals = on_time(Arrivals::new(&field, field.begin, rate, spacing), &field)
        .map_err(|e| format!("can't start the clock of arrivals: {e}"))?;
    let idle = Arc::new(Idle::new(&field));
    let listener = field.course.listen();
    loop {
        let next = std::pin::pin!(arrivals.recv());
        let at = match listener.unless(&field.course, State::WindDown, next).await {
            // The load is over, or its last journey has arrived.
            None | Some(Some(None)) => break,
            Some(Some(Some(at))) => at,
            Some(None) => return Err("the clock of arrivals stopped".to_owned()),
        };
        let phase = field.phase_of(at);
        let walker = idle.take(&field);
        field.record(|r| r.arrival(phase, walker.is_some()));
        if let Some((scenario, mut walker)) = walker {
            let idle = Arc::clone(&idle);
            let field = Arc::clone(&field);
            tokio::spawn(async move {
                let at_work = AtWork::begin(&field);
                if !walker.journey(Some(at)).await {
                    field.record(|r| r.dropped_late(phase));
                }
                drop(at_work);
                idle.put(scenario, walker);
            });
        }
    }
    // The last arrival comes a little before the load is over.
    let over = std::pin::pin!(std::future::pending::<()>());
    listener.unless(&field.course, State::WindDown, over).await;
    Ok(())
}

/// Hands out arrivals when they are due, and nothing after the last one. A thread of its own sleeps to some 0.1 ms, a runtime's timer to 1 ms.
fn on_time(
    arrivals: Arrivals,
    field: &Arc<Field>,
) -> Result<mpsc::UnboundedReceiver<Option<Instant>>, std::io::Error> {
    let (due, receiver) = mpsc::unbounded_channel();
    let field = Arc::clone(field);
    std::thread::Builder::new()
        .name("arrivals".to_owned())
        .spawn(move || {
            for at in arrivals {
                // Long waits in pieces, so that a load that is stopped does not leave a thread behind.
                while let Some(left) = at
                    .checked_duration_since(Instant::now())
                    .filter(|l| !l.is_zero())
                {
                    std::thread::sleep(left.min(Duration::from_millis(100)));
                    if field.course.state() != State::Run {
                        return;
                    }
                }
                if field.course.state() != State::Run || due.send(Some(at)).is_err() {
                    return;
                }
            }
            // The last word: without it, the clock did not come to its end.
            let _ = due.send(None);
        })?;
    Ok(receiver)
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

    fn arrivals(rate: f64, spacing: Spacing) -> Arrivals {
        Arrivals {
            begin: Instant::now(),
            warm_up: 2.0,
            end: 12.0,
            rate,
            spacing,
            random: fastrand::Rng::with_seed(7),
            expected: 0.0,
        }
    }

    #[test]
    fn the_rate_rises_then_stays() {
        let arrivals = arrivals(100.0, Spacing::Even);
        let begin = arrivals.begin;
        let times: Vec<f64> = arrivals.map(|at| (at - begin).as_secs_f64()).collect();
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
        let arrivals = arrivals(1000.0, Spacing::Poisson);
        let begin = arrivals.begin;
        let times: Vec<f64> = arrivals
            .map(|at| (at - begin).as_secs_f64())
            .filter(|t| *t >= 2.0)
            .collect();
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
        let mut arrivals = arrivals(10.0, Spacing::Even);
        arrivals.warm_up = 0.0;
        let begin = arrivals.begin;
        let times: Vec<u128> = arrivals
            .take(3)
            .map(|at| (at - begin).as_millis())
            .collect();
        assert_eq!(times, [0, 100, 200]);
    }
}
