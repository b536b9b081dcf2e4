//! Faults that the stack can be given by name, each of a kind that real platforms have shown.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::units::{parse_duration, show_duration};

macro_rules! faults {
    ($($variant:ident, $name:literal, $breaks:literal, $caught:literal;)*) => {
        /// Something that is wrong with the stack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $breaks] $variant,)*
        }

        impl Fault {
            /// All faults.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name it is turned on by.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What breaks.
            #[must_use]
            pub fn breaks(self) -> &'static str {
                match self { $(Self::$variant => $breaks),* }
            }

            /// The check that sees it.
            #[must_use]
            pub fn caught_by(self) -> &'static str {
                match self { $(Self::$variant => $caught),* }
            }
        }
    };
}

faults! {
    SlowEndpoint, "slow-endpoint", "GET /courses takes 2.5 to 3 s", "load/browse courses/course list/p95";
    ErrorBurst, "error-burst", "exercise submission answers 500 to about 15 % of requests, but never to the first three", "load/do an exercise/submit answer/errors";
    Reset, "reset", "every tenth GET /courses/{id} has its connection reset instead of an answer", "load/browse courses/course/errors";
    AgentDown, "agent-down", "the content creator refuses connections; the aggregate says so, with status 200", "agents/content-creator";
    AgentLies, "agent-lies", "quality assurance says it is unhealthy, the aggregate says all are healthy", "agents/quality-assurance";
    Degraded200, "degraded-200", "the backend's health answers 200 with status degraded and no database", "preflight/backend";
    MissingRoute, "missing-route", "the aggregate's address answers 405, as a backend does that never had the route", "agents/aggregate";
    StallingStream, "stalling-stream", "the tutor sends three tokens, then nothing for 12 s, then the rest", "smoke/learn with tutor/ask tutor";
    NeverEndingStream, "never-ending-stream", "the tutor goes on sending tokens and is never done", "smoke/learn with tutor/ask tutor";
    TruncatedStream, "truncated-stream", "the tutor's stream ends before it is done", "smoke/learn with tutor/ask tutor";
    StaleAgent, "stale-agent", "the course planner says it is healthy, with a timestamp of two hours ago", "agents/course-planner";
    LoginFails, "login-fails", "login answers 500", "smoke/browse courses/login";
    WebsocketCloses, "websocket-closes", "the agents' socket closes right after it is established", "smoke/agents socket/subscribe to health";
    FrontendDown, "frontend-down", "the home page answers 502", "preflight/frontend";
    MetricsJson, "metrics-json", "/metrics answers JSON instead of Prometheus text", "preflight/metrics";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A fault and the time after boot at which it begins; written `agent-down` or `agent-down@10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveFault {
    /// The fault.
    pub fault: Fault,
    /// When it begins.
    pub after: Duration,
}

impl fmt::Display for ActiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.after.is_zero() {
            write!(f, "{}", self.fault)
        } else {
            write!(f, "{} after {}", self.fault, show_duration(self.after))
        }
    }
}

/// There is no such fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let named = Self::ALL.iter().copied().find(|f| f.name() == name);
        named.ok_or_else(|| {
            let near = Self::ALL
                .iter()
                .map(|f| (strsim::damerau_levenshtein(f.name(), name), f.name()))
                .min()
                .filter(|(distance, _)| *distance <= 4);
            let hint = near.map_or_else(
                || "`gates demo --list-faults` lists them".to_owned(),
                |(_, near)| format!("did you mean `{near}`?"),
            );
            UnknownFault(format!("there is no fault `{name}`; {hint}"))
        })
    }
}

impl FromStr for ActiveFault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, after) = match text.split_once('@') {
            Some((name, after)) => (
                name,
                parse_duration(after).map_err(|e| UnknownFault(e.to_string()))?,
            ),
            None => (text, Duration::ZERO),
        };
        let fault = name.parse()?;
        Ok(Self { fault, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_name() {
        for fault in Fault::ALL {
            assert_eq!(
                fault.name().parse(),
                Ok(ActiveFault {
                    fault: *fault,
                    after: Duration::ZERO
                })
            );
        }
        let later: ActiveFault = "agent-down@10s".parse().unwrap();
        assert_eq!(later.after, Duration::from_secs(10));
        assert_eq!(later.to_string(), "agent-down after 10 s");
        let unknown = "agent-dwon".parse::<ActiveFault>().unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no fault `agent-dwon`; did you mean `agent-down`?"
        );
        assert!("agent-down@soon".parse::<ActiveFault>().is_err());
    }
}
