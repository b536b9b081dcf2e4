//! The tutor: answers a question token by token, as a stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::accounts::{read, unauthorized};
use super::fault::Fault;
use super::state::Shared;

const ANSWER: [&str; 14] = [
    "Good ",
    "question! ",
    "Use ",
    "it ",
    "when ",
    "you ",
    "speak ",
    "of ",
    "wishes, ",
    "doubts ",
    "and ",
    "things ",
    "not ",
    "real.",
];

#[derive(Deserialize)]
struct Question {
    question: String,
}

pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if shared.bearer(&headers).is_none() {
        return unauthorized();
    }
    let question: Question = match read(&body) {
        Ok(question) => question,
        Err(refusal) => return *refusal,
    };
    let truncated = shared.has(Fault::TruncatedStream);
    let stalls = shared.has(Fault::StallingStream);
    let pause = Duration::from_millis(10 + question.question.len() as u64 % 20);
    let events = stream::unfold(0_usize, move |n| async move {
        tokio::time::sleep(if stalls && n == 3 {
            Duration::from_secs(12)
        } else {
            pause
        })
        .await;
        let event = match ANSWER.get(n) {
            _ if truncated && n == 6 => return None,
            Some(token) => Event::default()
                .event("token")
                .data(json!({"token": token}).to_string()),
            None if n == ANSWER.len() => Event::default()
                .event("done")
                .data(json!({"tokens": n}).to_string()),
            None => return None,
        };
        Some((Ok::<_, Infallible>(event), n + 1))
    });
    Sse::new(events).into_response()
}
