//! Courses, lessons and exercises.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::{read, refuse, unauthorized};
use super::fault::Fault;
use super::state::Shared;
use super::wire::Cut;

const COURSES: [(u32, &str, &str, &str); 3] = [
    (1, "Spanish for travellers", "A1", "es"),
    (2, "German at work", "B1", "de"),
    (3, "Japanese in everyday life", "A2", "ja"),
];

fn course_value((id, title, level, language): (u32, &str, &str, &str)) -> Value {
    json!({"id": id, "title": title, "level": level, "language": language})
}

fn find(id: &str) -> Option<(u32, &'static str, &'static str, &'static str)> {
    COURSES.into_iter().find(|c| c.0.to_string() == id)
}

pub(super) async fn courses(State(shared): State<Arc<Shared>>) -> Json<Vec<Value>> {
    if shared.has(Fault::SlowEndpoint) {
        let jitter = fastrand::u64(0..500);
        tokio::time::sleep(Duration::from_millis(2500 + jitter)).await;
    }
    Json(COURSES.map(course_value).to_vec())
}

pub(super) async fn course(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path(id): Path<String>,
) -> Response {
    // Every tenth: a smoke test alone would not see it.
    if shared.courses_opened.next() % 10 == 9 && shared.has(Fault::Reset) {
        cut.now();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let Some(course) = find(&id) else {
        return refuse(StatusCode::NOT_FOUND, "Course not found");
    };
    let mut answer = course_value(course);
    answer["modules"] = json!([
        {"id": 1, "title": "First words", "lessons": [{"id": 1, "title": "Greetings"}, {"id": 2, "title": "Numbers"}]},
        {"id": 2, "title": "Out and about", "lessons": [{"id": 3, "title": "At the station"}]},
    ]);
    Json(answer).into_response()
}

pub(super) async fn lesson(
    State(shared): State<Arc<Shared>>,
    Path((id, lesson)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if shared.bearer(&headers).is_none() {
        return unauthorized();
    }
    let title = match lesson.as_str() {
        "1" => "Greetings",
        "2" => "Numbers",
        "3" => "At the station",
        _ => return refuse(StatusCode::NOT_FOUND, "Lesson not found"),
    };
    let Some(course) = find(&id) else {
        return refuse(StatusCode::NOT_FOUND, "Course not found");
    };
    Json(json!({
        "id": lesson.parse::<u32>().unwrap_or(1),
        "course_id": course.0,
        "title": title,
        "content": "Read the dialogue aloud, then choose the answer that fits.",
        "exercises": [{
            "id": 1,
            "question": "Which greeting is used in the evening?",
            "options": {"a": "Buenos días", "b": "Buenas noches", "c": "Adiós"},
        }],
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Submission {
    answer: String,
}

pub(super) async fn submit(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // Three in a row of every twenty, and never the first ones: a smoke test alone would not see it.
    if shared.answers_submitted.next() % 20 >= 17 && shared.has(Fault::ErrorBurst) {
        return (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response();
    }
    if shared.bearer(&headers).is_none() {
        return unauthorized();
    }
    let submission: Submission = match read(&body) {
        Ok(submission) => submission,
        Err(refusal) => return *refusal,
    };
    let Ok(exercise @ 1..=9) = id.parse::<u32>() else {
        return refuse(StatusCode::NOT_FOUND, "Exercise not found");
    };
    let correct = submission.answer == "b";
    Json(json!({
        "exercise_id": exercise,
        "state": "graded",
        "correct": correct,
        "score": if correct { 100 } else { 0 },
        "feedback": if correct { "Well done." } else { "Look at the dialogue again." },
    }))
    .into_response()
}
