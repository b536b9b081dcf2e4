//! The closed model: goose starts, weights and stops the users; each walks a scenario over our own transport.

use std::sync::Arc;
use std::time::Duration;

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{
    GooseUser, GooseUserData, Scenario as GooseScenario, Transaction, TransactionFunction,
};
use goose::{GooseAttack, GooseScheduler};

use super::Field;
use super::course::State;
use super::walk::{AtWork, Walker};
use crate::plan::LoadProfile;

/// goose clones a user's data only to hand a template user to several scenarios, which is not done here:
/// a clone starts without a walker, and makes one of its own.
struct Seat(Option<Box<(Walker, AtWork)>>);

impl GooseUserData for Seat {
    fn clone_goose_user_data(&self) -> Box<dyn GooseUserData> {
        Box::new(Self(None))
    }
}

/// Runs the attack until the field's course says otherwise.
pub(super) async fn attack(field: Arc<Field>) -> Result<(), String> {
    let profile = &field.session.environment.load;
    let mut attack =
        GooseAttack::initialize_with_config(configuration(profile, &field.session.environment.url))
            .map_err(|e| e.to_string())?
            .set_scheduler(GooseScheduler::RoundRobin)
            // Its own HTTP client is never used here; one that all users share costs next to nothing.
            .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())
            .map_err(|e| e.to_string())?;
    for (index, (scenario, _)) in field.scenarios.iter().enumerate() {
        let goose_scenario = GooseScenario::new(&scenario.name)
            .set_weight(usize::try_from(scenario.weight).unwrap_or(1))
            .map_err(|e| e.to_string())?
            .register_transaction(Transaction::new(journey(Arc::clone(&field), index)));
        attack = attack.register_scenario(goose_scenario);
    }
    attack.execute().await.map(drop).map_err(|e| e.to_string())
}

/// As many users as the profile says, arriving evenly during the warm-up, until they are told to leave:
/// goose counts in whole seconds, the conductor does not. All that goose would measure or print is off.
fn configuration(profile: &LoadProfile, host: &str) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    let rate = f64::from(profile.users) / profile.warm_up.as_secs_f64().max(0.1);
    configuration.host = Some(host.to_owned());
    configuration.users = usize::try_from(profile.users).ok();
    configuration.increase_rate = Some(rate.to_string());
    configuration.quiet = 3;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_telnet = true;
    configuration
}

/// One transaction is one whole journey, so that goose's own cost is paid once per journey.
fn journey(field: Arc<Field>, scenario: usize) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        let field = Arc::clone(&field);
        Box::pin(async move {
            if field.course.state() != State::Run {
                // goose asks again until it has told all users to leave.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Ok(());
            }
            if user.get_session_data_mut::<Seat>().is_none() {
                user.set_session_data(Seat(None));
            }
            if let Some(seat) = user.get_session_data_mut::<Seat>() {
                let (walker, _) = &mut **seat.0.get_or_insert_with(|| {
                    let walker = Walker::new(Arc::clone(&field), scenario);
                    Box::new((walker, AtWork::begin(&field)))
                });
                walker.journey(None).await;
            }
            Ok(())
        })
    })
}
