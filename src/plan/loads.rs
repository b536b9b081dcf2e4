//! Which load an environment is put under: `[load]`, what the environment changes in it, then a named profile.

use super::node::Value;
use super::profile::{self, LoadProfile, ProfileKeys};
use super::reader::Group;
use super::source::Located;

/// What gates.toml says of loads, and which one was asked for.
pub(super) struct Loads<'a> {
    pub(super) base: ProfileKeys,
    pub(super) profiles: Vec<(String, ProfileKeys)>,
    pub(super) chosen: Option<&'a str>,
}

impl Loads<'_> {
    /// The profile of an environment: `[load]`, what the environment changes in it, then the named profile.
    pub(super) fn of(&self, group: &mut Group<'_>) -> LoadProfile {
        let place = group
            .key("profile")
            .map_or_else(|| group.span.clone(), |key| key.span.clone());
        let node = group.take("profile");
        let named = node.and_then(|node| match &node.value {
            Value::Str(name) => Some(Located {
                value: name.clone(),
                span: node.span.clone(),
            }),
            _ => None,
        });
        let keys = match (&named, node) {
            (None, Some(node)) => Group::open(group.source, group.findings, node, "`profile`")
                .map_or_else(ProfileKeys::default, ProfileKeys::read)
                .over(&self.base),
            _ => self.base.clone(),
        };
        let name = match (self.chosen, named) {
            (Some(chosen), _) => Located {
                value: chosen.to_owned(),
                span: place.clone(),
            },
            (None, Some(named)) => named,
            (None, None) => Located {
                value: "load".to_owned(),
                span: place.clone(),
            },
        };
        let own: Vec<&str> = self
            .profiles
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if let Err(problem) = profile::known(&name, &own) {
            group.find(name.span, problem);
            return LoadProfile::default();
        }
        let keys = match self.profiles.iter().find(|(n, _)| *n == name.value) {
            Some((_, own)) => own.clone().over(&keys),
            // An hour, not what `[load]` is held for.
            None if name.value == "soak" => ProfileKeys { hold: None, ..keys },
            None => keys,
        };
        match keys.profile(&name.value) {
            Ok(profile) => profile,
            Err((span, problem)) => {
                group.find(span.unwrap_or(place), problem);
                LoadProfile::default()
            }
        }
    }
}
