//! The frontend's pages and assets, and the API's description.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::accounts::refuse;
use super::fault::Fault;
use super::state::Shared;

/// Names the build in every asset's address, as the real frontend does; the pages in assets/ name it too.
const BUILD: &str = "demo-1";
const HOME: &str = include_str!("assets/home.html");
const LEARN: &str = include_str!("assets/learn.html");
const OPENAPI: &str = include_str!("openapi.json");

/// What the pages name: file, content type, content.
const ASSETS: [(&str, &str, &str); 3] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("assets/style.css"),
    ),
    (
        "main.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/main.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

pub(super) async fn home(State(shared): State<Arc<Shared>>) -> Response {
    if shared.has(Fault::FrontendDown) {
        return (
            StatusCode::BAD_GATEWAY,
            Html("<html><h1>502 Bad Gateway</h1></html>"),
        )
            .into_response();
    }
    Html(HOME).into_response()
}

pub(super) async fn learn() -> Html<&'static str> {
    Html(LEARN)
}

pub(super) async fn asset(Path((build, file)): Path<(String, String)>) -> Response {
    let found = ASSETS
        .iter()
        .find(|(name, ..)| build == BUILD && file == *name);
    match found {
        // For ever: another build has another address.
        Some((_, kind, content)) => (
            [
                (header::CONTENT_TYPE, *kind),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            *content,
        )
            .into_response(),
        None => refuse(StatusCode::NOT_FOUND, "Not Found"),
    }
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
