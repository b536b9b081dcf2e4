//! Small charts of any figure over time, one under the other, on the time axis of the latency charts.

use super::{LEFT, RIGHT, TOP, TimeAxis, WIDTH, escape, open, put};

const PLOT: f64 = 62.0;
const HEAD: f64 = 15.0;
const FOOT: f64 = 18.0;

/// One figure over time.
pub(in crate::report) struct Plot<'a> {
    /// What it is, said above it.
    pub(in crate::report) title: &'a str,
    /// The line's class in the style sheet.
    pub(in crate::report) class: &'static str,
    /// When and how much; nothing where there is a gap.
    pub(in crate::report) series: Vec<(u64, Option<f64>)>,
    /// A limit, drawn where it is near.
    pub(in crate::report) limit: Option<f64>,
    /// How a value is written at the axis.
    pub(in crate::report) show: &'a dyn Fn(f64) -> String,
}

/// Plots one under the other; what they are about is told to those who can't see them.
pub(in crate::report) fn plots(about: &str, axis: &TimeAxis, plots: &[Plot<'_>]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two or three plots")]
    let height = plots.len() as f64 * (HEAD + PLOT + TOP) + FOOT;
    let mut svg = open(about, height);
    let mut top = 0.0;
    for plot in plots {
        put(
            &mut svg,
            format_args!(r#"<g transform="translate(0 {top:.1})">"#),
        );
        draw(&mut svg, axis, plot);
        svg.push_str("</g>");
        top += HEAD + PLOT + TOP;
    }
    axis.labels(&mut svg, height - 4.0);
    svg.push_str("</svg>");
    svg
}

fn draw(svg: &mut String, axis: &TimeAxis, plot: &Plot<'_>) {
    let values = || plot.series.iter().filter_map(|(_, value)| *value);
    let largest = values().fold(0.0, f64::max);
    let least = values().fold(0.0, f64::min);
    // A limit far above the curve would flatten it: then it is told in words only.
    let limit = plot.limit.filter(|limit| *limit <= largest * 4.0);
    let span = (largest.max(limit.unwrap_or(0.0)) - least) * 1.08;
    let span = if span > 0.0 { span } else { 1.0 };
    let bottom = HEAD + PLOT;
    let y = |value: f64| bottom - (value - least) / span * PLOT;
    put(
        svg,
        format_args!(
            r#"<text x="{LEFT}" y="{:.1}">{}</text>"#,
            HEAD - 4.0,
            escape(plot.title)
        ),
    );
    axis.shade_from(svg, HEAD, PLOT);
    let marks = if largest > least {
        vec![least, largest]
    } else {
        vec![least]
    };
    for value in marks {
        let at = y(value);
        put(
            svg,
            format_args!(
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                (plot.show)(value)
            ),
        );
    }
    if let Some(limit) = limit {
        let at = y(limit);
        put(
            svg,
            format_args!(
                r#"<line class="limit" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text class="limit-text" x="{:.1}" y="{:.1}" text-anchor="end">limit {}</text>"#,
                WIDTH - RIGHT,
                WIDTH - RIGHT,
                HEAD - 4.0,
                (plot.show)(limit)
            ),
        );
    }
    put(
        svg,
        format_args!(
            r#"<path class="{}" d="{}"/>"#,
            plot.class,
            path(axis, &plot.series, y)
        ),
    );
}

/// A line through the points; a gap is a gap, and a point between two gaps is a dot.
fn path(axis: &TimeAxis, series: &[(u64, Option<f64>)], y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for (at_us, value) in series {
        // What was measured before the first request and after the last lies beside the axis.
        if !(axis.from_us..=axis.to_us).contains(at_us) {
            continue;
        }
        let Some(value) = value else {
            pen_down = false;
            continue;
        };
        let (x, y) = (axis.x(*at_us), y(*value));
        if pen_down {
            put(&mut path, format_args!("L{x:.1} {y:.1}"));
        } else {
            put(&mut path, format_args!("M{x:.1} {y:.1}h.1"));
        }
        pen_down = true;
    }
    path
}
