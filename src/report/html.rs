//! `report.html`: one file that needs nothing else, the decision first, made for a person who has to decide.

use std::time::Duration;

use serde::Serialize;
use tera::{Context, Tera};

use super::resources::ResourcesView;
use super::{Reporter, chart, words};
use crate::decision::{Check, Evaluation, LatencyFigures, LoadAccount, Outcome, StepAccount};
use crate::event::{Gate, PhaseIndex, Subject, Tally};
use crate::units::{show_duration, show_percent};

const TEMPLATE: &str = include_str!("report.html.tera");
const STYLE: &str = include_str!("report.css");

pub(super) struct Html;

impl Reporter for Html {
    fn file(&self) -> &'static str {
        "report.html"
    }

    fn render(
        &self,
        evaluation: &Evaluation,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut tera = Tera::default();
        tera.autoescape_on([".html"]);
        tera.add_raw_template("report.html", TEMPLATE)?;
        let mut context = Context::from_serialize(&Page::of(evaluation))?;
        context.insert("style", STYLE);
        Ok(tera.render("report.html", &context)?.into_bytes())
    }
}

/// The page as the template sees it: texts only, nothing left to work out.
#[derive(Serialize)]
struct Page {
    verdict: &'static str,
    headline: String,
    change: Option<String>,
    reasons: Vec<String>,
    more_reasons: usize,
    facts: Vec<(&'static str, String)>,
    conservation: Vec<Count>,
    declared: usize,
    attention: Vec<CheckView>,
    unchecked: Vec<Unchecked>,
    unchecked_count: usize,
    stages: Vec<StageView>,
    load: Option<LoadView>,
}

#[derive(Serialize)]
struct Count {
    outcome: &'static str,
    sign: &'static str,
    n: usize,
}

#[derive(Serialize)]
struct CheckView {
    id: String,
    title: String,
    group: String,
    outcome: &'static str,
    sign: &'static str,
    advisory: bool,
    expected: String,
    request: Option<String>,
    seen: String,
    source: Option<String>,
    remedy: String,
    details: Vec<DetailView>,
    margin: Option<String>,
}

#[derive(Serialize)]
struct DetailView {
    expected: String,
    seen: String,
    source: Option<String>,
}

/// Checks that share a reason for not having been answered.
#[derive(Serialize)]
struct Unchecked {
    reason: String,
    outcome: &'static str,
    sign: &'static str,
    ids: Vec<String>,
}

#[derive(Serialize)]
struct StageView {
    name: &'static str,
    state: String,
    tally: String,
    checks: Vec<CheckView>,
}

#[derive(Serialize)]
struct LoadView {
    facts: Vec<(&'static str, String)>,
    phases: Vec<PhaseView>,
    steps: Vec<StepView>,
    probes: Option<String>,
    resources: Option<ResourcesView>,
    failures: Vec<FailureView>,
}

/// One phase, all steps together.
#[derive(Serialize)]
struct PhaseView {
    name: String,
    level: String,
    lasted: String,
    judged: &'static str,
    n: u64,
    rate: String,
    p50: String,
    p95: String,
    p99: String,
    errors: String,
}

#[derive(Serialize)]
struct StepView {
    scenario: String,
    step: String,
    n: u64,
    rate: String,
    p50: String,
    p95: String,
    p95_upper: Option<String>,
    p99: String,
    max: String,
    service_p95: String,
    first_token: Option<String>,
    gap: Option<String>,
    tokens: Option<String>,
    errors: String,
    error_kinds: String,
    outcome: &'static str,
    sign: &'static str,
    target: String,
    chart: Option<String>,
}

#[derive(Serialize)]
struct FailureView {
    at: String,
    step: String,
    kind: String,
    seen: String,
    source: Option<String>,
}

impl Page {
    fn of(evaluation: &Evaluation) -> Self {
        const MAX_REASONS: usize = 8;
        let decision = &evaluation.decision;
        let run = &evaluation.run;
        let mut facts = vec![
            ("environment", run.environment.clone()),
            ("address", run.url.to_string()),
            (
                "began",
                run.started_at
                    .split('.')
                    .next()
                    .unwrap_or_default()
                    .replace('T', " ")
                    .trim_end_matches('Z')
                    .to_owned()
                    + " UTC",
            ),
            (
                "took",
                show_duration(Duration::from_micros(evaluation.took_us)),
            ),
            ("run", run.run_id.clone()),
        ];
        if let Some(commit) = &run.commit {
            facts.push(("commit", commit.chars().take(12).collect()));
        }
        if !run.faults.is_empty() {
            facts.push(("faults turned on", run.faults.join(", ")));
        }
        facts.push(("gates", run.tool_version.clone()));
        let open = words::not_checked(evaluation);
        Self {
            verdict: decision.verdict.name(),
            headline: words::headline(evaluation),
            change: words::what_would_change(evaluation),
            reasons: decision.reasons.iter().take(MAX_REASONS).cloned().collect(),
            more_reasons: decision.reasons.len().saturating_sub(MAX_REASONS),
            facts,
            conservation: Outcome::ALL
                .map(|o| Count {
                    outcome: o.name(),
                    sign: words::sign(o),
                    n: decision.conservation.count(o),
                })
                .into(),
            declared: decision.conservation.declared,
            attention: words::attention(evaluation)
                .into_iter()
                .map(CheckView::of)
                .collect(),
            unchecked_count: open.len(),
            unchecked: unchecked(&open),
            stages: evaluation
                .stages
                .iter()
                .map(|report| StageView {
                    name: report.stage.name(),
                    state: words::stage_state(report),
                    tally: words::tally(words::of_stage(evaluation, report.stage)),
                    checks: words::of_stage(evaluation, report.stage)
                        .map(CheckView::of)
                        .collect(),
                })
                .collect(),
            load: evaluation
                .load
                .as_ref()
                .map(|load| LoadView::of(load, evaluation)),
        }
    }
}

fn unchecked(checks: &[&Check]) -> Vec<Unchecked> {
    let mut groups: Vec<Unchecked> = Vec::new();
    for check in checks {
        let id = check.declared.id.clone();
        match groups.iter_mut().find(|g| g.reason == check.seen.as_str()) {
            Some(group) => group.ids.push(id),
            None => groups.push(Unchecked {
                reason: check.seen.to_string(),
                outcome: check.outcome.name(),
                sign: words::sign(check.outcome),
                ids: vec![id],
            }),
        }
    }
    groups
}

impl CheckView {
    fn of(check: &Check) -> Self {
        let declared = &check.declared;
        Self {
            id: declared.id.clone(),
            title: declared.title.clone(),
            group: declared.group.clone(),
            outcome: check.outcome.name(),
            sign: words::sign(check.outcome),
            advisory: declared.gate == Gate::Advisory,
            expected: check.expected.clone(),
            request: check.request.as_ref().map(ToString::to_string),
            seen: check.seen.to_string(),
            source: declared.source.as_ref().map(ToString::to_string),
            remedy: declared.remedy.clone(),
            details: check
                .details
                .iter()
                .map(|d| DetailView {
                    expected: d.expected.clone(),
                    seen: d.seen.to_string(),
                    source: d.source.as_ref().map(ToString::to_string),
                })
                .collect(),
            margin: check
                .measured
                .as_ref()
                .and_then(|m| m.of_limit)
                .map(|share| format!("{} of the limit", show_percent(share))),
        }
    }
}

impl LoadView {
    fn of(load: &LoadAccount, evaluation: &Evaluation) -> Self {
        let axis = chart::TimeAxis::of(load);
        let held = load.held_for();
        let total = load.total();
        let (requests, failed) = (total.count(), total.failures());
        let mut facts = vec![
            ("offered", words::offered(&load.planned)),
            ("profile", load.planned.profile.clone()),
            (
                "judged",
                held.map_or_else(|| "nothing".to_owned(), show_duration),
            ),
            ("requests", requests.to_string()),
            ("rate", rate(requests, held)),
            ("failed", share(failed, requests)),
            ("answers by status", words::statuses(&total)),
        ];
        if load.arrived() > 0 {
            facts.push(("journeys arrived", load.arrived().to_string()));
            facts.push(("not begun", share(load.dropped(), load.arrived())));
        }
        if let Some(delay) = load.delay_figures() {
            facts.push((
                "sent late by, p99",
                show_duration(Duration::from_micros(delay.p99_us)),
            ));
        }
        if let Some(own) = load.generator_figures() {
            facts.push(("generator, share of a core", show_percent(own.cpu)));
            if let Some(lag) = own.lag {
                let lag = show_duration(Duration::from_micros(lag.p99_us));
                facts.push(("answers noticed late by, p99", lag));
            }
        }
        Self {
            facts,
            steps: load
                .steps
                .iter()
                .map(|account| StepView::of(account, evaluation, axis.as_ref(), held))
                .collect(),
            phases: phases(load),
            probes: axis
                .as_ref()
                .filter(|_| !load.probes.is_empty())
                .map(|axis| chart::probes(axis, &load.probes)),
            resources: ResourcesView::of(&load.resources, axis.as_ref()),
            failures: load
                .failures
                .iter()
                .take(30)
                .map(|(at, failure)| FailureView {
                    at: show_duration(Duration::from_micros(*at)),
                    step: failure.step.to_string(),
                    kind: failure.kind.to_string(),
                    seen: failure.seen.to_string(),
                    source: failure.source.as_ref().map(ToString::to_string),
                })
                .collect(),
        }
    }
}

impl StepView {
    fn of(
        account: &StepAccount,
        evaluation: &Evaluation,
        axis: Option<&chart::TimeAxis>,
        held: Option<Duration>,
    ) -> Self {
        let about = |check: &&Check| match &check.declared.subject {
            Subject::Latency { step, .. } => *step == account.step,
            Subject::Errors {
                scope: crate::event::ErrorScope::Step(step),
                ..
            } => *step == account.step,
            _ => false,
        };
        let outcome = evaluation
            .checks
            .iter()
            .filter(about)
            .map(|c| c.outcome)
            .max();
        let limits: Vec<_> = evaluation
            .checks
            .iter()
            .filter(about)
            .map(|c| c.expected.clone())
            .collect();
        let p95_limit =
            evaluation
                .checks
                .iter()
                .filter(about)
                .find_map(|c| match &c.declared.subject {
                    Subject::Latency {
                        clock: crate::event::Clock::Response,
                        percentile,
                        limit,
                        ..
                    } if *percentile == crate::units::Percentile::P95 => Some(*limit),
                    _ => None,
                });
        let total = &account.total;
        let figures = LatencyFigures::of(&total.answered());
        let show = |us: Option<u64>| {
            us.map_or_else(
                || "–".to_owned(),
                |us| show_duration(Duration::from_micros(us)),
            )
        };
        let service = LatencyFigures::of(&total.service);
        let title = format!("latency of {} over time", account.step);
        Self {
            scenario: account.step.scenario.clone(),
            step: account.step.step.clone(),
            n: total.count(),
            rate: rate(total.count(), held),
            p50: show(figures.map(|f| f.p50_us)),
            p95: show(figures.map(|f| f.p95_us)),
            p95_upper: figures
                .and_then(|f| f.p95_upper_us)
                .map(|us| show(Some(us))),
            p99: show(figures.map(|f| f.p99_us)),
            max: show(figures.map(|f| f.max_us)),
            service_p95: show(service.map(|f| f.p95_us)),
            first_token: LatencyFigures::of(&total.first_token).map(|f| show(Some(f.p95_us))),
            gap: LatencyFigures::of(&total.gaps).map(|f| show(Some(f.p95_us))),
            tokens: total.tokens_per_second().map(|t| format!("{t:.0}/s")),
            errors: share(total.failures(), total.count()),
            error_kinds: words::kinds(total),
            outcome: outcome.map_or("none", Outcome::name),
            sign: outcome.map_or("", words::sign),
            target: limits.join(" · "),
            chart: axis
                .filter(|_| total.count() > 0)
                .map(|axis| chart::latency(&title, axis, &account.series, p95_limit)),
        }
    }
}

/// The phases, where there is more to say than that one was judged.
fn phases(load: &LoadAccount) -> Vec<PhaseView> {
    if load.judged().count() < 2 {
        return Vec::new();
    }
    let numbered = (0..).map(PhaseIndex).zip(&load.phases);
    let views = numbered.map(|(index, account)| {
        let mut tally = Tally::default();
        for step in &load.steps {
            if let Some(own) = step.phases.get(&index) {
                tally.merge(own);
            }
        }
        let phase = &account.phase;
        let figures = LatencyFigures::of(&tally.answered());
        let show = |us: fn(&LatencyFigures) -> u64| {
            figures.map_or_else(
                || "–".to_owned(),
                |f| show_duration(Duration::from_micros(us(&f))),
            )
        };
        let lasted = account.lasted();
        PhaseView {
            name: phase.name.clone(),
            level: words::level(phase, load.planned.model),
            lasted: show_duration(lasted),
            judged: if phase.is_judged() { "judged" } else { "shown" },
            n: tally.count(),
            rate: rate(tally.count(), Some(lasted)),
            p50: show(|f| f.p50_us),
            p95: show(|f| f.p95_us),
            p99: show(|f| f.p99_us),
            errors: share(tally.failures(), tally.count()),
        }
    });
    views.collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn rate(n: u64, held: Option<Duration>) -> String {
    match held {
        Some(held) if !held.is_zero() => format!("{:.1}/s", n as f64 / held.as_secs_f64()),
        _ => "–".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        show_percent(part as f64 / whole as f64)
    }
}
