//! What happens after the last request: a run's journal is read, judged, and rendered into every report.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot begin says so and ends"
)]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use gates::report::write_all;
use gates::run::{RunFolder, read_journal};

/// A real run of the embedded stack, committed as the example of a report.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/example");

fn judging(c: &mut Criterion) {
    let folder = RunFolder::existing(Path::new(EXAMPLE));
    let evaluation = read_journal(&folder).expect("the example's journal");
    assert!(!evaluation.checks.is_empty());
    let mut group = c.benchmark_group("example run");
    group.bench_function("read and judge", |b| {
        b.iter(|| read_journal(&folder).expect("the example's journal"));
    });
    let out = tempfile::tempdir().expect("a folder");
    group.bench_function("render every report", |b| {
        b.iter(|| assert!(write_all(out.path(), &evaluation).is_empty()));
    });
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
