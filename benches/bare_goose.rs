//! One GET by goose and nothing else: what `benches/peers.sh` compares a journey step with.
#![expect(clippy::print_stdout, reason = "its figure is all that it is for")]

use goose::config::GooseConfiguration;
use goose::prelude::*;

async fn get(user: &mut GooseUser) -> TransactionResult {
    user.get("/").await?;
    Ok(())
}

/// `bare_goose URL USERS SECONDS`; prints how many requests were made.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, users, seconds] = &arguments[..] else {
        return Err("usage: bare_goose URL USERS SECONDS".into());
    };
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(url.clone());
    configuration.users = Some(users.parse()?);
    configuration.increase_rate = Some("1000".to_owned());
    configuration.run_time = Some(seconds.clone());
    configuration.quiet = 3;
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    let metrics = GooseAttack::initialize_with_config(configuration)?
        .register_scenario(scenario!("get").register_transaction(transaction!(get)))
        .execute()
        .await?;
    let requests: usize = metrics.requests.values().map(|r| r.success_count).sum();
    println!("requests {requests}");
    Ok(())
}
