//! The closed model: goose starts, weights and stops the users; each walks a scenario over our own transport.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{
    GooseUser, GooseUserData, Scenario as GooseScenario, Transaction, TransactionFunction,
};
use goose::{GooseAttack, GooseScheduler};

use super::Field;
use super::course::State;
use super::walk::{AtWork, Walker};
use crate::event::Shape;
use crate::plan::LoadProfile;

/// Within this time all users are ready, if the first phase is no longer.
const READY_IN: Duration = Duration::from_millis(100);
/// Longer than this is not needed for any number of users.
const MOST_READY_IN: Duration = Duration::from_secs(5);
/// What somebody waits who has no place in the rest of the load: until it is over.
const FOR_EVER: Duration = Duration::from_secs(366 * 86_400);

/// A user's place among all users, in the order in which they came, and what it walks with.
struct Seat {
    number: u32,
    walker: Option<Box<Walker>>,
    at_work: Option<AtWork>,
}

/// goose clones a user's data only to hand a template user to several scenarios, which is not done here:
/// a clone starts without a walker, and makes one of its own.
impl GooseUserData for Seat {
    fn clone_goose_user_data(&self) -> Box<dyn GooseUserData> {
        Box::new(Self {
            number: self.number,
            walker: None,
            at_work: None,
        })
    }
}

impl Seat {
    /// Walks one journey; or, if the load has no place for this user now, leaves and waits until it has.
    async fn take(&mut self, field: &Arc<Field>, scenario: usize) {
        let now = Instant::now();
        let place = field.timeline.rises_above(f64::from(self.number), now);
        if place == Some(now) {
            self.at_work.get_or_insert_with(|| AtWork::begin(field));
            let walker = self
                .walker
                .get_or_insert_with(|| Box::new(Walker::new(Arc::clone(field), scenario)));
            walker.journey(None).await;
            return;
        }
        self.at_work = None;
        if let Some(walker) = &mut self.walker {
            walker.leave();
        }
        let wait = pin!(tokio::time::sleep_until(
            place.unwrap_or(now + FOR_EVER).into()
        ));
        let listener = field.course.listen();
        listener.unless(&field.course, State::WindDown, wait).await;
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
    let come = Arc::new(AtomicU32::new(0));
    for (index, (scenario, _)) in field.scenarios.iter().enumerate() {
        let goose_scenario = GooseScenario::new(&scenario.name)
            .set_weight(usize::try_from(scenario.weight).unwrap_or(1))
            .map_err(|e| e.to_string())?
            .register_transaction(Transaction::new(journey(
                Arc::clone(&field),
                index,
                Arc::clone(&come),
            )));
        attack = attack.register_scenario(goose_scenario);
    }
    attack.execute().await.map(drop).map_err(|e| e.to_string())
}

/// As many users as there are at most. When each begins and rests is for the profile's phases to say, which goose
/// counts in whole seconds; so goose has them ready a little before. All that goose would measure or print is off.
fn configuration(profile: &LoadProfile, host: &str) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    let first = match &profile.shape {
        Shape::Phases { phases } => phases.first().map_or(Duration::ZERO, |p| p.lasts),
        Shape::Search(_) => Duration::ZERO,
    };
    let ready_in = first.mul_f64(0.8).clamp(READY_IN, MOST_READY_IN);
    let rate = f64::from(profile.users) / ready_in.as_secs_f64();
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

/// One transaction is all journeys of a user, so that goose's own cost is paid once per user.
fn journey(field: Arc<Field>, scenario: usize, come: Arc<AtomicU32>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        let (field, come) = (Arc::clone(&field), Arc::clone(&come));
        Box::pin(async move {
            if field.course.state() != State::Run {
                // goose asks again until it has told all users to leave.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Ok(());
            }
            if user.get_session_data_mut::<Seat>().is_none() {
                let number = come.fetch_add(1, Ordering::Relaxed);
                user.set_session_data(Seat {
                    number,
                    walker: None,
                    at_work: None,
                });
            }
            if let Some(seat) = user.get_session_data_mut::<Seat>() {
                while field.course.state() == State::Run {
                    seat.take(&field, scenario).await;
                }
            }
            Ok(())
        })
    })
}
