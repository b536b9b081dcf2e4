//! The tutor: answers a question token by token, as a stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::accounts::{read, refuse, unauthorized};
use super::fault::Fault;
use super::state::Shared;

/// What the tutor knows; which of it a question gets depends on the question alone. Each has 8 to 20 words.
const ANSWERS: [&str; 4] = [
    "Good question! Use it when you speak of wishes, doubts and things not real.",
    "Think of what lasts and what passes: the first verb names what someone is, the second how someone feels today.",
    "Say it aloud three times, slowly, then write one sentence of your own with it.",
    "The ending follows the noun. Look at its gender first, then at the case the verb asks for.",
];

#[derive(Deserialize)]
struct Question {
    question: String,
}

/// How the stream of one answer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Sound,
    Stalls,
    NeverEnds,
    EndsEarly,
}

impl Course {
    fn now(shared: &Shared) -> Self {
        [
            (Fault::StallingStream, Self::Stalls),
            (Fault::NeverEndingStream, Self::NeverEnds),
            (Fault::TruncatedStream, Self::EndsEarly),
        ]
        .into_iter()
        .find(|(fault, _)| shared.has(*fault))
        .map_or(Self::Sound, |(_, course)| course)
    }
}

/// One answer being told.
struct Telling {
    words: Vec<&'static str>,
    course: Course,
    seed: u64,
    told: usize,
}

impl Telling {
    fn of(question: &str, course: Course) -> Self {
        // FNV-1a: the same question has the same answer at the same pace in every run.
        let seed = question.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let words = ANSWERS
            .iter()
            .zip(0..)
            .find(|(_, n)| seed % ANSWERS.len() as u64 == *n)
            .map_or(ANSWERS[0], |(answer, _)| answer)
            .split_inclusive(' ')
            .collect();
        Self {
            words,
            course,
            seed,
            told: 0,
        }
    }

    fn pause(&self) -> Duration {
        match self.course {
            Course::Stalls if self.told == 3 => Duration::from_secs(12),
            Course::NeverEnds => Duration::from_millis(20),
            // 10 to 28 ms, and the timer's own millisecond or two.
            _ => Duration::from_millis(10 + self.seed.rotate_right(self.told as u32 * 7) % 19),
        }
    }

    fn next(&mut self) -> Option<Event> {
        let count = self.words.len();
        let n = self.told;
        self.told += 1;
        let word = match self.course {
            Course::EndsEarly if n == 6 => return None,
            Course::NeverEnds => self.words.get(n % count),
            _ => self.words.get(n),
        };
        match word {
            Some(word) => Some(event("token", &json!({"token": word}))),
            None if n == count => Some(event("done", &json!({"tokens": count}))),
            None => None,
        }
    }
}

fn event(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if shared.bearer(&headers).is_none() {
        return unauthorized();
    }
    let Question { question } = match read(&body) {
        Ok(question) => question,
        Err(refusal) => return *refusal,
    };
    if question.trim().is_empty() {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "Question is empty");
    }
    let telling = Telling::of(&question, Course::now(&shared));
    let events = stream::unfold(telling, |mut telling| async move {
        tokio::time::sleep(telling.pause()).await;
        telling
            .next()
            .map(|event| (Ok::<_, Infallible>(event), telling))
    });
    Sse::new(events).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_keeps_to_the_contract() {
        for answer in ANSWERS {
            let words = answer.split_inclusive(' ').count();
            assert!((8..=20).contains(&words), "{words}: {answer}");
        }
        for n in 0..50 {
            let mut telling = Telling::of(&format!("question {n}?"), Course::Sound);
            let count = telling.words.len();
            let mut events = 0;
            loop {
                let pause = telling.pause().as_millis();
                assert!((10..30).contains(&pause), "{pause}");
                if telling.next().is_none() {
                    break;
                }
                events += 1;
            }
            assert_eq!(events, count + 1, "the words, and that it is done");
        }
    }

    #[test]
    fn one_that_never_ends_goes_on() {
        let mut telling = Telling::of("why?", Course::NeverEnds);
        assert!((0..10_000).all(|_| telling.next().is_some()));
    }
}
