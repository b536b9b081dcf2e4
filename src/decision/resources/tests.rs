//! What can be said of resource use, and what can't.

use super::*;
use crate::decision::{Evaluation, Evaluator, Verdict};
use crate::event::{
    ContainerSeen, ContainerState, DeclaredCheck, Event, Gate, LoadPlanned, MetricSample, Model,
    Record, Redactor, ResourceSample, RunStarted, SCHEMA, Shape, Stage, Subject,
};

fn text(text: &str) -> crate::event::Redacted {
    Redactor::default().text(text)
}

fn used() -> Event {
    Event::Resource(ResourceSample {
        service: text("web"),
        cpu_permille: Some(10),
        cpu_limit_permille: None,
        memory_bytes: Some(1),
        memory_limit_bytes: None,
    })
}

fn figure(name: &str) -> Event {
    Event::Metric(MetricSample {
        name: name.to_owned(),
        value: 1.0,
    })
}

fn unread(source: ResourceSource, why: &str) -> Event {
    Event::ResourcesUnavailable(ResourcesUnavailable {
        source,
        why: text(why),
    })
}

fn query(name: &str) -> ResourceSource {
    ResourceSource::Query {
        name: name.to_owned(),
    }
}

fn container(moment: Moment, started_at: &str) -> Event {
    Event::Container(ContainerSeen {
        moment,
        service: text("web"),
        state: ContainerState {
            id: text("aaaa"),
            status: text("running"),
            started_at: text(started_at),
            ..ContainerState::default()
        },
    })
}

/// A whole run with both checks and nothing else but what is given while load ran.
fn run(events: Vec<Event>, complete: bool) -> Evaluation {
    let check = |id: &str, gate, subject| DeclaredCheck {
        id: id.to_owned(),
        stage: Stage::Load,
        title: String::new(),
        group: String::new(),
        gate,
        subject,
        source: None,
        remedy: String::new(),
    };
    let project = || "p".to_owned();
    let started = RunStarted {
        schema: SCHEMA,
        run_id: String::new(),
        started_at: String::new(),
        tool_version: String::new(),
        project: String::new(),
        environment: String::new(),
        url: text(""),
        commit: None,
        faults: Vec::new(),
        checks: vec![
            check(
                "load/resources",
                Gate::Advisory,
                Subject::Resources {
                    project: Some(project()),
                    queries: vec!["a".into(), "b".into()],
                },
            ),
            check(
                "load/restarts",
                Gate::Mandatory,
                Subject::Restarts { project: project() },
            ),
        ],
    };
    let stage = Stage::Load;
    let mut all = vec![
        Event::RunStarted(Box::new(started)),
        Event::StageStarted { stage },
        Event::LoadPlanned(LoadPlanned {
            profile: "load".into(),
            model: Model::Closed,
            users: 1,
            shape: Shape::Phases { phases: Vec::new() },
            steps: Vec::new(),
        }),
    ];
    all.extend(events);
    if complete {
        all.push(Event::StageEnded { stage });
    }
    all.push(Event::RunEnded);
    let mut evaluator = Evaluator::default();
    for (n, event) in (0..).zip(all) {
        evaluator.absorb(&Record {
            at_us: n * 1_000_000,
            event,
        });
    }
    evaluator.finish().unwrap()
}

/// Outcomes of `load/resources` and `load/restarts`.
fn outcomes(events: Vec<Event>) -> (Outcome, Outcome) {
    let run = run(events, true);
    (run.checks[0].outcome, run.checks[1].outcome)
}

fn sound() -> Vec<Event> {
    vec![
        container(Moment::Before, "t"),
        used(),
        figure("a"),
        figure("b"),
        container(Moment::After, "t"),
    ]
}

#[test]
fn what_was_read_and_ran_through_passes() {
    let run = run(sound(), true);
    assert_eq!(run.decision.verdict, Verdict::Pass, "{:?}", run.decision);
    insta::assert_snapshot!(run.checks[0].seen, @"1 sample of 1 service, 2 answers to 2 queries, without a gap");
    insta::assert_snapshot!(run.checks[1].seen, @"all as when the load began: 1 container");
    assert!(run.decision.conservation.holds());
}

#[test]
fn what_was_not_read_is_open_and_says_why() {
    let why = "there is no Docker engine at /x";
    let events = vec![
        unread(ResourceSource::Docker, why),
        figure("a"),
        unread(query("b"), "the query has no result"),
    ];
    let run = run(events, true);
    assert_eq!(run.checks[0].outcome, Outcome::Inconclusive);
    let seen = run.checks[0].seen.as_str();
    assert!(seen.contains(why), "{seen}");
    assert!(
        seen.contains("`b` of Prometheus: the query has no result"),
        "{seen}"
    );
    assert!(!seen.contains("`a`"), "{seen}");
    assert_eq!(run.checks[1].outcome, Outcome::Inconclusive);
    assert!(run.checks[1].seen.as_str().contains(why));
    assert_eq!(run.decision.verdict, Verdict::Inconclusive);
}

#[test]
fn nothing_at_all_is_open_too() {
    let open = Outcome::Inconclusive;
    assert_eq!(outcomes(Vec::new()), (open, open));
    // One of the queries never came.
    let mut events = sound();
    events.retain(|e| *e != figure("b"));
    assert_eq!(outcomes(events), (open, Outcome::Pass));
}

#[test]
fn gaps_warn() {
    let mut events = sound();
    events.insert(2, unread(ResourceSource::Docker, "no answer within 5 s"));
    assert_eq!(outcomes(events), (Outcome::Warn, Outcome::Pass));
}

#[test]
fn without_a_look_at_both_ends_nothing_is_said_of_restarts() {
    for without in [Moment::Before, Moment::After] {
        let mut events = sound();
        events.retain(|e| *e != container(without, "t"));
        assert_eq!(outcomes(events).1, Outcome::Inconclusive, "{without}");
    }
}

#[test]
fn a_restart_fails_even_if_the_end_was_not_seen() {
    let mut events = sound();
    events.insert(3, container(Moment::During, "later"));
    events.pop();
    let run = run(events, false);
    assert_eq!(run.checks[1].outcome, Outcome::Fail);
    insta::assert_snapshot!(run.checks[1].seen, @"web 6 s into the run: started anew at later");
    assert_eq!(
        run.checks[0].outcome,
        Outcome::Inconclusive,
        "it was cut short"
    );
    assert!(run.decision.conservation.holds());
}
