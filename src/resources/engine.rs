//! One GET to a Docker engine over its Unix socket. Three requests of its API are needed here, and hyper is there
//! already: docs/decisions/0015.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::Unread;

/// Most bytes of an answer: a list of a thousand containers is about 2 MB.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// An answer that the engine gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body of a success as JSON; what the engine says instead, if it is none.
    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self, path: &str) -> Result<T, Unread> {
        if self.status != 200 {
            #[derive(Deserialize)]
            struct Problem {
                message: String,
            }
            let said = serde_json::from_slice::<Problem>(&self.body).map_or_else(
                |_| String::from_utf8_lossy(&self.body).trim().to_owned(),
                |problem| problem.message,
            );
            return Err(Unread(format!(
                "the Docker engine answers {} to {path}: {said}",
                self.status
            )));
        }
        serde_json::from_slice(&self.body).map_err(|e| {
            Unread(format!(
                "what the Docker engine answers to {path} can't be read ({e}): is it a Docker engine?"
            ))
        })
    }
}

/// Sends one GET on a connection of its own. The caller bounds its time.
pub(super) async fn get(socket: &Path, path: &str) -> Result<Answer, Unread> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|e| no_socket(socket, &e))?;
    let broken = |problem: &dyn std::fmt::Display| {
        Unread(format!(
            "the Docker engine at {} gave no answer that can be read: {problem}",
            socket.display()
        ))
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| broken(&e))?;
    let request = http::Request::get(path)
        .header(http::header::HOST, "docker")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| broken(&e))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|e| broken(&e))?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection moves the exchange. If it ends first, the exchange hears of it and says why.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

fn no_socket(socket: &Path, error: &std::io::Error) -> Unread {
    use std::io::ErrorKind;
    let path = socket.display();
    Unread(match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no Docker engine at {path}: run `gates` on the machine of the containers, or name its `socket`"
        ),
        ErrorKind::PermissionDenied => format!(
            "the Docker engine at {path} may not be asked: let this user into the group of that socket"
        ),
        ErrorKind::ConnectionRefused => {
            format!("nothing listens at {path}: start the Docker engine")
        }
        _ => format!("can't connect to the Docker engine at {path}: {error}"),
    })
}
