//! Registration, login and profile.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::state::{Shared, Tokens};

/// Longest e-mail, name or password: accounts are kept in memory.
const MAX_TEXT: usize = 200;

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
    let Registration {
        email,
        password,
        name,
    } = &registration;
    if password.chars().count() < 8
        || !email.contains('@')
        || [email, password, name].iter().any(|t| t.len() > MAX_TEXT)
    {
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Password too short, e-mail malformed, or one of them too long",
        );
    }
    match shared.register(email, password, name) {
        None => refuse(StatusCode::BAD_REQUEST, "Email already registered"),
        Some(a) => (
            StatusCode::CREATED,
            Json(json!({"id": a.id, "email": a.email, "name": a.name})),
        )
            .into_response(),
    }
}

fn told(tokens: &Tokens) -> Json<Value> {
    let Tokens { access, refresh } = tokens;
    Json(json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer"}))
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
        Some(tokens) => told(&tokens).into_response(),
        None => refuse(StatusCode::UNAUTHORIZED, "Incorrect email or password"),
    }
}

pub(super) async fn refresh(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let refresh: Refresh = match read(&body) {
        Ok(refresh) => refresh,
        Err(refusal) => return *refusal,
    };
    match shared.refresh(&refresh.refresh_token) {
        Some(tokens) => told(&tokens).into_response(),
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
        Some((_, session)) => {
            shared.logout(session);
            StatusCode::NO_CONTENT.into_response()
        }
        None => unauthorized(),
    }
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.bearer(&headers) {
        Some((account, _)) => {
            shared.delete(account.id);
            StatusCode::NO_CONTENT.into_response()
        }
        None => unauthorized(),
    }
}
