//! Asks Redis as the application does: authenticate, then `PING`.

use redis::{Client, ErrorKind, ServerErrorKind};

use super::Finding;
use crate::event::ProbeState;

pub(super) async fn ask(url: &str) -> Finding {
    let Ok(client) = Client::open(url) else {
        // The parser's message could repeat the password.
        return Finding::new(ProbeState::NotAsked, "the address is not one of Redis");
    };
    let mut connection = match client.get_multiplexed_async_connection().await {
        Ok(connection) => connection,
        Err(error) => return finding("refuses to let the application in", &error),
    };
    match redis::cmd("PING")
        .query_async::<String>(&mut connection)
        .await
    {
        Ok(answer) if answer == "PONG" => Finding::new(
            ProbeState::Healthy,
            "lets the application in and answers PING",
        ),
        Ok(answer) => Finding::new(
            ProbeState::NotFunctional,
            format!("answers PING with {answer}"),
        ),
        Err(error) => finding("lets the application in, but does not answer PING", &error),
    }
}

fn finding(what: &str, error: &redis::RedisError) -> Finding {
    let loading = error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading);
    if error.is_io_error() || error.is_connection_refusal() || error.is_timeout() {
        Finding::new(
            ProbeState::Unreachable,
            format!("can't be reached: {error}"),
        )
    } else if loading {
        Finding::new(ProbeState::NotFunctional, "is still loading its data")
    } else {
        Finding::new(ProbeState::NotFunctional, format!("{what}: {error}"))
    }
}
