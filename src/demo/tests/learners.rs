//! The contract, kept by a stack without faults: what learners do, from the account to the tutor.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::{self, Message};

use super::*;

#[tokio::test]
async fn accounts_are_made_used_and_removed() {
    let demo = Demo::with(&[]).await;
    let ann =
        |password: &str| json!({"email": "ann@example.test", "password": password, "name": "Ann"});
    let made = demo.post("/auth/register", ann("long-enough")).await;
    assert_eq!(made.status, 201);
    let profile = made.json();
    assert_eq!(profile["email"], "ann@example.test");
    assert_eq!(
        demo.post("/auth/register", ann("long-enough")).await.status,
        400
    );
    for body in [
        ann("short"),
        json!({"email": "b@example.test"}),
        json!("text"),
    ] {
        let refused = demo.post("/auth/register", body).await;
        assert_eq!(refused.status, 422);
        assert!(refused.json()["detail"].is_string());
    }
    let wrong = demo.post("/auth/login", ann("wrong-password")).await;
    assert_eq!(
        (wrong.status, wrong.json()),
        (401, json!({"detail": "Incorrect email or password"}))
    );

    let tokens = demo.post("/auth/login", ann("long-enough")).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(demo.get_as(access, "/auth/profile").await.json(), profile);
    assert_eq!(demo.get("/auth/profile").await.status, 401);
    assert_eq!(
        demo.get_as(refresh, "/auth/profile").await.status,
        401,
        "a token to refresh is none for access"
    );

    let refreshed = demo
        .post("/auth/refresh", json!({"refresh_token": refresh}))
        .await;
    assert_eq!(refreshed.status, 200);
    let other = refreshed.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let junk = demo
        .post("/auth/refresh", json!({"refresh_token": access}))
        .await;
    assert_eq!(junk.status, 401);

    assert_eq!(
        demo.post_as(access, "/auth/logout", json!({})).await.status,
        204
    );
    assert_eq!(demo.get_as(access, "/auth/profile").await.status, 401);
    let ended = demo
        .post("/auth/refresh", json!({"refresh_token": refresh}))
        .await;
    assert_eq!(ended.status, 401, "what is logged out can't be refreshed");

    assert_eq!(demo.delete_as(&other, "/auth/account").await.status, 204);
    assert_eq!(demo.get_as(&other, "/auth/profile").await.status, 401);
    assert_eq!(
        demo.post("/auth/login", ann("long-enough")).await.status,
        401
    );
}

#[tokio::test]
async fn every_seeded_learner_can_log_in() {
    let demo = Demo::with(&[]).await;
    for n in 1..=40 {
        let body = json!({"email": format!("learner-{n:02}@example.test"), "password": PASSWORD});
        assert_eq!(demo.post("/auth/login", body).await.status, 200, "{n}");
    }
}

#[tokio::test]
async fn a_course_leads_to_a_graded_exercise() {
    let demo = Demo::with(&[]).await;
    let (token, _) = demo.login().await;
    let courses = demo.get("/courses").await.json();
    let courses = courses.as_array().unwrap();
    assert!(courses.len() >= 3);
    for course in courses {
        assert!(course["title"].is_string() && course["level"].is_string());
        let whole = demo.get(&format!("/courses/{}", course["id"])).await.json();
        assert_eq!(whole["language"], course["language"]);
        for module in whole["modules"].as_array().unwrap() {
            for lesson in module["lessons"].as_array().unwrap() {
                let path = format!("/courses/{}/lessons/{}", course["id"], lesson["id"]);
                assert_eq!(demo.get(&path).await.status, 401);
                let lesson_told = demo.get_as(&token, &path).await.json();
                assert_eq!(lesson_told["title"], lesson["title"]);
                assert_eq!(lesson_told["course_id"], course["id"]);
                let options = &lesson_told["exercises"][0]["options"];
                assert!(options["a"].is_string() && options["c"].is_string());
            }
        }
    }
    assert_eq!(demo.get("/courses/99").await.status, 404);
    assert_eq!(
        demo.get_as(&token, "/courses/1/lessons/99").await.status,
        404
    );

    let submit = "/api/exercises/1/submit";
    for (answer, correct) in [("b", true), ("a", false)] {
        let graded = demo
            .post_as(&token, submit, json!({"answer": answer}))
            .await
            .json();
        assert_eq!(graded["exercise_id"], 1);
        assert_eq!(graded["state"], "graded");
        assert_eq!(graded["correct"], correct);
        assert!(graded["score"].is_number() && graded["feedback"].is_string());
    }
    let status = async |path, body| demo.post_as(&token, path, body).await.status;
    assert_eq!(
        status("/api/exercises/99/submit", json!({"answer": "b"})).await,
        404
    );
    assert_eq!(status(submit, json!({"answer": 1})).await, 422);
    assert_eq!(demo.post(submit, json!({"answer": "b"})).await.status, 401);
}

#[tokio::test]
async fn the_tutor_answers_token_by_token() {
    let demo = Demo::with(&[]).await;
    let (token, _) = demo.login().await;
    let began = Instant::now();
    let question = json!({"question": "What is the difference between ser and estar?"});
    let answer = demo
        .post_as(&token, "/api/tutor/ask", question.clone())
        .await;
    let took = began.elapsed();
    assert_eq!(answer.status, 200);
    assert!(answer.has("content-type", "text/event-stream"));
    let events = events(&answer.body);
    let (done, tokens) = events.split_last().unwrap();
    assert!((8..=20).contains(&tokens.len()));
    for (name, data) in tokens {
        assert_eq!(*name, "token");
        assert!(data["token"].is_string());
    }
    assert_eq!(*done, ("done", json!({"tokens": tokens.len()})));
    assert!(took > Duration::from_millis(80), "all at once: {took:?}");

    assert_eq!(demo.post("/api/tutor/ask", question).await.status, 401);
    for body in [json!({"question": " "}), json!({})] {
        assert_eq!(
            demo.post_as(&token, "/api/tutor/ask", body).await.status,
            422
        );
    }
}

#[tokio::test]
async fn the_socket_tells_health_and_workflows() {
    let demo = Demo::with(&[]).await;
    let (token, _) = demo.login().await;
    let mut socket = demo.socket(&token).await.unwrap();
    let mut answers = Vec::new();
    for message in [
        "",
        r#"{"type": "subscribe_health"}"#,
        r#"{"type": "subscribe_workflow", "workflow_id": "w-7"}"#,
        "junk",
    ] {
        if !message.is_empty() {
            socket.send(Message::text(message)).await.unwrap();
        }
        let text = socket.next().await.unwrap().unwrap().into_text().unwrap();
        answers.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert_eq!(
        answers[0],
        json!({"type": "connection_established", "user_id": 1})
    );
    assert_eq!(answers[1]["type"], "health_update");
    assert_eq!(answers[1]["summary"]["all_healthy"], true);
    assert_eq!(answers[1]["agent_health"].as_object().unwrap().len(), 3);
    assert_eq!(answers[2]["type"], "workflow_update");
    assert_eq!(answers[2]["workflow_id"], "w-7");
    assert_eq!(answers[3]["type"], "error");
    assert!(answers[3]["message"].is_string());

    match demo.socket("junk").await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 403),
        other => panic!("{other:?}"),
    }
}
