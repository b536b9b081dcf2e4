//! `gates run`: loads the plan, boots the embedded stack if that is what is asked for, runs, tells the decision.

use std::time::Duration;

use super::args::{ConfigArgs, RunArgs};
use super::exit::{Exit, OnConcerns};
use super::{show, signals};
use crate::demo::{Stack, StackOptions};
use crate::plan::{Choice, Finding, Plan, Project, Protected, StackKind, Vars};
use crate::report::{self, Progress};
use crate::run::{Finished, Order};
use crate::stop::Stop;

/// Password of the embedded stack's learners unless LEARNER_PASSWORD says otherwise.
pub(super) const DEMO_PASSWORD: &str = "learn-with-gates";
/// How often a line about the load is printed.
const LINE_EVERY: Duration = Duration::from_secs(4);

pub(super) async fn run(args: RunArgs) -> Exit {
    let (project, mut vars) = match open(&args.config, Some(&args.environment)) {
        Ok(opened) => opened,
        Err(findings) => {
            show::findings(&findings);
            return Exit::Usage;
        }
    };
    let stack = match boot(&project, &args, &mut vars).await {
        Ok(stack) => stack,
        Err(exit) => return exit,
    };
    let protected = match &args.allow_protected {
        Some(name) if *name == args.environment => Protected::Allow,
        Some(name) => {
            show::error(&format!(
                "--allow-protected names `{name}`, but the run is on `{}`",
                args.environment
            ));
            return Exit::Usage;
        }
        None => Protected::Respect,
    };
    let choice = Choice {
        protected,
        profile: args.profile.clone(),
    };
    let plan = match Plan::load(&project, &args.environment, &vars, &choice) {
        Ok(plan) => plan,
        Err(findings) => {
            show::findings(&findings);
            return Exit::Usage;
        }
    };
    let exit = execute(args, plan).await;
    drop(stack);
    exit
}

/// Opens gates.toml and gathers the variables that it may use.
pub(super) fn open(
    config: &ConfigArgs,
    environment: Option<&str>,
) -> Result<(Project, Vars), Vec<Finding>> {
    let project = Project::open(&config.config).map_err(|f| vec![f])?;
    let mut vars = Vars::of_process();
    if let Some(file) = &config.env_file {
        vars.add_file(file).map_err(|f| vec![f])?;
    } else if let Some(file) = environment
        .and_then(|e| project.env_file(e))
        .filter(|f| f.exists())
    {
        // One that gates.toml names need not exist: in CI, variables come from the job.
        vars.add_file(&file).map_err(|f| vec![f])?;
    }
    Ok((project, vars))
}

/// Boots the embedded stack for an environment that is one, and tells the plan its addresses.
async fn boot(project: &Project, args: &RunArgs, vars: &mut Vars) -> Result<Option<Stack>, Exit> {
    let kind = project.stack(&args.environment).map_err(|finding| {
        show::findings(&[finding]);
        Exit::Usage
    })?;
    match kind {
        StackKind::Deployed if args.fault.is_empty() => Ok(None),
        StackKind::Deployed => {
            show::error(&format!(
                "--fault turns on faults of the embedded stack, and `{}` is a deployed one",
                args.environment
            ));
            Err(Exit::Usage)
        }
        StackKind::Embedded => {
            let learner_password = vars
                .get("LEARNER_PASSWORD")
                .unwrap_or(DEMO_PASSWORD)
                .to_owned();
            let options = StackOptions {
                faults: args.fault.clone(),
                learner_password,
                port: None,
            };
            let stack = Stack::start(options).await.map_err(|error| {
                show::error(&error.to_string());
                Exit::Harness
            })?;
            let addresses = stack.addresses();
            vars.set("GATES_DEMO_URL", format!("http://{}", addresses.base));
            for (name, address) in &addresses.agents {
                vars.set(demo_variable(name.name()), format!("http://{address}"));
            }
            Ok(Some(stack))
        }
    }
}

/// The variable that holds an embedded agent's address.
pub(super) fn demo_variable(agent: &str) -> String {
    format!("GATES_DEMO_{}_URL", agent.to_uppercase().replace('-', "_"))
}

async fn execute(args: RunArgs, plan: Plan) -> Exit {
    let stop = Stop::default();
    if let Err(problem) = signals::listen(&stop) {
        show::error(&format!("can't listen for signals: {problem}"));
        return Exit::Harness;
    }
    let mut progress = Progress::new(LINE_EVERY);
    let order = Order {
        plan,
        only: (!args.only.is_empty()).then(|| args.only.iter().map(|s| (*s).into()).collect()),
        faults: args.fault.iter().map(ToString::to_string).collect(),
        reports: args.reports,
        stop,
        listener: Box::new(move |record| progress.hear(record)),
    };
    match crate::run::run(order).await {
        Ok(finished) => {
            let on_concerns = if args.fail_on.is_some() {
                OnConcerns::Refuse
            } else {
                OnConcerns::Promote
            };
            tell(&finished, on_concerns)
        }
        Err(error) => {
            show::error(&error.to_string());
            Exit::Harness
        }
    }
}

/// Writes the reports and tells the decision.
pub(super) fn tell(finished: &Finished, on_concerns: OnConcerns) -> Exit {
    let Finished {
        evaluation,
        folder,
        stopped,
    } = finished;
    let failed = report::write_all(folder.path(), evaluation);
    show::out(&report::summary(evaluation, folder.path()));
    for failure in &failed {
        show::error(&failure.to_string());
    }
    Exit::of(evaluation, *stopped, on_concerns, failed.is_empty())
}
