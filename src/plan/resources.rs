//! Where the resource use of the services is read while load runs: a Docker engine, Prometheus.

use std::path::PathBuf;

use super::environment_file::EnvironmentReader;
use super::reader::Group;
use super::source::Located;
use super::vars::STAND_IN;
use crate::event::SourceRef;

/// Where resource use is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Containers of a Compose project.
    pub docker: Option<DockerEngine>,
    /// Figures by name.
    pub prometheus: Option<Prometheus>,
    /// Where it stands in gates.toml.
    pub place: SourceRef,
}

/// A Docker engine on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerEngine {
    /// Its socket.
    pub socket: PathBuf,
    /// The Compose project whose containers are looked at.
    pub project: String,
}

/// A Prometheus server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// Its base address, without a slash at the end.
    pub url: String,
    /// What is asked of it.
    pub queries: Vec<Query>,
}

/// A question that has one number as its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// How reports call it.
    pub name: String,
    /// The question, in PromQL.
    pub query: String,
}

const SOCKET: &str = "/var/run/docker.sock";

impl Resources {
    /// Names of all queries.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.prometheus.iter().flat_map(|p| &p.queries)
    }
}

impl EnvironmentReader<'_> {
    /// Reads `resources` of an environment.
    pub(super) fn resources(&self, group: &mut Group<'_>) -> Option<Resources> {
        let place = group.key("resources")?.span.clone();
        let mut group = group.group("resources", "`resources`")?;
        if group.all().is_empty() {
            group.find(
                place.clone(),
                "`resources` names nothing to read them from: `docker`, `prometheus` or both",
            );
        }
        let docker = group.group("docker", "`docker`").map(|g| self.docker(g));
        let prometheus = group
            .group("prometheus", "`prometheus`")
            .map(|g| self.prometheus(g));
        group.finish();
        Some(Resources {
            docker: docker.flatten(),
            prometheus: prometheus.flatten(),
            place: self.source.place(place.start),
        })
    }

    fn docker(&self, mut group: Group<'_>) -> Option<DockerEngine> {
        let socket = match group.text("socket") {
            Some(text) => self.socket(&group, &text),
            None => Some(PathBuf::from(SOCKET)),
        };
        let text = group.required_text("project");
        let project = text.and_then(|text| self.not_empty(&group, &text, "project"));
        group.finish();
        Some(DockerEngine {
            socket: socket?,
            project: project?,
        })
    }

    /// A path, also in the form that `DOCKER_HOST` has.
    fn socket(&self, group: &Group<'_>, text: &Located<String>) -> Option<PathBuf> {
        let filled = self.fill(group, text)?;
        let path = filled.strip_prefix("unix://").unwrap_or(&filled);
        if path.starts_with('/') || filled.contains(STAND_IN) {
            return Some(PathBuf::from(path));
        }
        group.find(
            text.span.clone(),
            "`socket` is the path of a Unix socket, from the root, like `/var/run/docker.sock`",
        );
        None
    }

    fn prometheus(&self, mut group: Group<'_>) -> Option<Prometheus> {
        let url = self.required_address(&mut group, &["http", "https"]);
        let mut queries = Vec::new();
        match group.group("queries", "`queries`") {
            None if group.key("queries").is_none() => group.missing("queries"),
            None => {}
            Some(table) => {
                if table.all().is_empty()
                    && let Some(key) = group.key("queries")
                {
                    group.find(key.span.clone(), "`queries` asks nothing");
                }
                for (name, node) in table.all() {
                    let text = table.as_text(node, &name.value);
                    let query = text.and_then(|text| self.not_empty(&table, &text, &name.value));
                    queries.extend(query.map(|query| Query {
                        name: name.value.clone(),
                        query,
                    }));
                }
            }
        }
        group.finish();
        Some(Prometheus {
            url: url?.trim_end_matches('/').to_owned(),
            queries,
        })
    }

    fn not_empty(&self, group: &Group<'_>, text: &Located<String>, key: &str) -> Option<String> {
        let filled = self.fill(group, text)?;
        if filled.trim().is_empty() {
            group.find(text.span.clone(), format!("`{key}` is empty"));
            return None;
        }
        Some(filled)
    }
}
