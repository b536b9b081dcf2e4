//! Asks PostgreSQL as the application does: connect as its user, run a query.

use tokio_postgres::{Config, NoTls};

use super::Finding;
use crate::event::ProbeState;

pub(super) async fn ask(url: &str) -> Finding {
    // SQLAlchemy's addresses name a driver behind a plus; the server knows nothing of it.
    let url = match url.split_once("://") {
        Some((scheme, rest)) if scheme.starts_with("postgres") => format!("postgresql://{rest}"),
        _ => url.to_owned(),
    };
    let mut config: Config = match url.parse() {
        Ok(config) => config,
        // The parser's message could repeat the password.
        Err(_) => {
            return Finding::new(ProbeState::NotAsked, "the address is not one of PostgreSQL");
        }
    };
    config.application_name("gates");
    let (client, connection) = match config.connect(NoTls).await {
        Ok(connected) => connected,
        Err(error) => return finding("refuses the application's user", &error),
    };
    let connection = tokio::spawn(connection);
    let answer = client.query_one("SELECT 1", &[]).await;
    drop(client);
    // Ends by itself now that its client is gone.
    drop(connection);
    match answer {
        Ok(row) if matches!(row.try_get::<_, i32>(0), Ok(1)) => Finding::new(
            ProbeState::Healthy,
            "lets the application's user in and answers a query",
        ),
        Ok(_) => Finding::new(
            ProbeState::NotFunctional,
            "answers `SELECT 1` with something else",
        ),
        Err(error) => finding(
            "lets the application's user in, but does not answer a query",
            &error,
        ),
    }
}

fn finding(what: &str, error: &tokio_postgres::Error) -> Finding {
    match error.as_db_error() {
        Some(db) => Finding::new(
            ProbeState::NotFunctional,
            format!("{what}: {} ({})", db.message(), db.code().code()),
        ),
        None => {
            let cause = std::error::Error::source(error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            Finding::new(
                ProbeState::Unreachable,
                format!("can't be reached: {cause}"),
            )
        }
    }
}
