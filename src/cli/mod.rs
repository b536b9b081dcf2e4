//! The command line: one small file per command, no logic of their own.

mod args;
mod demo;
mod exit;
mod lint;
mod load;
mod merge;
mod report;
mod run;
mod show;
mod signals;

use clap::Parser as _;

use args::{Cli, Command};
pub use exit::Exit;

/// Runs the program.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            // Nobody may be reading any more; the code says enough.
            let _ = error.print();
            return exit;
        }
    };
    // One thread: the load is a matter of one core, and the embedded stack has a thread of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            show::error(&format!("can't start the runtime: {error}"));
            return Exit::Harness;
        }
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Load(args) => load::load(args).await,
            Command::Demo(args) => demo::demo(args).await,
            Command::Lint(args) => lint::lint(&args),
            Command::Merge(args) => merge::merge(&args),
            Command::Report(args) => report::report(&args),
        }
    });
    // A name look-up that still waits for its server must not hold up the end.
    runtime.shutdown_background();
    exit
}
