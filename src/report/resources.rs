//! What the services used of their machines while load ran: a table, charts beside the latency, and what is missing.

use std::time::Duration;

use serde::Serialize;

use super::chart::{Plot, TimeAxis, plots};
use crate::decision::{MetricSeries, ResourceAccount, ServiceResources};
use crate::units::{show_duration, show_percent};

/// The section as the template sees it: texts only.
#[derive(Serialize)]
pub(super) struct ResourcesView {
    heads: [&'static str; CELLS],
    services: Vec<ServiceView>,
    metrics: Vec<MetricView>,
    incidents: Vec<(String, String, String)>,
    /// When, from where, why: figures that could not be read.
    missing: Vec<(String, String, String)>,
    /// Whether there is nothing else to show.
    nothing: bool,
}

#[derive(Serialize)]
struct ServiceView {
    name: String,
    cells: [String; CELLS],
    chart: Option<String>,
}

#[derive(Serialize)]
struct MetricView {
    name: String,
    least: String,
    most: String,
    last: String,
    chart: Option<String>,
}

const CELLS: usize = 8;

/// Heads of the columns, for each of a row's cells.
pub(super) const HEADS: [&str; CELLS] = [
    "mean CPU",
    "peak CPU",
    "CPU limit",
    "CPU headroom",
    "peak memory",
    "memory limit",
    "memory headroom",
    "last memory",
];

impl ResourcesView {
    /// Nothing where the environment did not ask for it.
    pub(super) fn of(account: &ResourceAccount, axis: Option<&TimeAxis>) -> Option<Self> {
        if account.is_empty() {
            return None;
        }
        let at = |us: u64| show_duration(Duration::from_micros(us));
        let missing = account.unavailable.iter();
        Some(Self {
            heads: HEADS,
            services: busiest_first(account)
                .into_iter()
                .map(|service| ServiceView {
                    name: service.service.to_string(),
                    cells: row(service),
                    chart: axis.map(|axis| service_chart(axis, service)),
                })
                .collect(),
            metrics: account
                .metrics
                .iter()
                .map(|metric| MetricView::of(metric, axis))
                .collect(),
            incidents: account
                .incidents()
                .into_iter()
                .map(|i| (at(i.at_us), i.service.to_string(), i.what))
                .collect(),
            missing: missing
                .map(|(us, m)| (at(*us), m.source.to_string(), m.why.to_string()))
                .collect(),
            nothing: account.services.is_empty() && account.metrics.is_empty(),
        })
    }
}

impl MetricView {
    fn of(metric: &MetricSeries, axis: Option<&TimeAxis>) -> Self {
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        Self {
            name: metric.name.clone(),
            least: shown(metric.values().reduce(f64::min)),
            most: shown(metric.values().reduce(f64::max)),
            last: shown(metric.values().last()),
            chart: axis.map(|axis| {
                let plot = Plot {
                    title: &metric.name,
                    class: "p95",
                    series: metric.series.clone(),
                    limit: None,
                    show: &number,
                };
                plots(&format!("{} over time", metric.name), axis, &[plot])
            }),
        }
    }
}

/// The services, the one with the highest peak of CPU first.
pub(super) fn busiest_first(account: &ResourceAccount) -> Vec<&ServiceResources> {
    let mut services: Vec<_> = account.services.iter().collect();
    services.sort_by_key(|s| std::cmp::Reverse((s.peak_cpu_permille(), s.peak_memory_bytes())));
    services
}

/// The figures of one service, under [`HEADS`].
pub(super) fn row(service: &ServiceResources) -> [String; CELLS] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let no_limit = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let left = |share: f64| show_percent((1.0 - share).max(0.0));
    let last = service.series.iter().rev().find_map(|p| p.memory_bytes);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let mean_cpu = service.mean_cpu_permille().map(|p| cores(p as f64));
    [
        or_dash(mean_cpu),
        or_dash(service.peak_cpu_permille().map(|p| cores(f64::from(p)))),
        no_limit(service.cpu_limit_permille.map(|p| cores(f64::from(p)))),
        or_dash(service.peak_of_cpu_limit().map(left)),
        or_dash(service.peak_memory_bytes().map(show_bytes)),
        no_limit(service.memory_limit_bytes.map(show_bytes)),
        or_dash(service.peak_of_memory_limit().map(left)),
        or_dash(last.map(show_bytes)),
    ]
}

fn service_chart(axis: &TimeAxis, service: &ServiceResources) -> String {
    #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
    let float = |bytes: u64| bytes as f64;
    let series = |value: &dyn Fn(&crate::decision::ResourcePoint) -> Option<f64>| {
        let points = service.series.iter();
        points.map(|p| (p.at_us, value(p))).collect()
    };
    let cpu = Plot {
        title: "CPU, share of one core",
        class: "cpu",
        series: series(&|p| p.cpu_permille.map(f64::from)),
        limit: service.cpu_limit_permille.map(f64::from),
        show: &cores,
    };
    let memory = Plot {
        title: "memory",
        class: "memory",
        series: series(&|p| p.memory_bytes.map(float)),
        limit: service.memory_limit_bytes.map(float),
        show: &bytes,
    };
    let about = format!("CPU and memory of {} over time", service.service);
    plots(&about, axis, &[cpu, memory])
}

/// Thousandths of a core as a share of one: `37 %`, `150 %`.
fn cores(permille: f64) -> String {
    show_percent(permille / 1000.0)
}

fn bytes(bytes: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that were counted"
    )]
    show_bytes(bytes.max(0.0) as u64)
}

/// `12.3 MB`, as people say it of memory: in powers of 1024.
pub(super) fn show_bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 1024.0 {
            return match unit {
                "B" => format!("{bytes} B"),
                _ if value < 10.0 => format!("{value:.1} {unit}"),
                _ => format!("{value:.0} {unit}"),
            };
        }
        value /= 1024.0;
    }
    format!("{value:.2} GB")
}

/// A figure of unknown unit, with four digits at most where it is not whole.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == value.trunc() && size < 1e15 {
        format!("{value:.0}")
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.3e}")
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests;
