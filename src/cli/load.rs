//! `gates load`: the load engine alone, one scenario against one address, for an engineer at a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::LoadArgs;
use super::exit::{Exit, OnConcerns};
use super::{show, signals};
use crate::event::Spacing;
use crate::plan::{Plan, ProfileKeys, Vars};
use crate::report::{self, Progress};
use crate::run::Order;
use crate::stop::Stop;

/// How often a line is printed: a second is what somebody who watches waits for.
const LINE_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn load(args: LoadArgs) -> Exit {
    let plan = match plan(&args) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let stop = Stop::default();
    if let Err(problem) = signals::listen(&stop) {
        show::error(&format!("can't listen for signals: {problem}"));
        return Exit::Harness;
    }
    let mut progress = Progress::new(LINE_EVERY);
    let order = Order {
        plan,
        only: None,
        faults: Vec::new(),
        reports: Some(args.out),
        stop,
        listener: Box::new(move |record| progress.hear(record)),
    };
    let finished = match crate::run::run(order).await {
        Ok(finished) => finished,
        Err(error) => {
            show::error(&error.to_string());
            return Exit::Harness;
        }
    };
    let evaluation = &finished.evaluation;
    let failed = report::write_all(finished.folder.path(), evaluation);
    if let Some(load) = &evaluation.load {
        show::out(&report::load_table(load));
    }
    show::out(&report::short(evaluation, finished.folder.path()));
    for failure in &failed {
        show::error(&failure.to_string());
    }
    Exit::of(
        evaluation,
        finished.stopped,
        OnConcerns::Promote,
        failed.is_empty(),
    )
}

fn plan(args: &LoadArgs) -> Result<Plan, Exit> {
    let mut variables = BTreeMap::new();
    for text in &args.var {
        let Some((name, value)) = text.split_once('=') else {
            show::error(&format!(
                "--var is written NAME=value, and `{text}` has no `=`"
            ));
            return Err(Exit::Usage);
        };
        variables.insert(name.to_owned(), value.to_owned());
    }
    let keys = ProfileKeys {
        users: args.users,
        rate: args.rate,
        spacing: args.poisson.then_some(Spacing::Poisson),
        max_users: args.rate.map(|_| args.max_users),
        warm_up: Some(args.warm_up),
        hold: Some(args.hold),
        at_least: args.at_least,
        ..ProfileKeys::default()
    };
    let profile = keys.profile(&args.profile).map_err(|(_, problem)| {
        show::error(&problem);
        Exit::Usage
    })?;
    let vars = Vars::of_process();
    Plan::of_scenario(
        &args.scenario,
        args.url.as_deref(),
        variables,
        profile,
        &vars,
    )
    .map_err(|findings| {
        show::findings(&findings);
        Exit::Usage
    })
}
