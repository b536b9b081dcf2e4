//! What can be typed. Values become meaningful types here, so that nothing behind sees a string it has to read again.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::demo::ActiveFault;
use crate::event::Stage;

/// A quality gate: runs smoke, agent and load checks against a deployed stack and decides whether it may be promoted.
#[derive(Debug, Parser)]
#[command(name = "gates", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the plan against an environment and decide
    Run(RunArgs),
    /// Serve the embedded reference stack, for hand work
    Demo(DemoArgs),
    /// Check gates.toml and scenarios without sending anything
    Lint(LintArgs),
    /// Judge the journal of a run again and render its reports
    Report(ReportArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Environment, as named in gates.toml
    pub(super) environment: String,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Run only these stages (repeat or separate by commas); such a run never promotes
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(super) only: Vec<StageName>,
    /// Folder for the run's own folder [default: `reports` of gates.toml]
    #[arg(long, value_name = "DIR")]
    pub(super) reports: Option<PathBuf>,
    /// End with code 5 on CONCERNS instead of 0
    #[arg(long, value_name = "VERDICT")]
    pub(super) fail_on: Option<FailOn>,
    /// Allow load and writes on this protected environment; its name must be repeated
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(super) allow_protected: Option<String>,
    /// Turn on a fault of the embedded stack, at once or later: `agent-down`, `agent-down@10s`
    #[arg(long, value_name = "FAULT")]
    pub(super) fault: Vec<ActiveFault>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The project's file
    #[arg(long, value_name = "FILE", default_value = "gates.toml")]
    pub(super) config: PathBuf,
    /// File of NAME=value lines; the process's own variables win over it
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Port of the base address; the agents take the four behind it [default: free ports]
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// Turn on a fault, at once or later: `agent-down`, `agent-down@10s`
    #[arg(long, value_name = "FAULT")]
    pub(super) fault: Vec<ActiveFault>,
    /// List the faults and the check that sees each
    #[arg(long)]
    pub(super) list_faults: bool,
}

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// Scenario files; without any, the whole project is checked
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Folder of a run
    pub(super) run: PathBuf,
}

/// Verdicts that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// CONCERNS ends with code 5
    Concerns,
}

/// A stage by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StageName {
    /// Is the stack there, and do its services work?
    Preflight,
    /// Each scenario once
    Smoke,
    /// Each agent by its own word
    Agents,
    /// Many virtual users
    Load,
}

impl From<StageName> for Stage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::Preflight => Self::Preflight,
            StageName::Smoke => Self::Smoke,
            StageName::Agents => Self::Agents,
            StageName::Load => Self::Load,
        }
    }
}
