//! Counts every request and shows the counts in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::agents;
use super::fault::Fault;
use super::state::Shared;

const BUCKETS: [f64; 8] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];

#[derive(Debug)]
struct Series {
    method: &'static str,
    status: u16,
    count: u64,
    sum: f64,
    // Requests at or below each bound of BUCKETS, each counted once, at its own bound.
    buckets: [u64; BUCKETS.len()],
}

/// Requests by route, method and status.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    // Few per route: searching them is cheaper than making a key to look them up by.
    routes: Mutex<BTreeMap<String, Vec<Series>>>,
}

impl Metrics {
    fn routes(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Series>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let mut routes = self.routes();
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Vec::new());
        }
        let Some(all) = routes.get_mut(route) else {
            return;
        };
        let n = all
            .iter()
            .position(|s| s.method == method && s.status == status)
            .unwrap_or_else(|| {
                all.push(Series {
                    method,
                    status,
                    count: 0,
                    sum: 0.0,
                    buckets: [0; BUCKETS.len()],
                });
                all.len() - 1
            });
        let series = &mut all[n];
        series.count += 1;
        series.sum += seconds;
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            series.buckets[bucket] += 1;
        }
    }
}

/// A method as a label. Callers can make up methods, and each would be a series for ever.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts one request; streams count when their headers are sent.
pub(super) async fn count(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = label(request.method());
    // The route, not the address: tokens and ids would make a series each.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    shared.metrics.add(
        route.as_ref().map_or("other", MatchedPath::as_str),
        method,
        response.status().as_u16(),
        began.elapsed().as_secs_f64(),
    );
    response
}

pub(super) async fn expose(State(shared): State<Arc<Shared>>) -> Response {
    if shared.has(Fault::MetricsJson) {
        let routes = shared.metrics.routes();
        let total: u64 = routes.values().flatten().map(|s| s.count).sum();
        return Json(json!({"http_requests_total": total})).into_response();
    }
    let mut text = String::from(
        "# HELP http_requests_total Requests by method, path and status.\n# TYPE http_requests_total counter\n",
    );
    let mut seconds = String::from(
        "# HELP http_request_duration_seconds Time to the headers of the answer.\n# TYPE http_request_duration_seconds histogram\n",
    );
    for (route, all) in shared.metrics.routes().iter() {
        for series in all {
            show(route, series, &mut text, &mut seconds);
        }
    }
    text.push_str(&seconds);
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "# HELP agents_healthy Workers that answer.\n# TYPE agents_healthy gauge\nagents_healthy {}",
        agents::healthy_workers(&shared)
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

fn show(route: &str, series: &Series, counts: &mut String, seconds: &mut String) {
    let Series {
        method,
        status,
        count,
        sum,
        buckets,
    } = series;
    let labels = format!("method=\"{method}\",path=\"{route}\",status=\"{status}\"");
    let _ = writeln!(counts, "http_requests_total{{{labels}}} {count}");
    let name = "http_request_duration_seconds";
    let mut below = 0;
    for (bound, here) in BUCKETS.iter().zip(buckets) {
        below += here;
        let _ = writeln!(seconds, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
    }
    let _ = writeln!(seconds, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
    let _ = writeln!(seconds, "{name}_sum{{{labels}}} {sum}");
    let _ = writeln!(seconds, "{name}_count{{{labels}}} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_made_up_methods_are_one_series() {
        let metrics = Metrics::default();
        for seconds in [0.001, 0.02, 0.02, 9.0] {
            metrics.add("/courses", "GET", 200, seconds);
        }
        let (mut counts, mut seconds) = (String::new(), String::new());
        for series in &metrics.routes()["/courses"] {
            show("/courses", series, &mut counts, &mut seconds);
        }
        let labels = "{method=\"GET\",path=\"/courses\",status=\"200\"";
        assert_eq!(counts, format!("http_requests_total{labels}}} 4\n"));
        for (bound, below) in [
            ("0.005", 1),
            ("0.01", 1),
            ("0.05", 3),
            ("5", 3),
            ("+Inf", 4),
        ] {
            let line =
                format!("http_request_duration_seconds_bucket{labels},le=\"{bound}\"}} {below}\n");
            assert!(seconds.contains(&line), "{line}{seconds}");
        }
        assert!(seconds.ends_with(&format!("_count{labels}}} 4\n")));
        let made_up = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(label(&made_up), "other");
    }
}
