//! What a virtual user does beside waiting: fill a template, judge an answer, count it.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot begin says so and ends"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gates::event::{Latency, Tally, Timings};
use gates::plan::expectation::{Expectation, Reply};
use gates::plan::{Located, SourceFile, Template};

fn located(text: &str) -> (SourceFile, Located<String>) {
    let source = SourceFile::new("bench.yaml", text);
    let span = 0..text.len();
    let value = text.to_owned();
    (source, Located { value, span })
}

fn expectation(text: &str) -> Expectation {
    let (source, text) = located(text);
    Expectation::parse(&source, &text).expect("a valid expectation")
}

fn expectations(c: &mut Criterion) {
    let modules: Vec<_> = (0..20)
        .map(|n| serde_json::json!({"id": n, "title": format!("Module {n}"), "lessons": [{"id": 1}, {"id": 2}]}))
        .collect();
    let body = serde_json::json!({"id": 7, "language": "es", "modules": modules}).to_string();
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "content-type",
        http::HeaderValue::from_static("application/json"),
    );
    let headers = headers.into();
    let mut group = c.benchmark_group("expectation");
    for (name, text) in [
        ("status", "status == 200"),
        ("header", "header content-type startsWith application/json"),
        ("body", "body contains \"Module 19\""),
        ("jsonpath field", "jsonpath $.language == es"),
        ("jsonpath all", "jsonpath $.modules[*].title exists"),
    ] {
        let expectation = expectation(text);
        let reply = || {
            Reply::new(
                Some(200),
                Some(&headers),
                body.as_bytes(),
                Timings::default(),
            )
        };
        assert!(expectation.holds(&reply()), "{text}");
        // A new reply each time, so that what is parsed once per answer is counted.
        group.bench_function(name, |b| {
            b.iter(|| black_box(&expectation).holds(black_box(&reply())));
        });
    }
    group.finish();
}

fn template(c: &mut Criterion) {
    let (source, text) =
        located("${url}/courses/${course}/lessons/${lesson}?learner=${data.email}");
    let template = Template::parse(&source, &text).expect("a valid template");
    let mut out = String::new();
    c.bench_function("template/fill four variables", |b| {
        b.iter(|| {
            out.clear();
            let filled = black_box(&template).fill(&mut out, |_, out| {
                out.push_str("learner-01@example.test");
                true
            });
            assert!(filled.is_ok());
            out.len()
        });
    });
}

fn latency(c: &mut Criterion) {
    let mut group = c.benchmark_group("latency");
    group.throughput(Throughput::Elements(1));
    let mut histogram = Latency::new();
    let mut us = 1;
    group.bench_function("record", |b| {
        b.iter(|| {
            us = us * 7 % 1_000_003;
            histogram.record(Duration::from_micros(black_box(us)));
        });
    });
    group.finish();
}

/// What one second of load leaves of one step: 5000 answers between 1 and 30 ms.
fn second() -> Tally {
    let mut tally = Tally::default();
    for n in 0..5000_u64 {
        let time = Duration::from_micros(1000 + n * 7919 % 29_000);
        tally.ok.record(time);
        tally.service.record(time);
    }
    tally.statuses.insert(200, 5000);
    tally.bytes = 5000 * 1500;
    tally
}

fn tally(c: &mut Criterion) {
    let second = second();
    let mut group = c.benchmark_group("a second of a step");
    let mut sum = second.clone();
    group.bench_function("merge", |b| {
        b.iter(|| black_box(&mut sum).merge(black_box(&second)));
    });
    group.bench_function("serialise", |b| {
        b.iter(|| serde_json::to_vec(black_box(&second)).map(|line| line.len()));
    });
    let line = serde_json::to_string(&second).expect("it can be written");
    group.bench_function("read back", |b| {
        b.iter(|| serde_json::from_str::<Tally>(black_box(&line)).map(|t| t.count()));
    });
    group.finish();
}

criterion_group!(benches, expectations, template, latency, tally);
criterion_main!(benches);
