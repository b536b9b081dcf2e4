//! The containers of a Compose project, as their Docker engine describes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::Unread;
use super::engine::{self, Answer};
use super::stats::Usage;
use crate::event::{ContainerSeen, ContainerState, Moment, Redactor, ResourceSample};
use crate::plan::DockerEngine;

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// The first version of the API that answers stats at once.
const LEAST_API: (u32, u32) = (1, 41);

/// Looks at the containers of a project, and remembers what it needs to tell what changed.
pub(super) struct Docker {
    engine: DockerEngine,
    redactor: Redactor,
    /// The engine's own version of its API: newer engines refuse older ones than they like.
    api: Option<String>,
    /// By id.
    usage: HashMap<String, Usage>,
    /// By id: the service and what was told of the container last.
    known: BTreeMap<String, (String, ContainerState)>,
}

/// What one look brought.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) samples: Vec<ResourceSample>,
    pub(super) seen: Vec<ContainerSeen>,
    /// Why a part of it is missing.
    pub(super) problem: Option<Unread>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    api_version: String,
}

/// One line of `GET /containers/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    labels: HashMap<String, String>,
}

impl Listed {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// `worker`, `worker-2`.
    fn service(&self) -> Option<String> {
        let service = self.label(SERVICE)?;
        Some(match self.label(NUMBER) {
            None | Some("1") => service.to_owned(),
            Some(number) => format!("{service}-{number}"),
        })
    }
}

/// `GET /containers/ID/json`. There is more in it, secrets of the container among it, which is not even kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: State,
    #[serde(default)]
    restart_count: u64,
    host_config: HostConfig,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    exit_code: Option<i64>,
    started_at: String,
}

/// Limits; 0 stands for none.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    memory: u64,
    nano_cpus: u64,
    cpu_quota: i64,
    cpu_period: i64,
}

impl HostConfig {
    fn memory_bytes(&self) -> Option<u64> {
        Some(self.memory).filter(|bytes| *bytes > 0)
    }

    fn cpu_permille(&self) -> Option<u32> {
        // Without a period, the kernel's own 100 ms.
        let period = if self.cpu_period > 0 {
            self.cpu_period
        } else {
            100_000
        };
        let permille = match (self.nano_cpus, self.cpu_quota) {
            (0, quota) if quota > 0 => u64::try_from(quota.saturating_mul(1000) / period).ok()?,
            (0, _) => return None,
            (nano, _) => nano / 1_000_000,
        };
        u32::try_from(permille).ok()
    }
}

impl Docker {
    pub(super) fn new(engine: DockerEngine, redactor: Redactor) -> Self {
        Self {
            engine,
            redactor,
            api: None,
            usage: HashMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// What to say of an engine that did not answer in time.
    pub(super) fn silent(&self) -> Unread {
        Unread(format!(
            "the Docker engine at {} did not answer within {}",
            self.engine.socket.display(),
            crate::units::show_duration(super::TIMEOUT)
        ))
    }

    /// Looks at all containers of the project at once.
    pub(super) async fn look(&mut self, moment: Moment) -> Result<Look, Unread> {
        let api = match &self.api {
            Some(api) => api.clone(),
            None => self.ask_version().await?,
        };
        self.api = Some(api.clone());
        let listed = self.list(&api).await?;
        let looks = listed.iter().map(|(id, _)| self.look_at(&api, id, moment));
        let looks = futures_util::future::join_all(looks).await;
        // From here on nothing waits, so what is remembered and what is told can't part.
        let mut look = Look::default();
        let mut there = BTreeSet::new();
        for ((id, service), looked) in listed.into_iter().zip(looks) {
            match looked {
                Ok(Some((inspected, usage))) => {
                    there.insert(id.clone());
                    self.take_in(&mut look, moment, (&id, &service), &inspected, usage);
                }
                // It went while it was looked at.
                Ok(None) => {}
                Err(problem) => {
                    there.insert(id);
                    let why = format!("{service} could not be looked at: {}", problem.0);
                    look.problem.get_or_insert(Unread(why));
                }
            }
        }
        self.take_leave(&mut look, moment, &there);
        Ok(look)
    }

    async fn get(&self, path: &str) -> Result<Answer, Unread> {
        engine::get(&self.engine.socket, path).await
    }

    async fn ask_version(&self) -> Result<String, Unread> {
        let path = "/version";
        let version: Version = self.get(path).await?.json(path)?;
        let api = version.api_version;
        let parts = api.split_once('.');
        let parts = parts.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match parts {
            Some(parts) if parts >= LEAST_API => Ok(api),
            _ => Err(Unread(format!(
                "the Docker engine speaks version `{api}` of its API, and 1.41 (Docker 20.10) is the first that tells what is needed here"
            ))),
        }
    }

    /// Ids and services of the project's containers, also of those that do not run.
    async fn list(&self, api: &str) -> Result<Vec<(String, String)>, Unread> {
        let project = &self.engine.project;
        let containers = self
            .containers(api, &format!("{PROJECT}={project}"))
            .await?;
        let services: Vec<_> = containers
            .into_iter()
            // What `docker-compose run` starts comes and goes.
            .filter(|c| {
                !c.label(ONE_OFF)
                    .is_some_and(|v| v.eq_ignore_ascii_case("true"))
            })
            .filter_map(|c| Some((c.service()?, c)))
            .map(|(service, c)| (c.id, service))
            .collect();
        if services.is_empty() {
            return Err(self.no_containers(api).await);
        }
        Ok(services)
    }

    async fn containers(&self, api: &str, label: &str) -> Result<Vec<Listed>, Unread> {
        let filter = serde_json::json!({ "label": [label] }).to_string();
        let filter = utf8_percent_encode(&filter, NON_ALPHANUMERIC);
        let path = format!("/v{api}/containers/json?all=1&filters={filter}");
        self.get(&path).await?.json("/containers/json")
    }

    async fn no_containers(&self, api: &str) -> Unread {
        let project = &self.engine.project;
        let others = self.containers(api, PROJECT).await.unwrap_or_default();
        let others: BTreeSet<_> = others.iter().filter_map(|c| c.label(PROJECT)).collect();
        let known = if others.is_empty() {
            "the engine has no Compose project at all".to_owned()
        } else {
            let names: Vec<_> = others.into_iter().take(10).collect();
            format!("known projects: {}", names.join(", "))
        };
        Unread(format!(
            "no container belongs to the Compose project `{project}`; {known}"
        ))
    }

    /// Asks about one container; nothing if it is gone. What it uses when the load is over is not asked, since some
    /// engines measure once a second, and let whoever asks wait for that.
    async fn look_at(
        &self,
        api: &str,
        id: &str,
        moment: Moment,
    ) -> Result<Option<(Inspected, Option<Usage>)>, Unread> {
        let inspect = format!("/v{api}/containers/{id}/json");
        let stats = format!("/v{api}/containers/{id}/stats?stream=false&one-shot=true");
        let stats = async {
            match moment {
                Moment::After => Ok(None),
                Moment::Before | Moment::During => self.get(&stats).await.map(Some),
            }
        };
        let (inspected, stats) = tokio::try_join!(self.get(&inspect), stats)?;
        if inspected.status == 404 || stats.as_ref().is_some_and(|s| s.status == 404) {
            return Ok(None);
        }
        let inspected = inspected.json("/containers/ID/json")?;
        let usage = match stats {
            Some(stats) => Usage::of(&stats, "/containers/ID/stats")?,
            None => None,
        };
        Ok(Some((inspected, usage)))
    }

    fn take_in(
        &mut self,
        look: &mut Look,
        moment: Moment,
        (id, service): (&str, &str),
        inspected: &Inspected,
        usage: Option<Usage>,
    ) {
        let text = |text: &str| self.redactor.text(text);
        let runs = inspected.state.status == "running";
        let state = ContainerState {
            id: text(&id.chars().take(12).collect::<String>()),
            status: text(&inspected.state.status),
            started_at: text(&inspected.state.started_at),
            restarts: inspected.restart_count,
            oom_killed: inspected.state.oom_killed,
            exit_code: inspected.state.exit_code.filter(|_| !runs),
        };
        let service_name = text(service);
        let known = self.known.get(id).map(|(_, state)| state);
        if known.is_some_and(|known| known.started_at != state.started_at) {
            // It counts its CPU from zero again.
            self.usage.remove(id);
        }
        if moment != Moment::During || known != Some(&state) {
            look.seen.push(ContainerSeen {
                moment,
                service: service_name.clone(),
                state: state.clone(),
            });
        }
        self.known
            .insert(id.to_owned(), (service.to_owned(), state));
        let Some(usage) = usage.filter(|_| runs) else {
            self.usage.remove(id);
            return;
        };
        let before = self.usage.insert(id.to_owned(), usage);
        look.samples.push(ResourceSample {
            service: service_name,
            cpu_permille: before.and_then(|before| usage.cpu_permille_since(&before)),
            cpu_limit_permille: inspected.host_config.cpu_permille(),
            memory_bytes: usage.memory_bytes,
            memory_limit_bytes: inspected.host_config.memory_bytes(),
        });
    }

    /// Tells of containers that are no longer there.
    fn take_leave(&mut self, look: &mut Look, moment: Moment, there: &BTreeSet<String>) {
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|id| !there.contains(*id))
            .cloned()
            .collect();
        for id in gone {
            self.usage.remove(&id);
            let Some((service, state)) = self.known.remove(&id) else {
                continue;
            };
            look.seen.push(ContainerSeen {
                moment,
                service: self.redactor.text(&service),
                state: ContainerState {
                    status: self.redactor.text("removed"),
                    ..state
                },
            });
        }
    }
}
