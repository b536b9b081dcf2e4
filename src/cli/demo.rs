//! `gates demo`: serves the embedded reference stack until it is stopped.

use super::args::DemoArgs;
use super::exit::Exit;
use super::{run, show, signals};
use crate::demo::{Fault, Stack, StackOptions};
use crate::stop::Stop;

pub(super) async fn demo(args: DemoArgs) -> Exit {
    if args.list_faults {
        let width = Fault::ALL.iter().map(|f| f.name().len()).max().unwrap_or(0);
        for fault in Fault::ALL {
            show::out(&format!(
                "{fault:<width$}  {}\n{:<width$}  seen by {}",
                fault.breaks(),
                "",
                fault.caught_by()
            ));
        }
        return Exit::Success;
    }
    let learner_password =
        std::env::var("LEARNER_PASSWORD").unwrap_or_else(|_| run::DEMO_PASSWORD.to_owned());
    let options = StackOptions {
        faults: args.fault,
        learner_password,
        port: args.port,
    };
    let stack = match Stack::start(options).await {
        Ok(stack) => stack,
        Err(error) => {
            show::error(&error.to_string());
            return Exit::Harness;
        }
    };
    let addresses = stack.addresses();
    show::out(&format!(
        "the reference stack serves at http://{}/",
        addresses.base
    ));
    for (name, address) in &addresses.agents {
        show::out(&format!("  {:<18} http://{address}/health", name.name()));
    }
    show::out("learners: learner-01@example.test … learner-40@example.test; Ctrl-C ends it");
    let stop = Stop::default();
    if let Err(problem) = signals::listen(&stop) {
        show::error(&format!("can't listen for signals: {problem}"));
        return Exit::Harness;
    }
    stop.wait().await;
    drop(stack);
    Exit::Success
}
