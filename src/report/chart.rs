//! Charts as inline SVG, drawn when the report is rendered: readable without a script, in light and dark, on paper.

mod over_time;

use std::fmt::Write as _;
use std::time::Duration;

use crate::decision::{LoadAccount, Point, ProbePoint};
use crate::event::ProbeState;
use crate::units::show_duration;

pub(super) use over_time::{Plot, plots};

const WIDTH: f64 = 640.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 8.0;
const PLOT: f64 = 110.0;
const TOP: f64 = 10.0;

/// The time that all charts of a report share.
#[derive(Debug, Clone)]
pub(super) struct TimeAxis {
    from_us: u64,
    to_us: u64,
    /// Phases: when each began, how long it was to last, whether it is judged, its name.
    phases: Vec<(u64, u64, bool, String)>,
}

impl TimeAxis {
    /// From the first measurement to the last.
    pub(super) fn of(load: &LoadAccount) -> Option<Self> {
        let points = || {
            load.steps
                .iter()
                .flat_map(|s| s.series.iter().map(|p| p.at_us))
        };
        let times = || points().chain(load.probes.iter().map(|p| p.at_us));
        let (from_us, to_us) = (times().min()?, times().max()?);
        Some(Self {
            from_us,
            to_us: to_us.max(from_us + 1),
            phases: load
                .phases
                .iter()
                .map(|p| {
                    let lasts = u64::try_from(p.phase.lasts.as_micros()).unwrap_or(u64::MAX);
                    let to = p.from_us.saturating_add(lasts);
                    (p.from_us, to, p.phase.is_judged(), p.phase.name.clone())
                })
                .collect(),
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a run stay far below 2^53"
    )]
    fn x(&self, at_us: u64) -> f64 {
        let at = at_us.clamp(self.from_us, self.to_us);
        let share = (at - self.from_us) as f64 / (self.to_us - self.from_us) as f64;
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// Phases that are not judged, shaded; where several are judged, their names.
    fn shade(&self, svg: &mut String, height: f64) {
        self.shade_from(svg, TOP, height);
    }

    fn shade_from(&self, svg: &mut String, top: f64, height: f64) {
        let names = self.phases.iter().filter(|p| p.2).count() > 1;
        for (from, to, judged, name) in &self.phases {
            let (left, right) = (self.x(*from), self.x(*to));
            if !judged && right - left > 0.5 {
                put(
                    svg,
                    format_args!(
                        r#"<rect class="warm" x="{left:.1}" y="{top}" width="{:.1}" height="{height}"/>"#,
                        right - left
                    ),
                );
            }
            // A name needs room: about six units a letter.
            #[expect(clippy::cast_precision_loss, reason = "the length of a name")]
            let room = name.chars().count() as f64 * 6.0 < right - left;
            if names && *judged && room {
                put(
                    svg,
                    format_args!(
                        r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                        f64::midpoint(left, right),
                        top - 1.0,
                        escape(name)
                    ),
                );
            }
        }
    }

    /// Labels below: seconds since the load began.
    fn labels(&self, svg: &mut String, y: f64) {
        let length = Duration::from_micros(self.to_us - self.from_us);
        for part in 0..=4_u32 {
            let at = length.mul_f64(f64::from(part) / 4.0);
            let us = self.from_us + u64::try_from(at.as_micros()).unwrap_or(0);
            let anchor = match part {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            put(
                svg,
                format_args!(
                    r#"<text x="{:.1}" y="{y}" text-anchor="{anchor}">{:.0} s</text>"#,
                    self.x(us),
                    at.as_secs_f64()
                ),
            );
        }
    }
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = svg.write_fmt(text);
}

fn open(title: &str, height: f64) -> String {
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label=""#);
    for c in title.chars() {
        match c {
            '<' => svg.push_str("&lt;"),
            '&' => svg.push_str("&amp;"),
            '"' => svg.push_str("&quot;"),
            c => svg.push(c),
        }
    }
    svg.push_str(r#"">"#);
    svg
}

/// Median and 95th percentile over time, the limit as a line, and failures as bars from below.
#[expect(
    clippy::cast_precision_loss,
    reason = "latencies and counts stay far below 2^53"
)]
pub(super) fn latency(
    title: &str,
    axis: &TimeAxis,
    series: &[Point],
    limit: Option<Duration>,
) -> String {
    let height = TOP + PLOT + 18.0;
    let largest = series
        .iter()
        .filter_map(|p| p.p95_us)
        .max()
        .unwrap_or(1)
        .max(1) as f64;
    let limit_us = limit.map(|l| l.as_micros() as f64);
    // A limit far above the curve would flatten it: then it is told in words only.
    let shown_limit = limit_us.filter(|l| *l <= largest * 4.0);
    let top = largest.max(shown_limit.unwrap_or(0.0)) * 1.12;
    let y = |us: f64| TOP + PLOT - us / top * PLOT;
    let mut svg = open(title, height);
    axis.shade(&mut svg, PLOT);
    for share in [0.0, 0.5, 1.0] {
        let us = largest * share;
        let label = show_duration(Duration::from_micros(us.round().max(0.0) as u64));
        let at = y(us);
        put(
            &mut svg,
            format_args!(
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/>"#,
                WIDTH - RIGHT
            ),
        );
        put(
            &mut svg,
            format_args!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                LEFT - 6.0,
                at + 4.0
            ),
        );
    }
    let most_errors = series.iter().map(|p| p.errors).max().unwrap_or(0);
    for point in series.iter().filter(|p| p.errors > 0) {
        let tall = (point.errors as f64 / most_errors.max(1) as f64 * 0.4 * PLOT).max(3.0);
        put(
            &mut svg,
            format_args!(
                r#"<rect class="err" x="{:.1}" y="{:.1}" width="3" height="{tall:.1}"><title>{} failed</title></rect>"#,
                axis.x(point.at_us) - 1.5,
                TOP + PLOT - tall,
                point.errors
            ),
        );
    }
    if let Some(limit) = shown_limit {
        let at = y(limit);
        put(
            &mut svg,
            format_args!(
                r#"<line class="limit" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/>"#,
                WIDTH - RIGHT
            ),
        );
        put(
            &mut svg,
            format_args!(
                r#"<text class="limit-text" x="{:.1}" y="{:.1}" text-anchor="end">p95 limit</text>"#,
                WIDTH - RIGHT,
                at - 3.0
            ),
        );
    }
    line(&mut svg, "p50", axis, series, |p| p.p50_us, y);
    line(&mut svg, "p95", axis, series, |p| p.p95_us, y);
    axis.labels(&mut svg, height - 4.0);
    svg.push_str("</svg>");
    svg
}

/// A line through the windows that have a value; a window without one is a gap, not a zero.
#[expect(clippy::cast_precision_loss, reason = "latencies stay far below 2^53")]
fn line(
    svg: &mut String,
    class: &str,
    axis: &TimeAxis,
    series: &[Point],
    value: impl Fn(&Point) -> Option<u64>,
    y: impl Fn(f64) -> f64,
) {
    let mut path = String::new();
    let mut pen_down = false;
    for point in series {
        match value(point) {
            Some(us) => {
                let command = if pen_down { 'L' } else { 'M' };
                put(
                    &mut path,
                    format_args!("{command}{:.1} {:.1}", axis.x(point.at_us), y(us as f64)),
                );
                pen_down = true;
            }
            None => pen_down = false,
        }
    }
    put(svg, format_args!(r#"<path class="{class}" d="{path}"/>"#));
}

/// One row per probe, a mark per answer: tall where the system was not healthy.
pub(super) fn probes(axis: &TimeAxis, points: &[ProbePoint]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for point in points {
        if !names.contains(&point.probe.as_str()) {
            names.push(&point.probe);
        }
    }
    let row = 20.0;
    #[expect(clippy::cast_precision_loss, reason = "a handful of probes")]
    let plot = row * names.len() as f64;
    let left = 150.0;
    let height = TOP + plot + 18.0;
    let scale = (WIDTH - left - RIGHT) / (WIDTH - LEFT - RIGHT);
    let x = |us: u64| left + (axis.x(us) - LEFT) * scale;
    let mut svg = open("answers of the probes while load ran", height);
    let mut middle = TOP + row / 2.0;
    for name in names {
        let shown: String = name
            .rsplit('/')
            .next()
            .unwrap_or(name)
            .chars()
            .take(22)
            .collect();
        put(
            &mut svg,
            format_args!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                left - 8.0,
                middle + 4.0,
                escape(&shown)
            ),
        );
        for point in points.iter().filter(|p| p.probe == name) {
            let (class, tall) = match point.state {
                ProbeState::Healthy => ("good", 6.0),
                ProbeState::AtRisk => ("risk", 10.0),
                ProbeState::NotFunctional | ProbeState::Unreachable => ("bad", 16.0),
                ProbeState::NotAsked => ("unknown", 10.0),
            };
            put(
                &mut svg,
                format_args!(
                    r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="3" height="{tall}"/>"#,
                    x(point.at_us),
                    middle - tall / 2.0
                ),
            );
        }
        middle += row;
    }
    let length = Duration::from_micros(axis.to_us - axis.from_us).as_secs_f64();
    for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let at = left + (WIDTH - left - RIGHT) * share;
        put(
            &mut svg,
            format_args!(
                r#"<text x="{at:.1}" y="{:.1}" text-anchor="{anchor}">{:.0} s</text>"#,
                height - 4.0,
                length * share
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
