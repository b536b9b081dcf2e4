//! Events of resource use, added up.

use super::*;
use crate::event::Redactor;

fn text(text: &str) -> Redacted {
    Redactor::default().text(text)
}

fn sample(service: &str, cpu: Option<u32>, memory: u64) -> Event {
    Event::Resource(ResourceSample {
        service: text(service),
        cpu_permille: cpu,
        cpu_limit_permille: None,
        memory_bytes: Some(memory),
        memory_limit_bytes: Some(1000),
    })
}

fn unread(source: ResourceSource) -> Event {
    Event::ResourcesUnavailable(ResourcesUnavailable {
        source,
        why: text("no answer"),
    })
}

fn state() -> ContainerState {
    ContainerState {
        id: text("aaaa"),
        status: text("running"),
        started_at: text("02:44"),
        ..ContainerState::default()
    }
}

fn seen(moment: Moment, service: &str, state: ContainerState) -> Event {
    Event::Container(ContainerSeen {
        moment,
        service: text(service),
        state,
    })
}

fn account(events: &[Event]) -> ResourceAccount {
    let mut account = ResourceAccount::default();
    for (at, event) in (0..).zip(events) {
        account.absorb(at, event);
    }
    account
}

/// What is said of a container that was running and then was found like this.
fn incidents(then: &[ContainerState]) -> Vec<String> {
    let mut events = vec![seen(Moment::Before, "web", state())];
    events.extend(then.iter().map(|s| seen(Moment::During, "web", s.clone())));
    let incidents = account(&events).incidents();
    incidents.into_iter().map(|i| i.what).collect()
}

#[test]
fn a_series_has_a_point_per_sample_and_a_gap_where_nothing_was_read() {
    let account = account(&[
        sample("web", None, 100),
        sample("cache", Some(1), 7),
        sample("web", Some(250), 300),
        unread(ResourceSource::Docker),
        sample("web", Some(150), 200),
        seen(Moment::During, "web", ContainerState::default()),
    ]);
    let [web, cache] = account.services.as_slice() else {
        panic!("{account:?}")
    };
    let points: Vec<_> = web
        .series
        .iter()
        .map(|p| (p.at_us, p.cpu_permille, p.memory_bytes))
        .collect();
    assert_eq!(
        points,
        [
            (0, None, Some(100)),
            (2, Some(250), Some(300)),
            (3, None, None),
            (4, Some(150), Some(200)),
            (5, None, None),
        ]
    );
    assert_eq!(cache.series.len(), 2, "not of the container of another");
    assert_eq!(web.mean_cpu_permille(), Some(200));
    assert_eq!(web.peak_cpu_permille(), Some(250));
    assert_eq!(web.peak_memory_bytes(), Some(300));
    assert_eq!(web.peak_of_memory_limit(), Some(0.3));
    assert_eq!(web.peak_of_cpu_limit(), None, "without a limit");
}

#[test]
fn queries_have_gaps_of_their_own() {
    let value = |name: &str, value: f64| {
        Event::Metric(MetricSample {
            name: name.to_owned(),
            value,
        })
    };
    let failed = ResourceSource::Query { name: "a".into() };
    let account = account(&[
        value("a", 1.5),
        value("b", 2.0),
        unread(failed),
        value("a", 3.0),
    ]);
    assert_eq!(
        account.metrics[0].series,
        [(0, Some(1.5)), (2, None), (3, Some(3.0))]
    );
    assert_eq!(account.metrics[1].series, [(1, Some(2.0))]);
}

#[test]
fn each_thing_that_befalls_a_container_is_seen() {
    let restarted = ContainerState {
        restarts: 1,
        started_at: text("02:50"),
        ..state()
    };
    let killed = ContainerState {
        status: text("exited"),
        exit_code: Some(137),
        ..state()
    };
    let started = ContainerState {
        started_at: text("02:51"),
        ..state()
    };
    let oom = ContainerState {
        oom_killed: true,
        ..killed.clone()
    };
    let removed = ContainerState {
        status: text("removed"),
        ..state()
    };
    let replaced = ContainerState {
        id: text("bbbb"),
        ..state()
    };
    assert!(incidents(&[state(), state()]).is_empty());
    assert_eq!(
        incidents(&[restarted.clone(), restarted]),
        ["it ended, and Docker started it anew at 02:50"]
    );
    assert_eq!(
        incidents(&[killed, started]),
        ["exited with exit code 137", "started anew at 02:51"]
    );
    assert_eq!(
        incidents(&[oom]),
        ["killed for want of memory, and it ended"]
    );
    assert_eq!(
        incidents(&[removed, replaced]),
        [
            "its container was removed",
            "its container was replaced by bbbb"
        ]
    );
}

#[test]
fn what_was_so_before_the_load_is_no_incident_of_it() {
    let migrated = ContainerState {
        status: text("exited"),
        exit_code: Some(0),
        oom_killed: true,
        restarts: 3,
        ..state()
    };
    let account = account(&[
        seen(Moment::Before, "migrate", migrated.clone()),
        seen(Moment::After, "migrate", migrated),
        // Scaled up.
        seen(Moment::During, "web-2", state()),
    ]);
    assert_eq!(account.incidents(), []);
    assert_eq!(account.began_with(), 1);
}

#[test]
fn two_that_look_at_the_same_containers_tell_of_each_thing_once() {
    let anew = ContainerState {
        started_at: text("02:51"),
        ..state()
    };
    let one = || {
        account(&[
            seen(Moment::Before, "web", state()),
            sample("web", Some(10), 5),
            seen(Moment::During, "web", anew.clone()),
        ])
    };
    let mut both = one();
    both.merge(one());
    assert_eq!(both.incidents().len(), 1);
    assert_eq!(both.services.len(), 1);
    assert_eq!(both.services[0].series.len(), 2);
}
