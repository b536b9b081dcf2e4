//! Asks an agent itself: its own word, and that the word is of now.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Finding;
use super::http::{get, judge};
use crate::event::ProbeState;
use crate::journey::Session;
use crate::plan::Agent;
use crate::units::show_duration;

pub(super) async fn ask(session: &Session, agent: &Agent) -> Finding {
    let exchange = match get(session, &agent.url, agent.timeout).await {
        Ok(exchange) => exchange,
        Err(finding) => return finding,
    };
    let finding = judge(&exchange, &agent.expect);
    match (finding.state, agent.fresh) {
        (ProbeState::Healthy, Some(oldest)) => {
            stale(&exchange.body, oldest, Timestamp::now()).unwrap_or(finding)
        }
        _ => finding,
    }
}

/// What is wrong with the answer's `timestamp`; nothing if it is of now.
fn stale(body: &[u8], oldest: Duration, now: Timestamp) -> Option<Finding> {
    let not_functional = |seen: String| Some(Finding::new(ProbeState::NotFunctional, seen));
    let document: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let Some(text) = document
        .as_ref()
        .and_then(|d| d.get("timestamp"))
        .and_then(|t| t.as_str())
    else {
        return not_functional(
            "its answer has no `timestamp`, so it may be of any time".to_owned(),
        );
    };
    let Some(at) = read_timestamp(text) else {
        return not_functional(format!("its `timestamp` is not a time: {text}"));
    };
    let since = now.duration_since(at);
    let age = since.unsigned_abs();
    if age <= oldest {
        return None;
    }
    let direction = if since.is_positive() {
        "old"
    } else {
        "ahead of this machine's clock"
    };
    not_functional(format!(
        "says it is healthy, but its answer is {} {direction} ({} allowed)",
        show_duration(age),
        show_duration(oldest)
    ))
}

/// RFC 3339, or without an offset as Python's `utcnow().isoformat()` writes it.
fn read_timestamp(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        Some(
            text.parse::<DateTime>()
                .ok()?
                .to_zoned(TimeZone::UTC)
                .ok()?
                .timestamp(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(body: &str) -> Option<String> {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        stale(body.as_bytes(), Duration::from_secs(60), now).map(|f| f.seen)
    }

    #[test]
    fn an_answer_must_be_of_now() {
        assert_eq!(seen(r#"{"timestamp":"2026-11-23T11:59:30Z"}"#), None);
        assert_eq!(
            seen(r#"{"timestamp":"2026-11-23T13:59:30.123456+02:00"}"#),
            None
        );
        assert_eq!(seen(r#"{"timestamp":"2026-11-23T11:59:30.123456"}"#), None);
        insta::assert_snapshot!(seen(r#"{"timestamp":"2026-11-23T10:00:00Z"}"#).unwrap(), @"says it is healthy, but its answer is 2 h 0 min old (60 s allowed)");
        insta::assert_snapshot!(seen(r#"{"timestamp":"2026-11-23T12:05:00Z"}"#).unwrap(), @"says it is healthy, but its answer is 5 min 0 s ahead of this machine's clock (60 s allowed)");
        insta::assert_snapshot!(seen(r#"{"timestamp":"today"}"#).unwrap(), @"its `timestamp` is not a time: today");
        insta::assert_snapshot!(seen("{}").unwrap(), @"its answer has no `timestamp`, so it may be of any time");
    }
}
