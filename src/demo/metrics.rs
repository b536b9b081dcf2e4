//! Counts every request and shows the counts in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::agents;
use super::fault::Fault;
use super::state::Shared;

const BUCKETS: [f64; 8] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];

#[derive(Debug, Default)]
struct Series {
    count: u64,
    sum: f64,
    // Requests at or below each bound of BUCKETS, each counted once, at its own bound.
    buckets: [u64; BUCKETS.len()],
}

/// Requests by method, path and status.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    series: Mutex<BTreeMap<(String, String, u16), Series>>,
}

/// Counts one request; streams count when their headers are sent.
pub(super) async fn count(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = request.method().to_string();
    // The route, not the address: tokens and ids would make a series each.
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |p| p.as_str().to_owned());
    let response = next.run(request).await;
    let seconds = began.elapsed().as_secs_f64();
    let mut all = shared
        .metrics
        .series
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let series = all
        .entry((method, path, response.status().as_u16()))
        .or_default();
    series.count += 1;
    series.sum += seconds;
    if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
        series.buckets[bucket] += 1;
    }
    drop(all);
    response
}

pub(super) async fn expose(State(shared): State<Arc<Shared>>) -> Response {
    let all = shared
        .metrics
        .series
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if shared.has(Fault::MetricsJson) {
        let total: u64 = all.values().map(|s| s.count).sum();
        return Json(json!({"http_requests_total": total})).into_response();
    }
    let mut text = String::from(
        "# HELP http_requests_total Requests by method, path and status.\n# TYPE http_requests_total counter\n",
    );
    // Writing to a String can't fail.
    for ((method, path, status), series) in all.iter() {
        let _ = writeln!(
            text,
            "http_requests_total{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}} {}",
            series.count
        );
    }
    text.push_str("# HELP http_request_duration_seconds Time to the headers of the answer.\n# TYPE http_request_duration_seconds histogram\n");
    for ((method, path, status), series) in all.iter() {
        let labels = format!("method=\"{method}\",path=\"{path}\",status=\"{status}\"");
        let mut below = 0;
        for (bound, count) in BUCKETS.iter().zip(series.buckets) {
            below += count;
            let _ = writeln!(
                text,
                "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {below}"
            );
        }
        let _ = writeln!(
            text,
            "http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {}",
            series.count
        );
        let _ = writeln!(
            text,
            "http_request_duration_seconds_sum{{{labels}}} {}",
            series.sum
        );
        let _ = writeln!(
            text,
            "http_request_duration_seconds_count{{{labels}}} {}",
            series.count
        );
    }
    drop(all);
    let healthy = agents::aggregate(&shared)["summary"]["healthy_agents"]
        .as_u64()
        .unwrap_or(0);
    let _ = writeln!(
        text,
        "# HELP agents_healthy Workers that answer.\n# TYPE agents_healthy gauge\nagents_healthy {healthy}"
    );
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
