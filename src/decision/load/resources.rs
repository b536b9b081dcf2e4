//! What the services used while load ran, service by service over time, and what became of their containers.

use serde::{Deserialize, Serialize};

use crate::event::{
    ContainerSeen, ContainerState, Event, MetricSample, Moment, Redacted, ResourceSample,
    ResourceSource, ResourcesUnavailable,
};

/// Resource use over the whole load, warm-up included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceAccount {
    /// By service, in the order in which they were first seen.
    pub services: Vec<ServiceResources>,
    /// By query.
    pub metrics: Vec<MetricSeries>,
    /// Every container at the beginning and the end, and each change between.
    pub containers: Vec<(u64, ContainerSeen)>,
    /// What could not be read, and from when.
    pub unavailable: Vec<(u64, ResourcesUnavailable)>,
}

/// What one service used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceResources {
    /// The service.
    pub service: Redacted,
    /// Most CPU it may use, in thousandths of one core, as it was last.
    pub cpu_limit_permille: Option<u32>,
    /// Most memory it may use, as it was last.
    pub memory_limit_bytes: Option<u64>,
    /// One point per sample.
    pub series: Vec<ResourcePoint>,
}

/// What one service used at an instant; nothing of both where it did not run or could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePoint {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// CPU since the sample before, in thousandths of one core.
    pub cpu_permille: Option<u32>,
    /// Memory.
    pub memory_bytes: Option<u64>,
}

/// One query over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    /// Its name in gates.toml.
    pub name: String,
    /// When, and what it said; nothing where it could not be read.
    pub series: Vec<(u64, Option<f64>)>,
}

impl ServiceResources {
    /// Mean CPU over all samples, in thousandths of one core.
    #[must_use]
    pub fn mean_cpu_permille(&self) -> Option<u64> {
        let used: Vec<u64> = self.cpu().map(u64::from).collect();
        let n = u64::try_from(used.len()).ok().filter(|n| *n > 0)?;
        Some(used.iter().sum::<u64>() / n)
    }

    /// The sample with the most CPU, in thousandths of one core.
    #[must_use]
    pub fn peak_cpu_permille(&self) -> Option<u32> {
        self.cpu().max()
    }

    /// The sample with the most memory.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.series.iter().filter_map(|p| p.memory_bytes).max()
    }

    /// Share of its limit that the memory came to at most.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
    pub fn peak_of_memory_limit(&self) -> Option<f64> {
        let limit = self.memory_limit_bytes.filter(|l| *l > 0)?;
        Some(self.peak_memory_bytes()? as f64 / limit as f64)
    }

    /// Share of its limit that the CPU came to at most.
    #[must_use]
    pub fn peak_of_cpu_limit(&self) -> Option<f64> {
        let limit = self.cpu_limit_permille.filter(|l| *l > 0)?;
        Some(f64::from(self.peak_cpu_permille()?) / f64::from(limit))
    }

    fn cpu(&self) -> impl Iterator<Item = u32> {
        self.series.iter().filter_map(|p| p.cpu_permille)
    }
}

impl MetricSeries {
    /// All that it said.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.series.iter().filter_map(|(_, value)| *value)
    }
}

impl ResourceAccount {
    /// Whether nothing was even tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in an event; what is not about resources is passed over.
    pub(super) fn absorb(&mut self, at_us: u64, event: &Event) {
        match event {
            Event::Resource(sample) => self.sample(at_us, sample),
            Event::Metric(sample) => self.metric(at_us, sample),
            Event::Container(seen) => {
                if !seen.state.runs() {
                    self.gap(at_us, &seen.service);
                }
                self.containers.push((at_us, seen.clone()));
            }
            Event::ResourcesUnavailable(missing) => {
                match &missing.source {
                    ResourceSource::Docker => {
                        for service in &mut self.services {
                            service.series.push(ResourcePoint::gap(at_us));
                        }
                    }
                    ResourceSource::Query { name } => {
                        if let Some(metric) = self.metrics.iter_mut().find(|m| m.name == *name) {
                            metric.series.push((at_us, None));
                        }
                    }
                }
                self.unavailable.push((at_us, missing.clone()));
            }
            _ => {}
        }
    }

    fn sample(&mut self, at_us: u64, sample: &ResourceSample) {
        let service = self.service(&sample.service);
        service.cpu_limit_permille = sample.cpu_limit_permille;
        service.memory_limit_bytes = sample.memory_limit_bytes;
        service.series.push(ResourcePoint {
            at_us,
            cpu_permille: sample.cpu_permille,
            memory_bytes: sample.memory_bytes,
        });
    }

    fn service(&mut self, name: &Redacted) -> &mut ServiceResources {
        let at = self.services.iter().position(|s| s.service == *name);
        let at = at.unwrap_or_else(|| {
            self.services.push(ServiceResources {
                service: name.clone(),
                cpu_limit_permille: None,
                memory_limit_bytes: None,
                series: Vec::new(),
            });
            self.services.len() - 1
        });
        &mut self.services[at]
    }

    fn gap(&mut self, at_us: u64, service: &Redacted) {
        if let Some(known) = self.services.iter_mut().find(|s| s.service == *service) {
            known.series.push(ResourcePoint::gap(at_us));
        }
    }

    fn metric(&mut self, at_us: u64, sample: &MetricSample) {
        let point = (at_us, Some(sample.value));
        match self.metrics.iter_mut().find(|m| m.name == sample.name) {
            Some(metric) => metric.series.push(point),
            None => self.metrics.push(MetricSeries {
                name: sample.name.clone(),
                series: vec![point],
            }),
        }
    }

    /// Adds what another process saw of the same services at the same time.
    pub(super) fn merge(&mut self, other: Self) {
        for theirs in other.services {
            let own = self.service(&theirs.service);
            own.cpu_limit_permille = own.cpu_limit_permille.or(theirs.cpu_limit_permille);
            own.memory_limit_bytes = own.memory_limit_bytes.or(theirs.memory_limit_bytes);
            own.series.extend(theirs.series);
            own.series.sort_by_key(|p| p.at_us);
        }
        for theirs in other.metrics {
            match self.metrics.iter_mut().find(|m| m.name == theirs.name) {
                Some(own) => {
                    own.series.extend(theirs.series);
                    own.series.sort_by_key(|(at, _)| *at);
                }
                None => self.metrics.push(theirs),
            }
        }
        self.containers.extend(other.containers);
        self.containers.sort_by_key(|(at, _)| *at);
        self.unavailable.extend(other.unavailable);
        self.unavailable.sort_by_key(|(at, _)| *at);
    }

    /// Whether the containers were looked at, at a moment.
    #[must_use]
    pub fn looked(&self, moment: Moment) -> bool {
        self.containers.iter().any(|(_, c)| c.moment == moment)
    }

    /// Number of containers that were there when the load began.
    #[must_use]
    pub fn began_with(&self) -> usize {
        self.firsts().count()
    }

    fn firsts(&self) -> impl Iterator<Item = &(u64, ContainerSeen)> {
        let before = |(_, c): &&(u64, ContainerSeen)| c.moment == Moment::Before;
        self.containers.iter().filter(before)
    }

    /// What befell containers while load ran, in order, each thing once: when, whom, what.
    #[must_use]
    pub fn incidents(&self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> = Vec::new();
        for (n, (at_us, seen)) in self.containers.iter().enumerate() {
            let earlier = || self.containers[..n].iter().map(|(_, c)| c);
            let of_service = || earlier().filter(|c| c.service == seen.service);
            // The last that was known of it; of a new container, of the one whose place it took.
            let same = of_service().rfind(|c| c.state.id == seen.state.id);
            let Some(before) = same.or_else(|| of_service().next_back()) else {
                continue;
            };
            let Some(what) = befell(&before.state, &seen.state) else {
                continue;
            };
            let incident = Incident {
                at_us: *at_us,
                service: seen.service.clone(),
                what,
            };
            // Of two processes that look, each tells of it.
            let told = |i: &Incident| i.service == incident.service && i.what == incident.what;
            if !incidents.iter().any(told) {
                incidents.push(incident);
            }
        }
        incidents
    }
}

impl ResourcePoint {
    fn gap(at_us: u64) -> Self {
        Self {
            at_us,
            cpu_permille: None,
            memory_bytes: None,
        }
    }
}

/// Something that befell a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// When it was seen, microseconds since the run began.
    pub at_us: u64,
    /// The service.
    pub service: Redacted,
    /// What was seen.
    pub what: String,
}

/// What happened between two states of a container; nothing if it went on as it was.
fn befell(before: &ContainerState, now: &ContainerState) -> Option<String> {
    if before.id != now.id {
        return Some(format!("its container was replaced by {}", now.id));
    }
    if now.oom_killed && !before.oom_killed {
        let and = if now.runs() { "" } else { ", and it ended" };
        return Some(format!("killed for want of memory{and}"));
    }
    if now.status.as_str() == "removed" {
        return Some("its container was removed".to_owned());
    }
    if now.restarts > before.restarts {
        let at = &now.started_at;
        return Some(format!("it ended, and Docker started it anew at {at}"));
    }
    if now.started_at != before.started_at {
        return Some(format!("started anew at {}", now.started_at));
    }
    if before.runs() && !now.runs() {
        let code = now.exit_code.map(|code| format!(" with exit code {code}"));
        return Some(format!("{}{}", now.status, code.unwrap_or_default()));
    }
    None
}

#[cfg(test)]
mod tests;
