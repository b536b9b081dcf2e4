//! Registration, login and profile.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::state::Shared;

#[derive(Deserialize)]
struct Registration {
    email: String,
    password: String,
    name: String,
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

/// An error as FastAPI words it.
pub(super) fn refuse(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({"detail": detail}))).into_response()
}

pub(super) fn unauthorized() -> Response {
    refuse(StatusCode::UNAUTHORIZED, "Could not validate credentials")
}

/// A body as JSON; 422 if it is not what is asked for.
pub(super) fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        Box::new(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("Invalid body: {error}"),
        ))
    })
}

pub(super) async fn register(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let registration: Registration = match read(&body) {
        Ok(registration) => registration,
        Err(refusal) => return *refusal,
    };
    if registration.password.len() < 8 || !registration.email.contains('@') {
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Password too short or e-mail malformed",
        );
    }
    match shared.register(
        &registration.email,
        &registration.password,
        &registration.name,
    ) {
        None => refuse(StatusCode::BAD_REQUEST, "Email already registered"),
        Some(a) => (
            StatusCode::CREATED,
            Json(json!({"id": a.id, "email": a.email, "name": a.name})),
        )
            .into_response(),
    }
}

fn tokens(access: &str) -> Json<Value> {
    Json(
        json!({"access_token": access, "refresh_token": format!("refresh-{access}"), "token_type": "bearer"}),
    )
}

pub(super) async fn login(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    if shared.has(Fault::LoginFails) {
        return (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response();
    }
    let credentials: Credentials = match read(&body) {
        Ok(credentials) => credentials,
        Err(refusal) => return *refusal,
    };
    match shared.login(&credentials.email, &credentials.password) {
        Some(token) => tokens(&token).into_response(),
        None => refuse(StatusCode::UNAUTHORIZED, "Incorrect email or password"),
    }
}

pub(super) async fn refresh(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let refresh: Refresh = match read(&body) {
        Ok(refresh) => refresh,
        Err(refusal) => return *refusal,
    };
    let account = refresh
        .refresh_token
        .strip_prefix("refresh-")
        .and_then(|token| shared.account(token));
    match account.and_then(|a| shared.login(&a.email, &a.password)) {
        Some(token) => tokens(&token).into_response(),
        None => unauthorized(),
    }
}

pub(super) async fn profile(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.bearer(&headers) {
        Some((a, _)) => Json(json!({"id": a.id, "email": a.email, "name": a.name})).into_response(),
        None => unauthorized(),
    }
}

pub(super) async fn logout(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.bearer(&headers) {
        Some((_, token)) => {
            shared.logout(&token);
            StatusCode::NO_CONTENT.into_response()
        }
        None => unauthorized(),
    }
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.bearer(&headers) {
        Some((account, _)) => {
            shared.delete(&account.email);
            StatusCode::NO_CONTENT.into_response()
        }
        None => unauthorized(),
    }
}
