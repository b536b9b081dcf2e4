//! A plan of one scenario against one address: the load engine alone, without a gates.toml.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::environment::{Environment, Permission, Safety, Setting};
use super::{
    ErrorTarget, Finding, LoadProfile, Plan, Scenario, SourceFile, Targets, Vars, read_scenario,
    redactor,
};
use crate::event::{Decide, SourceRef, Stage};
use crate::units::Ratio;

impl Plan {
    /// Loads one scenario as a plan whose only stage is load. `url` stands for `${url}`, `variables` for other names.
    /// More than one error in a hundred is a failure: a load of nothing but errors must not end as if all were well.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario, and variables that nothing defines.
    pub fn of_scenario(
        file: &Path,
        url: Option<&str>,
        variables: BTreeMap<String, String>,
        load: LoadProfile,
        vars: &Vars,
    ) -> Result<Self, Vec<Finding>> {
        let source = SourceFile::read(file).map_err(|f| vec![f])?;
        let mut names: BTreeSet<String> = variables.keys().cloned().collect();
        names.extend(url.map(|_| "url".to_owned()));
        let mut scenario: Scenario = read_scenario(&source, vars, &names)?;
        // Whoever names it here wants it under load, whatever its tags say.
        scenario.tags.clear();
        let url = url.unwrap_or_default().trim_end_matches('/').to_owned();
        scenario.settle_in(&url);
        let environment = Environment {
            name: "load".to_owned(),
            url,
            place: SourceRef::start_of(&source.name),
            stages: vec![Stage::Load],
            safety: Safety {
                writes: Permission::Allowed,
                load: Permission::Allowed,
                max_users: None,
                max_rps: None,
            },
            services: Vec::new(),
            agents: Vec::new(),
            aggregate: None,
            resources: None,
            // They may be passwords: better masked once too often.
            variables: variables
                .into_iter()
                .map(|(name, value)| {
                    (
                        name,
                        Setting {
                            value,
                            secret: true,
                        },
                    )
                })
                .collect(),
            ca_file: None,
            http2: super::Http2Use::Auto,
            load,
        };
        let redactor = redactor(&environment, vars);
        Ok(Self {
            project: scenario.name.to_string(),
            reports: PathBuf::from("reports"),
            targets: Targets {
                errors: Some(ErrorTarget {
                    limit: Ratio::ONE_PERCENT,
                    place: SourceRef::start_of(&source.name),
                }),
                decide: Some(Decide::Point),
                ..Targets::default()
            },
            agents: None,
            environment,
            scenarios: vec![scenario],
            redactor,
        })
    }
}
