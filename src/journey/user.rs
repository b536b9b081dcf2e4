//! A virtual user: connections, variables and a row of test data of its own.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::Redactor;
use crate::plan::{Environment, Row, Scenario, Step, Template, Variable};
use crate::transport::{Client, Connector};

/// A virtual user.
#[derive(Debug)]
pub struct VirtualUser {
    pub(super) client: Client,
    pub(super) environment: Arc<Environment>,
    known: Redactor,
    row: Option<Row>,
    // A journey has a handful of variables: a list is faster than a map.
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
    random: fastrand::Rng,
}

/// All secrets of a user, wherever they came from.
pub(super) struct Secrets<'a> {
    known: &'a Redactor,
    captured: &'a [String],
    row: Option<&'a Row>,
    cookies: Cow<'a, [String]>,
}

impl Secrets<'_> {
    fn redactor(&self) -> Redactor {
        let mut redactor = self.known.clone();
        for secret in self.captured.iter().chain(&*self.cookies) {
            redactor.add(secret);
        }
        for secret in self.row.into_iter().flat_map(Row::secrets) {
            redactor.add(secret);
        }
        redactor
    }

    /// Whether there is one of them in a text.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.redactor().knows(text)
    }
}

impl VirtualUser {
    /// A user who has done nothing yet. `known` knows the secrets of the environment.
    #[must_use]
    pub fn new(connector: Arc<Connector>, environment: Arc<Environment>, known: Redactor) -> Self {
        Self {
            client: Client::new(connector),
            environment,
            known,
            row: None,
            variables: Vec::new(),
            secrets: Vec::new(),
            random: fastrand::Rng::new(),
        }
    }

    /// Begins a journey: forgets what was captured and all cookies, takes a row, fills in the scenario's own variables.
    pub fn begin(&mut self, scenario: &Scenario) {
        self.variables.clear();
        self.secrets.clear();
        self.client.forget_cookies();
        if let Some(data) = &scenario.data {
            let random = self.random.usize(..);
            self.row = Some(data.row(self.row.as_ref(), random));
        }
        for (name, template) in &scenario.variables {
            // Loading has checked that every variable in it has a value.
            if let Ok(value) = self.fill(template) {
                self.variables.push((name.clone(), value));
            }
        }
    }

    /// The first variable that a step needs and that has no value, because the step that captures it did not.
    #[must_use]
    pub fn lacks(&self, step: &Step) -> Option<String> {
        step.templates()
            .into_iter()
            .flat_map(Template::variables)
            .find(|v| !matches!(v, Variable::Uuid | Variable::Now) && self.value(v).is_none())
            .map(ToString::to_string)
    }

    /// Keeps a captured value.
    pub(super) fn keep(&mut self, name: &str, value: String, secret: bool) {
        if secret {
            self.secrets.push(value.clone());
        }
        match self.variables.iter_mut().find(|(n, _)| n == name) {
            Some(entry) => entry.1 = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    /// Fills in a template.
    ///
    /// # Errors
    /// The first variable that has no value.
    pub(super) fn fill(&self, template: &Template) -> Result<String, Variable> {
        self.fill_with(template, |value, out| out.push_str(value))
    }

    /// Fills in a template, passing each value through `write`.
    pub(super) fn fill_with(
        &self,
        template: &Template,
        write: impl Fn(&str, &mut String),
    ) -> Result<String, Variable> {
        let mut out = String::new();
        template
            .fill(&mut out, |variable, out| match variable {
                Variable::Uuid => {
                    write(&uuid::Uuid::new_v4().to_string(), out);
                    true
                }
                Variable::Now => {
                    write(&jiff::Timestamp::now().to_string(), out);
                    true
                }
                other => match self.value(other) {
                    Some(value) => {
                        write(value, out);
                        true
                    }
                    None => false,
                },
            })
            .map_err(Clone::clone)?;
        Ok(out)
    }

    fn value(&self, variable: &Variable) -> Option<&str> {
        match variable {
            Variable::Named(name) if name == "url" => Some(&self.environment.url),
            Variable::Named(name) => self
                .variables
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
                .or_else(|| {
                    self.environment
                        .variables
                        .get(name)
                        .map(|s| s.value.as_str())
                }),
            Variable::Data(column) => self.row.as_ref()?.get(column),
            Variable::Uuid | Variable::Now | Variable::Env { .. } => None,
        }
    }

    /// A pause between two durations.
    pub fn pause(
        &mut self,
        least: std::time::Duration,
        most: std::time::Duration,
    ) -> std::time::Duration {
        least + most.saturating_sub(least).mul_f64(self.random.f64())
    }

    /// Knows all secrets of this user: those of the environment, those it captured, and its cookies.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Secrets {
            known: &self.known,
            captured: &self.secrets,
            row: self.row.as_ref(),
            cookies: Cow::Borrowed(self.client.cookie_values()),
        }
        .redactor()
    }

    /// The client, and beside it what it must not tell everybody.
    pub(super) fn client_and_secrets(&mut self) -> (&mut Client, Secrets<'_>) {
        let secrets = Secrets {
            known: &self.known,
            captured: &self.secrets,
            row: self.row.as_ref(),
            cookies: Cow::Owned(self.client.cookie_values().to_vec()),
        };
        (&mut self.client, secrets)
    }

    /// Leaves: connections are closed.
    pub fn leave(&mut self) {
        self.client.disconnect();
    }
}
