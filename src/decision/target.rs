//! Judges one target by what a load brought: phase by phase, and the phase that went worst decides.

use std::time::Duration;

use super::judge::{Judgement, Sample, judge_errors, judge_latency};
use super::{GeneratorFigures, LoadAccount, Outcome, StepAccount};
use crate::event::{Clock, ErrorScope, PhaseIndex, Subject, Tally};
use crate::units::{show_duration, show_percent};

/// The largest share of its core that the thread of the users may have before its own work shows in what it measures.
const BUSY: f64 = 0.95;

/// Judges a target by one phase; nothing if the subject is no target of a step.
#[must_use]
pub fn judge_target(subject: &Subject, load: &LoadAccount, phase: PhaseIndex) -> Option<Judgement> {
    match subject {
        Subject::Latency {
            step,
            clock,
            percentile,
            limit,
            decide,
        } => {
            let account = load.steps.iter().find(|a| a.step == *step);
            let tally = account.and_then(|a| a.phases.get(&phase));
            let sample = tally.map_or_else(Sample::default, |tally| sample(tally, *clock));
            Some(judge_latency(&sample, *percentile, *limit, *decide))
        }
        Subject::Errors {
            scope,
            limit,
            decide,
        } => {
            let chosen = |account: &&StepAccount| match scope {
                ErrorScope::All => true,
                ErrorScope::Step(step) => account.step == *step,
            };
            let (mut failed, mut n) = (0, 0);
            for tally in load
                .steps
                .iter()
                .filter(chosen)
                .filter_map(|a| a.phases.get(&phase))
            {
                failed += tally.failures();
                n += tally.count();
            }
            Some(judge_errors(failed, n, *limit, *decide))
        }
        _ => None,
    }
}

fn sample(tally: &Tally, clock: Clock) -> Sample {
    match clock {
        Clock::Response => Sample {
            answered: tally.answered(),
            unanswered: tally.unanswered(),
        },
        Clock::FirstToken => Sample {
            answered: tally.first_token.clone(),
            // A stream that never brought a token is the slowest of all.
            unanswered: tally.count().saturating_sub(tally.first_token.count()),
        },
        Clock::Gap => Sample {
            answered: tally.gaps.clone(),
            // A stream that broke off has a gap without an end.
            unanswered: tally.unanswered(),
        },
    }
}

/// Judges a target by each judged phase, and goes by the worst: a target that held on the whole and not in the spike
/// did not hold.
pub(super) fn judge_phases(subject: &Subject, load: &LoadAccount) -> Option<Judgement> {
    let mut all = Vec::new();
    for (index, account) in load.judged() {
        all.push((&account.phase.name, judge_target(subject, load, index)?));
    }
    if all.len() > 1 {
        for (name, judgement) in &mut all {
            judgement.seen = format!("in `{name}`: {}", judgement.seen);
        }
    }
    // Of equals, the one that is nearest to its limit.
    let margin = |j: &Judgement| j.measured.as_ref().and_then(|m| m.of_limit).unwrap_or(0.0);
    let worst = all
        .into_iter()
        .map(|(_, judgement)| judgement)
        .max_by(|a, b| {
            a.outcome
                .cmp(&b.outcome)
                .then(margin(a).total_cmp(&margin(b)))
        });
    // No judged phase ever began.
    worst.or_else(|| judge_target(subject, load, PhaseIndex(u32::MAX)))
}

/// A generator that sends late, is out of breath or did not offer what was planned says nothing about the stack.
#[must_use]
pub fn judge_generator(load: &LoadAccount, limit: Duration) -> Judgement {
    let open = |seen: String| Judgement {
        outcome: Outcome::Inconclusive,
        seen,
        measured: None,
    };
    let Some(figures) = load.delay_figures() else {
        return open("nothing was sent in the judged phase".to_owned());
    };
    if load.dropped() > 0 {
        return open(format!(
            "{} of {} journeys could not begin, as all {} users were at work: the planned rate was not offered; raise `max_users`, or lower `rate` to what the stack can take",
            load.dropped(),
            load.arrived(),
            load.planned.users
        ));
    }
    let p99 = Duration::from_micros(figures.p99_us);
    let own = load.generator_figures();
    let late = out_of_breath(p99, own.as_ref(), limit);
    let delay = load.delay();
    let measured = Some(crate::decision::Measured {
        n: delay.count(),
        estimate: show_duration(p99),
        interval: ("–".to_owned(), "–".to_owned()),
        of_limit: Some(p99.as_secs_f64() / limit.as_secs_f64()).filter(|r| r.is_finite()),
    });
    match late {
        Some(late) => Judgement {
            measured,
            ..open(late)
        },
        None => Judgement {
            outcome: Outcome::Pass,
            seen: format!(
                "requests were sent on time: delay p99 {}, at most {} allowed, of {} requests{}",
                show_duration(p99),
                show_duration(limit),
                delay.count(),
                own.map_or_else(String::new, |own| format!(
                    "; the generator used {} of its core",
                    show_percent(own.cpu)
                ))
            ),
            measured,
        },
    }
}

/// Why a generator is not to be trusted, and what would help; nothing if it is.
///
/// It is late when requests are sent after they were due, or when answers wait to be noticed; and one that is busy all
/// the time measures itself.
pub(super) fn out_of_breath(
    delay_p99: Duration,
    own: Option<&GeneratorFigures>,
    limit: Duration,
) -> Option<String> {
    let lag = own.and_then(|g| g.lag);
    let lag = lag.map(|l| Duration::from_micros(l.p99_us));
    let (cpu, starved) = own.map_or((0.0, 0.0), |g| (g.cpu, g.starved));
    let shown = show_duration(limit);
    let late = if delay_p99 > limit {
        format!(
            "requests were sent late: delay p99 {}, at most {shown} allowed",
            show_duration(delay_p99)
        )
    } else if let Some(lag) = lag.filter(|lag| *lag > limit) {
        format!(
            "answers were noticed late: lag p99 of the generator {}, at most {shown} allowed",
            show_duration(lag)
        )
    } else if cpu > BUSY {
        format!(
            "the generator used {} of its core, so latencies are partly its own",
            show_percent(cpu)
        )
    } else {
        return None;
    };
    let remedy = if starved > 0.1 {
        format!(
            "other work on this machine had the CPU for {} of the time: run `gates` where nothing else runs",
            show_percent(starved)
        )
    } else if cpu > BUSY {
        "split the load over several processes and add them up with `gates merge`, or offer less"
            .to_owned()
    } else {
        "give the machine that runs `gates` more CPU, or offer less".to_owned()
    };
    Some(format!("{late}; {remedy}"))
}
