//! The agents' WebSocket: health and workflows, pushed to whoever subscribes.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::accounts::refuse;
use super::agents;
use super::fault::Fault;
use super::state::Shared;

pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    Path(token): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some((account, _)) = shared.account(&token) else {
        return refuse(StatusCode::FORBIDDEN, "Invalid token");
    };
    upgrade
        .max_message_size(64 * 1024)
        .on_upgrade(move |socket| talk(socket, shared, account.id))
}

async fn talk(mut socket: WebSocket, shared: Arc<Shared>, user: u32) {
    let hello = json!({"type": "connection_established", "user_id": user});
    if say(&mut socket, &hello).await.is_err() || shared.has(Fault::WebsocketCloses) {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let request: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = match request["type"].as_str() {
            Some("subscribe_health") => {
                let aggregate = agents::aggregate(&shared);
                json!({"type": "health_update", "agent_health": aggregate["agent_health"], "summary": aggregate["summary"]})
            }
            Some("subscribe_workflow") => {
                json!({"type": "workflow_update", "workflow_id": request["workflow_id"], "status": "completed", "progress": 100})
            }
            Some("pong") => continue,
            _ => json!({"type": "error", "message": "Unknown message type"}),
        };
        if say(&mut socket, &answer).await.is_err() {
            return;
        }
    }
}

async fn say(socket: &mut WebSocket, value: &Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(value.to_string().into())).await
}
