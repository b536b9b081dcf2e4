//! The frontend's pages and assets, and the API's description.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::accounts::refuse;
use super::fault::Fault;
use super::state::Shared;

/// Names the build in every asset's address, as the real frontend does.
const BUILD: &str = "demo-1";
const STYLE: &str = "main{max-width:40rem;margin:4rem auto;font:1.1rem/1.5 system-ui,sans-serif}:root{color-scheme:light dark}";
const SCRIPT: &str = "document.documentElement.dataset.ready='yes';";
const OPENAPI: &str = include_str!("openapi.json");

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/_next/static/{BUILD}/style.css\">\
         <script src=\"/_next/static/{BUILD}/main.js\" defer></script></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    ))
}

pub(super) async fn home(State(shared): State<Arc<Shared>>) -> Response {
    if shared.has(Fault::FrontendDown) {
        return (
            StatusCode::BAD_GATEWAY,
            Html("<html><h1>502 Bad Gateway</h1></html>"),
        )
            .into_response();
    }
    page("Learn a language", "<p>Courses with a tutor who is always there.</p><p><a href=\"/learn\">Your lessons</a></p>")
        .into_response()
}

pub(super) async fn learn() -> Html<String> {
    page(
        "Your lessons",
        "<ul><li>Greetings</li><li>Numbers</li><li>At the station</li></ul>",
    )
}

pub(super) async fn asset(Path((build, file)): Path<(String, String)>) -> Response {
    match (build.as_str(), file.as_str()) {
        (BUILD, "style.css") => {
            ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
        }
        (BUILD, "main.js") => (
            [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
            SCRIPT,
        )
            .into_response(),
        _ => refuse(StatusCode::NOT_FOUND, "Not Found"),
    }
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
