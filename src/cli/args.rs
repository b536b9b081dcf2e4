//! What can be typed. Values become meaningful types here, so that nothing behind sees a string it has to read again.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::demo::ActiveFault;
use crate::event::Stage;
use crate::units::{Rate, parse_duration};

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
    /// Put one scenario under load, without a gates.toml: figures, no promotion
    Load(LoadArgs),
    /// Serve the embedded reference stack, for hand work
    Demo(DemoArgs),
    /// Check gates.toml and scenarios without sending anything
    Lint(LintArgs),
    /// Add up the runs of one load that several processes offered at the same time, and judge them once
    Merge(MergeArgs),
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
    /// The load, by the name of its profile: load, smoke, stress, spike, soak, breakpoint, or one of gates.toml
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
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
#[command(group(clap::ArgGroup::new("model").required(true).args(["users", "rate"])))]
pub(super) struct LoadArgs {
    /// Scenario file
    pub(super) scenario: PathBuf,
    /// Virtual users who each begin a journey when they have ended the one before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) users: Option<u32>,
    /// Journeys that arrive, whether or not those before have ended: 50/s, 300/m
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = Rate::parse)]
    pub(super) rate: Option<Rate>,
    /// With --rate: most users at the same time
    #[arg(long, value_name = "N", default_value = "1000", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) max_users: u32,
    /// With --rate: arrivals in bursts and lulls, instead of evenly
    #[arg(long, requires = "rate")]
    pub(super) poisson: bool,
    /// How long the load is held and counted
    #[arg(long = "for", value_name = "TIME", default_value = "30s", allow_hyphen_values = true, value_parser = longer_than_nothing)]
    pub(super) hold: Duration,
    /// How long it rises before that, not counted
    #[arg(long, value_name = "TIME", default_value = "1s", allow_hyphen_values = true, value_parser = parse_duration)]
    pub(super) warm_up: Duration,
    /// How the load runs: load, smoke, stress, spike, soak; or breakpoint, which searches the highest rate from --rate on
    #[arg(long, value_name = "NAME", default_value = "load", value_parser = ["load", "smoke", "stress", "spike", "soak", "breakpoint"])]
    pub(super) profile: String,
    /// With --profile breakpoint: the rate up to which the targets must hold [default: --rate]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = Rate::parse)]
    pub(super) at_least: Option<Rate>,
    /// What `${url}` stands for
    #[arg(long)]
    pub(super) url: Option<String>,
    /// What another variable stands for (repeatable); values are masked in every output
    #[arg(long, value_name = "NAME=value")]
    pub(super) var: Vec<String>,
    /// Folder for the run's own folder
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
}

fn longer_than_nothing(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
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
pub(super) struct MergeArgs {
    /// Folders of the runs
    #[arg(required = true, num_args = 2..)]
    pub(super) runs: Vec<PathBuf>,
    /// Folder for the reports of all of them together
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
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
