//! Compares the answer in which one system speaks for the agents with each agent's own word.

use futures_util::future::join_all;
use serde_json::Value;

use super::http::get;
use super::{Finding, agent};
use crate::event::ProbeState;
use crate::journey::Session;
use crate::plan::Aggregate;

pub(super) async fn ask(session: &Session) -> Finding {
    let Some(aggregate) = &session.environment.aggregate else {
        return Finding::new(ProbeState::NotAsked, "this environment has no aggregate");
    };
    let named = session
        .environment
        .agents
        .iter()
        .filter(|a| aggregate.agents.contains(&a.name));
    let own = join_all(named.map(async |a| (a.name.clone(), agent::ask(session, a).await)));
    let (exchange, own) = tokio::join!(get(session, &aggregate.url, aggregate.timeout), own);
    match exchange {
        Err(finding) => finding,
        Ok(exchange) if exchange.status != 200 => Finding::new(
            ProbeState::NotFunctional,
            format!(
                "{} answers {}, so nobody speaks for the agents",
                aggregate.url, exchange.status
            ),
        ),
        Ok(exchange) => compare(aggregate, &exchange.body, &own),
    }
}

fn compare(aggregate: &Aggregate, body: &[u8], own: &[(String, Finding)]) -> Finding {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let Some(agents) = document
        .as_ref()
        .and_then(|d| d.get("agent_health"))
        .and_then(Value::as_object)
    else {
        return Finding::new(
            ProbeState::NotFunctional,
            "its answer has no `agent_health`",
        );
    };
    let mut disagreements = Vec::new();
    for (name, word) in own {
        let healthy = word.state == ProbeState::Healthy;
        match agents
            .get(name)
            .and_then(|a| a.get("healthy"))
            .and_then(Value::as_bool)
        {
            None => disagreements.push(format!("says nothing of {name}")),
            Some(said) if said != healthy => {
                let said = if said { "healthy" } else { "not healthy" };
                disagreements.push(format!(
                    "says {name} is {said}, but {name} itself {}",
                    word.seen
                ));
            }
            Some(_) => {}
        }
    }
    if disagreements.is_empty() {
        Finding::new(
            ProbeState::Healthy,
            format!("agrees with each of {}", aggregate.agents.join(", ")),
        )
    } else {
        Finding::new(ProbeState::NotFunctional, disagreements.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SourceRef;

    fn seen(body: &str, own: &[(&str, ProbeState)]) -> (ProbeState, String) {
        let aggregate = Aggregate {
            url: "http://h/agents".into(),
            agents: own.iter().map(|(n, _)| (*n).to_owned()).collect(),
            timeout: std::time::Duration::from_secs(1),
            place: SourceRef {
                file: "gates.toml".into(),
                line: 1,
                column: 1,
            },
        };
        let own: Vec<_> = own
            .iter()
            .map(|(n, s)| {
                (
                    (*n).to_owned(),
                    Finding::new(
                        *s,
                        "answers 200, but expected `jsonpath $.status == healthy`, saw \"sick\"",
                    ),
                )
            })
            .collect();
        let finding = compare(&aggregate, body.as_bytes(), &own);
        (finding.state, finding.seen)
    }

    #[test]
    fn agreement_is_about_both_words() {
        use ProbeState::{Healthy, NotFunctional, Unreachable};
        let both = r#"{"agent_health":{"a":{"healthy":true},"b":{"healthy":false}}}"#;
        assert_eq!(seen(both, &[("a", Healthy), ("b", Unreachable)]).0, Healthy);
        insta::assert_snapshot!(seen(both, &[("a", NotFunctional), ("b", Unreachable)]).1, @r#"says a is healthy, but a itself answers 200, but expected `jsonpath $.status == healthy`, saw "sick""#);
        insta::assert_snapshot!(seen(both, &[("a", Healthy), ("c", Healthy)]).1, @"says nothing of c");
        insta::assert_snapshot!(seen("<html>", &[("a", Healthy)]).1, @"its answer has no `agent_health`");
        assert_eq!(seen("{}", &[("a", Healthy)]).0, NotFunctional);
    }
}
