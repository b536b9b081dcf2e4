//! Figures of resource use as they are written and drawn.

use super::*;
use crate::decision::LoadAccount;
use crate::event::{
    Event, Figures, Level, LoadPlanned, MetricSample, Model, Phase, PhaseIndex, Redactor,
    ResourceSample, ResourceSource, ResourcesUnavailable, Shape, StepKey, StepWindow, Tally,
    Window,
};

fn text(text: &str) -> crate::event::Redacted {
    Redactor::default().text(text)
}

fn load(events: &[(u64, Event)]) -> LoadAccount {
    let step = StepKey {
        scenario: "s".into(),
        step: "a".into(),
    };
    let mut load = LoadAccount::new(LoadPlanned {
        profile: "load".into(),
        model: Model::Closed,
        users: 1,
        shape: Shape::Phases { phases: Vec::new() },
        steps: vec![step.clone()],
    });
    let phase = Phase {
        name: "hold".into(),
        lasts: Duration::from_secs(10),
        from: Level::users(1),
        to: Level::users(1),
        figures: Figures::Judged,
    };
    load.absorb(0, &Event::PhaseStarted { phase });
    for second in 0..10 {
        let window = Window {
            phase: PhaseIndex(0),
            from_us: second * 1_000_000,
            to_us: (second + 1) * 1_000_000,
            users: 1,
            arrived: 0,
            dropped: 0,
            delay: crate::event::Latency::new(),
            steps: vec![StepWindow {
                step: step.clone(),
                tally: Tally::default(),
            }],
        };
        load.absorb(second, &Event::Window(window));
    }
    for (at, event) in events {
        load.absorb(at * 1_000_000, event);
    }
    load
}

fn used(service: &str, cpu: Option<u32>, mb: u64) -> Event {
    Event::Resource(ResourceSample {
        service: text(service),
        cpu_permille: cpu,
        cpu_limit_permille: Some(500),
        memory_bytes: Some(mb << 20),
        memory_limit_bytes: Some(128 << 20),
    })
}

fn unread(source: ResourceSource) -> Event {
    Event::ResourcesUnavailable(ResourcesUnavailable {
        source,
        why: text("nothing listens there"),
    })
}

fn view(events: &[(u64, Event)]) -> Option<ResourcesView> {
    let load = load(events);
    let axis = TimeAxis::of(&load);
    assert!(axis.is_some());
    ResourcesView::of(&load.resources, axis.as_ref())
}

#[test]
fn what_nobody_asked_for_takes_no_room() {
    assert!(view(&[]).is_none());
}

#[test]
fn services_stand_with_peaks_limits_and_headroom_the_busiest_first() {
    let view = view(&[
        (1, used("quiet", Some(20), 32)),
        (1, used("<busy>", None, 64)),
        (2, used("<busy>", Some(450), 96)),
        (3, used("<busy>", Some(150), 48)),
    ])
    .unwrap();
    let names: Vec<_> = view.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["<busy>", "quiet"]);
    assert_eq!(
        view.services[0].cells,
        [
            "30 %", "45 %", "50 %", "10 %", "96 MB", "128 MB", "25 %", "48 MB"
        ]
    );
    let chart = view.services[0].chart.as_ref().unwrap();
    assert!(
        chart.contains("&lt;busy>") && !chart.contains("<busy>"),
        "{chart}"
    );
    assert!(chart.contains(r#"class="cpu" d="M"#), "{chart}");
    assert!(!view.nothing);
}

#[test]
fn a_gap_is_drawn_as_one() {
    let gap = unread(ResourceSource::Docker);
    let with = |between: Option<Event>| {
        let mut events = vec![
            (2, used("web", Some(100), 10)),
            (3, used("web", Some(100), 10)),
        ];
        events.extend(between.map(|event| (4, event)));
        events.extend([
            (5, used("web", Some(100), 10)),
            (6, used("web", Some(100), 10)),
        ]);
        let view = view(&events).unwrap();
        let chart = view.services[0].chart.clone().unwrap();
        let path = chart.split(r#"class="cpu" d=""#).nth(1).unwrap();
        path.split('"').next().unwrap().matches('M').count()
    };
    assert_eq!((with(None), with(Some(gap))), (1, 2));
}

#[test]
fn what_could_not_be_read_is_said_in_place_of_it() {
    let view = view(&[(4, unread(ResourceSource::Docker))]).unwrap();
    assert!(view.nothing);
    let expected = ("4 s", "Docker", "nothing listens there");
    let expected = (
        expected.0.to_owned(),
        expected.1.to_owned(),
        expected.2.to_owned(),
    );
    assert_eq!(view.missing, [expected]);
}

#[test]
fn queries_are_shown_in_their_own_figures() {
    let said = |value| {
        Event::Metric(MetricSample {
            name: "pool & queue".into(),
            value,
        })
    };
    let view = view(&[(1, said(-2.5)), (2, said(12345.0)), (3, said(0.25))]).unwrap();
    let metric = &view.metrics[0];
    assert_eq!(
        (&*metric.least, &*metric.most, &*metric.last),
        ("-2.500", "12345", "0.250")
    );
    assert!(metric.chart.as_ref().unwrap().contains("pool &amp; queue"));
}

#[test]
fn numbers_are_short() {
    let shown: Vec<_> = [0.0, 7.0, 0.125, 1234.5, 2_500_000.25, 0.00012]
        .map(number)
        .into();
    assert_eq!(shown, ["0", "7", "0.125", "1234", "2.500e6", "1.200e-4"]);
    let shown: Vec<_> = [0, 1023, 1536, 84_000_000, 5 << 30].map(show_bytes).into();
    assert_eq!(shown, ["0 B", "1023 B", "1.5 kB", "80 MB", "5.00 GB"]);
}
