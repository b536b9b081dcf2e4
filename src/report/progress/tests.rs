use std::collections::BTreeMap;
use std::time::Duration;

use super::live::Live;
use super::{Lines, redraw};
use crate::event::{
    ErrorKind, Event, Figures, GeneratorSample, Latency, Level, LoadPlanned, Model, Phase,
    PhaseIndex, Record, Shape, Spacing, Stage, StepKey, StepWindow, Tally, Window,
};

fn planned() -> Event {
    Event::LoadPlanned(LoadPlanned {
        profile: "load".into(),
        model: Model::Open {
            spacing: Spacing::Even,
        },
        users: 50,
        shape: Shape::Phases { phases: Vec::new() },
        steps: Vec::new(),
    })
}

fn phase() -> Event {
    Event::PhaseStarted {
        phase: Phase {
            name: "hold".into(),
            lasts: Duration::from_secs(4),
            from: Level::users(50),
            to: Level::users(50),
            figures: Figures::Judged,
        },
    }
}

/// Second `n` of a load: so many answers of so many milliseconds, and failures.
fn second(n: u64, ok: u64, ms: u64, failed: u64) -> Event {
    let mut tally = Tally::default();
    let mut delay = Latency::new();
    for k in 0..ok {
        tally.ok.record(Duration::from_millis(ms + k % 3));
        delay.record(Duration::from_micros(80));
    }
    if failed > 0 {
        tally.errors = BTreeMap::from([(ErrorKind::Reset, failed)]);
    }
    Event::Window(Window {
        phase: PhaseIndex(0),
        from_us: n * 1_000_000,
        to_us: (n + 1) * 1_000_000,
        users: 50,
        arrived: ok + failed,
        dropped: failed / 2,
        delay,
        steps: vec![StepWindow {
            step: StepKey {
                scenario: "s".into(),
                step: "a".into(),
            },
            tally,
        }],
    })
}

fn generator() -> Event {
    let mut lag = Latency::new();
    lag.record(Duration::from_micros(140));
    Event::Generator(GeneratorSample {
        phase: PhaseIndex(0),
        over_us: 1_000_000,
        cpu_permille: 430,
        starved_permille: 20,
        lag,
        users: 50,
    })
}

fn at(at_us: u64, event: Event) -> Record {
    Record { at_us, event }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_view_of_a_load() {
    let mut live = Live::default();
    assert_eq!(live.frame(40), "", "no load runs yet");
    for event in [
        planned(),
        phase(),
        second(0, 300, 10, 0),
        second(1, 280, 40, 20),
        generator(),
    ] {
        assert_eq!(live.absorb(&at(0, event)), None);
    }
    insta::assert_snapshot!("view", plain(&live.frame(40)));
    // A low terminal has room for what counts, and every line of it.
    let low = live.frame(12);
    insta::assert_snapshot!("view_low", plain(&low));
    assert!(low.lines().count() < 12);
    let stays = live.absorb(&at(2_000_000, Event::StageEnded { stage: Stage::Load }));
    insta::assert_snapshot!(stays.unwrap().trim(), @"hold          300/s  p50    12 ms  p95    42 ms  p99    42 ms  errors 3.33 %");
    assert_eq!(live.frame(40), "", "it is over");
}

#[test]
fn a_view_is_taken_off_before_the_next() {
    let mut drawn = 0;
    let first = redraw(&mut drawn, [None, Some("news".into())], "a\nb\n".into());
    assert_eq!(first, "news\n\x1b[?7la\nb\n\x1b[?7h");
    assert_eq!(drawn, 2);
    let second = redraw(&mut drawn, [None, None], String::new());
    assert!(second.starts_with("\x1b[2A\r\x1b[J"), "{second:?}");
    assert_eq!(drawn, 0);
}

#[test]
fn a_line_every_so_often() {
    let mut lines = Lines::new(Duration::from_secs(2));
    assert_eq!(lines.line(&at(0, phase())), None);
    assert_eq!(lines.line(&at(1_000_000, second(0, 300, 10, 0))), None);
    let line = lines.line(&at(2_000_000, second(1, 280, 40, 20))).unwrap();
    insta::assert_snapshot!(line.trim(), @"2.0s   hold        50 users     300/s  p50    12 ms  p95    42 ms  p99    42 ms  errors 3.33 %");
    assert_eq!(lines.line(&at(3_000_000, second(2, 300, 10, 0))), None);
}
