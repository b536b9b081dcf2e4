//! The load that is offered: `[load]`, what an environment changes in it, and named profiles made of phases.

use std::time::Duration;

use super::reader::Group;
use super::source::{Finding, Located, Span, nearest};
use super::targets::{LatencyTarget, Targets};
use crate::event::{Figures, Level, Model, Phase, Search, Shape, Spacing};
use crate::units::{Rate, Ratio, parse_duration, show_duration};

/// The load that is offered.
#[derive(Debug, Clone)]
pub struct LoadProfile {
    /// Its name: `load`, `spike`, or one that gates.toml makes up.
    pub name: String,
    /// Who decides when the next journey begins.
    pub model: Model,
    /// Most virtual users at the same time; in the closed model, all of them.
    pub users: u32,
    /// How much load there is over time.
    pub shape: Shape,
    /// The rate up to which targets must hold, when the highest one is searched.
    pub at_least: Rate,
    /// Time that requests under way may take once the load is over.
    pub grace: Duration,
    /// Pause between two rounds of probes while load runs.
    pub probe_every: Duration,
    /// Longest p99 of the delay between due and sent before the generator distrusts itself; nothing if the targets say.
    pub max_delay: Option<Duration>,
    /// What ends the load before its time.
    pub abort: Option<Abort>,
}

/// What ends a load before its time: figures that are so bad that going on tells nothing new.
#[derive(Debug, Clone)]
pub struct Abort {
    /// What must not be exceeded, of each step.
    pub targets: Targets,
    /// How long the load runs before anything is asked.
    pub after: Duration,
    /// The time before now that is looked at.
    pub over: Duration,
}

/// One rule that ends a load.
#[derive(Debug, Clone)]
pub struct AbortRule {
    /// In words: `errors > 20 %`.
    pub text: String,
    /// What must not be exceeded.
    pub limit: AbortLimit,
}

/// What must not be exceeded.
#[derive(Debug, Clone)]
pub enum AbortLimit {
    /// The share of failed requests, all steps together.
    Errors(Ratio),
    /// A percentile, of any step.
    Latency(LatencyTarget),
}

impl Abort {
    /// Each rule by itself.
    #[must_use]
    pub fn rules(&self) -> Vec<AbortRule> {
        let over = show_duration(self.over);
        let errors = self.targets.errors.iter().map(|target| AbortRule {
            text: format!("errors > {} over {over}", target.limit),
            limit: AbortLimit::Errors(target.limit),
        });
        let latency = self.targets.latency.iter().map(|target| AbortRule {
            text: format!(
                "{} {} > {} over {over}",
                target.clock,
                target.percentile,
                show_duration(target.limit)
            ),
            limit: AbortLimit::Latency(target.clone()),
        });
        errors.chain(latency).collect()
    }
}

/// What gates.toml or the command line says of a load; what it does not say comes from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct ProfileKeys {
    /// Users of the closed model; if given, there is no rate.
    pub users: Option<u32>,
    /// Arrivals of the open model.
    pub rate: Option<Rate>,
    /// What lies between them.
    pub spacing: Option<Spacing>,
    /// Most users of the open model.
    pub max_users: Option<u32>,
    /// How long the load rises.
    pub warm_up: Option<Duration>,
    /// How long it is held.
    pub hold: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) probe_every: Option<Duration>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) peak: Option<f64>,
    pub(crate) phases: Option<Vec<PhaseKeys>>,
    pub(crate) abort: Option<Abort>,
    pub(crate) most: Option<Rate>,
    pub(crate) settle: Option<Duration>,
    pub(crate) precision: Option<Ratio>,
    /// The rate up to which targets must hold.
    pub at_least: Option<Rate>,
}

/// One entry of `phases`.
#[derive(Debug, Clone)]
pub(crate) struct PhaseKeys {
    name: Option<String>,
    to: Option<(LevelKey, Span)>,
    ramp: Duration,
    lasts: Duration,
    figures: Figures,
}

#[derive(Debug, Clone, Copy)]
enum LevelKey {
    Users(u32),
    Rate(Rate),
}

/// The profiles that need no definition.
const BUILT_IN: [&str; 6] = ["load", "smoke", "stress", "spike", "soak", "breakpoint"];
/// How long a soak is held, unless it says so itself.
const SOAK: Duration = Duration::from_secs(3600);

impl ProfileKeys {
    /// Reads a group of keys.
    pub(super) fn read(mut group: Group<'_>) -> Self {
        let both = group
            .key("users")
            .zip(group.key("rate"))
            .map(|(_, rate)| rate.span.clone());
        if let Some(span) = both {
            group.find(span, "a load has either `users`, who begin anew when they have ended, or a `rate` at which journeys arrive");
        }
        let closed = group.key("users").is_some() && group.key("rate").is_none();
        let mut keys = Self {
            users: group.number("users", 1..=100_000),
            rate: group.unit("rate", Rate::parse),
            spacing: spacing(&mut group),
            max_users: group.number("max_users", 1..=100_000),
            warm_up: group.duration("warm_up"),
            hold: longer_than_nothing(&mut group, "hold"),
            grace: group.duration("grace"),
            probe_every: longer_than_nothing(&mut group, "probe_every"),
            max_delay: longer_than_nothing(&mut group, "max_delay"),
            peak: peak(&mut group),
            phases: phases(&mut group),
            abort: group
                .group("abort_when", "`abort_when`")
                .and_then(|g| abort(&g)),
            most: group.unit("most", Rate::parse),
            settle: group.duration("settle"),
            precision: group.unit("precision", Ratio::parse),
            at_least: group.unit("at_least", Rate::parse),
        };
        for key in ["spacing", "max_users"] {
            if let (true, Some(at)) = (closed, group.key(key)) {
                group.find(
                    at.span.clone(),
                    format!("`{key}` belongs to a load with a `rate`"),
                );
                (keys.spacing, keys.max_users) = (None, None);
            }
        }
        group.finish();
        keys
    }

    /// These keys, and where they say nothing, those of `base`.
    #[must_use]
    pub(super) fn over(self, base: &Self) -> Self {
        let (users, rate) = match (self.users, self.rate) {
            (None, None) => (base.users, base.rate),
            own => own,
        };
        // Who says `users` does not mean what was said of a rate.
        let open = rate.is_some() || users.is_none();
        Self {
            users,
            rate,
            spacing: self.spacing.or(base.spacing.filter(|_| open)),
            max_users: self.max_users.or(base.max_users.filter(|_| open)),
            warm_up: self.warm_up.or(base.warm_up),
            hold: self.hold.or(base.hold),
            grace: self.grace.or(base.grace),
            probe_every: self.probe_every.or(base.probe_every),
            max_delay: self.max_delay.or(base.max_delay),
            peak: self.peak.or(base.peak),
            phases: self.phases.or_else(|| base.phases.clone()),
            abort: self.abort.or_else(|| base.abort.clone()),
            most: self.most.or(base.most),
            settle: self.settle.or(base.settle),
            precision: self.precision.or(base.precision),
            at_least: self.at_least.or(base.at_least),
        }
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// What does not fit together, and where it stands, if it has a place.
    pub fn profile(mut self, name: &str) -> Result<LoadProfile, (Option<Span>, String)> {
        if name == "soak" && self.hold.is_none() {
            self.hold = Some(SOAK);
        }
        let model = match self.rate {
            Some(_) => Model::Open {
                spacing: self.spacing.unwrap_or_default(),
            },
            None => Model::Closed,
        };
        if model == Model::Closed && (self.spacing.is_some() || self.max_users.is_some()) {
            let key = if self.spacing.is_some() {
                "spacing"
            } else {
                "max_users"
            };
            return Err((None, format!("`{key}` belongs to a load with a `rate`")));
        }
        let level = match self.rate {
            Some(rate) => Level::rate(rate),
            None => Level::users(self.users.unwrap_or(20)),
        };
        let shape = if name == "breakpoint" {
            Shape::Search(self.search()?)
        } else {
            Shape::Phases {
                phases: self.shape(name, model, level)?,
            }
        };
        let peak = shape.peak().get();
        if peak <= 0.0 {
            return Err((None, "this load never rises above nothing".to_owned()));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "users are bounded by their keys, and what open loads get here by the clamp"
        )]
        let users = match model {
            Model::Closed => peak.round() as u32,
            // Enough for journeys of ten seconds each.
            Model::Open { .. } => self
                .max_users
                .unwrap_or((peak * 10.0).clamp(10.0, 1000.0).ceil() as u32),
        };
        Ok(LoadProfile {
            name: name.to_owned(),
            model,
            users,
            shape,
            at_least: self.at_least.or(self.rate).unwrap_or(Rate::ONE),
            grace: self.grace.unwrap_or(Duration::from_secs(15)),
            probe_every: self.probe_every.unwrap_or(Duration::from_secs(1)),
            max_delay: self.max_delay,
            abort: self.abort,
        })
    }

    fn warm_up(&self) -> Duration {
        self.warm_up.unwrap_or(Duration::from_secs(5))
    }

    fn hold(&self) -> Duration {
        self.hold.unwrap_or(Duration::from_secs(30))
    }

    fn search(&self) -> Result<Search, (Option<Span>, String)> {
        let Some(start) = self.rate else {
            let problem = "a breakpoint is searched with a `rate` to begin with, not with `users`";
            return Err((None, problem.to_owned()));
        };
        if self.phases.is_some() {
            let problem = "a breakpoint finds its `phases` by itself";
            return Err((None, problem.to_owned()));
        }
        let most = self
            .most
            .or_else(|| Rate::new(start.per_second() * 1024.0))
            .unwrap_or(Rate::MOST);
        if most < start {
            let problem = format!("the search begins at {start}, above `most`, {most}");
            return Err((None, problem));
        }
        let precision = self
            .precision
            .or_else(|| Ratio::new(0.05))
            .filter(|p| p.get() >= 0.001);
        Ok(Search {
            start,
            most,
            settle: self.settle.unwrap_or_else(|| self.warm_up()),
            measure: self.hold(),
            precision: precision.ok_or((None, "`precision` is at least 0.1%".to_owned()))?,
        })
    }

    fn shape(
        &self,
        name: &str,
        model: Model,
        level: Level,
    ) -> Result<Vec<Phase>, (Option<Span>, String)> {
        let (warm_up, hold) = (self.warm_up(), self.hold());
        let mut rising = Rising::default();
        let judged = Figures::Judged;
        if let Some(phases) = &self.phases {
            for phase in phases {
                let to = match (&phase.to, model) {
                    (None, _) => level,
                    (Some((LevelKey::Users(users), _)), Model::Closed) => Level::users(*users),
                    (Some((LevelKey::Rate(rate), _)), Model::Open { .. }) => Level::rate(*rate),
                    (Some((LevelKey::Users(_), span)), _) => {
                        let problem =
                            "this load has a `rate`: write `to = \"50/s\"`, not a number of users";
                        return Err((Some(span.clone()), problem.to_owned()));
                    }
                    (Some((LevelKey::Rate(_), span)), _) => {
                        let problem =
                            "this load has `users`: write `to = 50`, not a rate of arrivals";
                        return Err((Some(span.clone()), problem.to_owned()));
                    }
                };
                let name = phase.name.as_deref().unwrap_or("hold");
                rising.to(name, phase.ramp, to, phase.lasts, phase.figures);
            }
            if !rising.phases.iter().any(Phase::is_judged) {
                let problem = "no phase of this load is judged, so it could not fail";
                return Err((None, problem.to_owned()));
            }
            return Ok(rising.phases);
        }
        let short = Duration::from_secs(1).min(hold);
        let peak = |usual: f64| level.times(self.peak.unwrap_or(usual));
        match name {
            "smoke" => {
                let least = match model {
                    Model::Closed => Level::users(1),
                    Model::Open { .. } => Level::rate(Rate::ONE),
                };
                rising.to("hold", Duration::ZERO, level.min(least), hold, judged);
            }
            "stress" => {
                rising.to("normal", warm_up, level, hold / 2, judged);
                rising.to("stress", warm_up, peak(2.0), hold, judged);
                rising.to("recovery", warm_up, level, hold / 2, judged);
            }
            "spike" => {
                rising.to("normal", warm_up, level, hold / 2, judged);
                rising.to("spike", short, peak(5.0), hold / 4, judged);
                rising.to("recovery", short, level, hold / 2, judged);
            }
            "soak" => rising.to("soak", warm_up, level, hold, judged),
            _ => rising.to("hold", warm_up, level, hold, judged),
        }
        Ok(rising.phases)
    }
}

/// Phases as they are put behind each other.
#[derive(Default)]
struct Rising {
    phases: Vec<Phase>,
    level: Level,
}

impl Rising {
    /// Goes to a level, then stays there.
    fn to(&mut self, name: &str, ramp: Duration, to: Level, lasts: Duration, figures: Figures) {
        if !ramp.is_zero() {
            let name = if self.phases.is_empty() {
                "warm-up".to_owned()
            } else {
                format!("to {name}")
            };
            self.phases.push(Phase {
                name,
                lasts: ramp,
                from: self.level,
                to,
                figures: Figures::Shown,
            });
        }
        self.phases.push(Phase {
            name: name.to_owned(),
            lasts,
            from: to,
            to,
            figures,
        });
        self.level = to;
    }
}

impl LoadProfile {
    /// Raises the users of the smallest load, so that each of so many scenarios has one.
    pub(super) fn cover(&mut self, scenarios: usize) {
        let (Model::Closed, "smoke", Shape::Phases { phases }) =
            (self.model, self.name.as_str(), &mut self.shape)
        else {
            return;
        };
        self.users = self
            .users
            .max(u32::try_from(scenarios).unwrap_or(u32::MAX).min(100));
        for phase in phases {
            phase.to = Level::users(self.users);
            phase.from = phase.to;
        }
    }
}

impl Default for LoadProfile {
    #[expect(clippy::expect_used, reason = "nothing is said that could be wrong")]
    fn default() -> Self {
        ProfileKeys::default()
            .profile("load")
            .expect("the defaults fit together")
    }
}

/// The names of all profiles, and a finding if `name` is none of them.
pub(super) fn known(name: &Located<String>, own: &[&str]) -> Result<(), String> {
    if BUILT_IN.iter().chain(own).any(|known| *known == name.value) {
        return Ok(());
    }
    let all = || BUILT_IN.into_iter().chain(own.iter().copied());
    let help = match nearest(&name.value, all()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known profiles: {}", all().collect::<Vec<_>>().join(", ")),
    };
    Err(format!("there is no profile `{}`; {help}", name.value))
}

fn longer_than_nothing(group: &mut Group<'_>, key: &'static str) -> Option<Duration> {
    let value = group.duration(key);
    if let (Some(Duration::ZERO), Some(at)) = (value, group.key(key)) {
        group.find(at.span.clone(), format!("`{key}` is longer than nothing"));
    }
    value
}

fn spacing(group: &mut Group<'_>) -> Option<Spacing> {
    let text = group.text("spacing")?;
    match text.value.as_str() {
        "even" => Some(Spacing::Even),
        "poisson" => Some(Spacing::Poisson),
        other => {
            group.find(
                text.span,
                format!("`{other}` is neither `even` nor `poisson`"),
            );
            None
        }
    }
}

fn peak(group: &mut Group<'_>) -> Option<f64> {
    let text = group.text("peak")?;
    let factor = text.value.trim_end_matches(['x', '×', ' ']).parse::<f64>();
    match factor {
        Ok(factor) if (1.0..=1000.0).contains(&factor) => Some(factor),
        _ => {
            let problem = "`peak` is how many times the level: a number from 1 to 1000";
            group.find(text.span, problem);
            None
        }
    }
}

fn phases(group: &mut Group<'_>) -> Option<Vec<PhaseKeys>> {
    let nodes = group.items("phases");
    let key = group.key("phases")?.span.clone();
    let mut phases = Vec::new();
    for node in nodes {
        let Some(mut entry) = Group::open(group.source, group.findings, node, "a phase") else {
            continue;
        };
        let name = entry.text("name").map(|t| t.value);
        let to = entry.text("to").and_then(|text| {
            let users = text.value.parse::<u32>().ok().filter(|n| *n <= 100_000);
            let level = users
                .map(LevelKey::Users)
                .or_else(|| Rate::parse(&text.value).ok().map(LevelKey::Rate));
            if level.is_none() {
                entry.find(
                    text.span.clone(),
                    "`to` is a number of users, or a rate like 50/s",
                );
            }
            level.map(|level| (level, text.span))
        });
        let ramp = entry.duration("ramp").unwrap_or_default();
        let lasts = longer_than_nothing(&mut entry, "for");
        if entry.key("for").is_none() {
            entry.missing("for");
        }
        let figures = match entry.flag("judged") {
            Some(false) => Figures::Shown,
            _ => Figures::Judged,
        };
        entry.finish();
        phases.push(PhaseKeys {
            name,
            to,
            ramp,
            lasts: lasts.unwrap_or(Duration::from_secs(1)),
            figures,
        });
    }
    if phases.is_empty() {
        group.find(key, "a load has at least one phase");
        return None;
    }
    Some(phases)
}

fn abort(group: &Group<'_>) -> Option<Abort> {
    let targets = Targets::read(group, &["after", "over"]);
    let duration = |key: &str, default: Duration| {
        let node = group
            .all()
            .iter()
            .find(|(k, _)| k.value == key)
            .map(|(_, n)| n);
        let Some(text) = node.and_then(|node| group.as_text(node, key)) else {
            return default;
        };
        match parse_duration(&text.value) {
            Ok(duration) => duration,
            Err(error) => {
                group.add(Finding::at(group.source, text.span, error.to_string()));
                default
            }
        }
    };
    let (after, over) = (
        duration("after", Duration::from_secs(10)),
        duration("over", Duration::from_secs(10)),
    );
    if targets.errors.is_none() && targets.latency.is_empty() {
        group.find(
            group.span.clone(),
            "`abort_when` names at least one target: errors = \"20%\", p95 = \"10s\"",
        );
        return None;
    }
    Some(Abort {
        targets,
        after,
        over: over.max(Duration::from_secs(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rate: Option<f64>) -> ProfileKeys {
        ProfileKeys {
            rate: rate.and_then(Rate::new),
            users: rate.is_none().then_some(10),
            warm_up: Some(Duration::from_secs(2)),
            hold: Some(Duration::from_secs(20)),
            ..ProfileKeys::default()
        }
    }

    fn shown(profile: &LoadProfile) -> Vec<String> {
        let Shape::Phases { phases } = &profile.shape else {
            return vec!["search".to_owned()];
        };
        let show = |p: &Phase| {
            let judged = if p.is_judged() { "" } else { " shown" };
            let (from, to) = (p.from.get(), p.to.get());
            format!("{} {from}>{to} {}s{judged}", p.name, p.lasts.as_secs_f64())
        };
        phases.iter().map(show).collect()
    }

    #[test]
    fn the_built_in_profiles() {
        let of = |name| shown(&keys(None).profile(name).unwrap());
        assert_eq!(of("load"), ["warm-up 0>10 2s shown", "hold 10>10 20s"]);
        assert_eq!(of("smoke"), ["hold 1>1 20s"]);
        assert_eq!(of("soak"), ["warm-up 0>10 2s shown", "soak 10>10 20s"]);
        assert_eq!(
            of("spike"),
            [
                "warm-up 0>10 2s shown",
                "normal 10>10 10s",
                "to spike 10>50 1s shown",
                "spike 50>50 5s",
                "to recovery 50>10 1s shown",
                "recovery 10>10 10s"
            ]
        );
        assert_eq!(
            of("stress"),
            [
                "warm-up 0>10 2s shown",
                "normal 10>10 10s",
                "to stress 10>20 2s shown",
                "stress 20>20 20s",
                "to recovery 20>10 2s shown",
                "recovery 10>10 10s"
            ]
        );
        assert_eq!(
            keys(None).profile("spike").unwrap().users,
            50,
            "enough for the spike"
        );
        let unsaid = ProfileKeys {
            hold: None,
            ..keys(None)
        };
        assert_eq!(
            shown(&unsaid.profile("soak").unwrap())[1],
            "soak 10>10 3600s"
        );
    }

    #[test]
    fn a_search_needs_a_rate() {
        assert!(
            keys(None)
                .profile("breakpoint")
                .unwrap_err()
                .1
                .contains("`rate`")
        );
        let profile = keys(Some(50.0)).profile("breakpoint").unwrap();
        let Shape::Search(search) = profile.shape else {
            panic!("no search")
        };
        assert_eq!(search.most.per_second(), 51_200.0);
        assert_eq!((search.settle.as_secs(), search.measure.as_secs()), (2, 20));
        assert_eq!(profile.at_least.per_second(), 50.0);
        assert_eq!(profile.users, 1000);
    }
}
