//! The stack over real sockets: each line of docs/reference-stack.md, each fault, and how it starts and stops.

mod contract;
mod faults;
mod learners;
mod lifecycle;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

use super::{AgentName, Stack, StackOptions};

const PASSWORD: &str = "a-password";

/// A running stack and the questions that the tests ask it.
struct Demo {
    stack: Stack,
}

/// One answer, as plainly as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// The header lines, in lower case.
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn has(&self, header: &str, value: &str) -> bool {
        self.head
            .lines()
            .any(|line| line.starts_with(&format!("{header}: {value}")))
    }
}

impl Demo {
    async fn with(faults: &[&str]) -> Self {
        let options = StackOptions {
            faults: faults.iter().map(|f| f.parse().unwrap()).collect(),
            learner_password: PASSWORD.to_owned(),
            port: None,
        };
        Self {
            stack: Stack::start(options).await.unwrap(),
        }
    }

    fn base(&self) -> SocketAddr {
        self.stack.addresses().base
    }

    fn agent(&self, name: AgentName) -> SocketAddr {
        let agents = &self.stack.addresses().agents;
        agents.iter().find(|(n, _)| *n == name).unwrap().1
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.base(), "GET", path, None, None).await.unwrap()
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        ask(self.base(), "GET", path, Some(token), None)
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        ask(self.base(), "POST", path, None, Some(body))
            .await
            .unwrap()
    }

    async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        ask(self.base(), "POST", path, Some(token), Some(body))
            .await
            .unwrap()
    }

    async fn delete_as(&self, token: &str, path: &str) -> Answer {
        ask(self.base(), "DELETE", path, Some(token), None)
            .await
            .unwrap()
    }

    /// The tokens of a seeded learner: access, refresh.
    async fn login(&self) -> (String, String) {
        let answer = self
            .post(
                "/auth/login",
                json!({"email": "learner-01@example.test", "password": PASSWORD}),
            )
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "bearer");
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    async fn socket(
        &self,
        token: &str,
    ) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, tungstenite::Error> {
        let stream = TcpStream::connect(self.base()).await.unwrap();
        let url = format!("ws://{}/api/agents/ws/{token}", self.base());
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(socket)
    }
}

/// One request on a connection of its own.
async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let bearer = token.map_or_else(String::new, |t| format!("authorization: Bearer {t}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         {bearer}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = head.to_lowercase();
    let body = if head.contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok(Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head,
        body,
    })
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    body
}

/// The events of a stream: name, data.
fn events(body: &str) -> Vec<(&str, Value)> {
    body.split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            (
                name.strip_prefix("event: ").unwrap(),
                serde_json::from_str(data).unwrap(),
            )
        })
        .collect()
}

/// Whether `future` is still not ready after `time`.
async fn outlasts(time: Duration, future: impl Future) -> bool {
    tokio::time::timeout(time, future).await.is_err()
}

/// Asserts that a timestamp is of the last seconds.
fn assert_fresh(value: &Value) {
    let at: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(at).as_secs();
    assert!((0..5).contains(&age), "{value} is {age} s old");
}
