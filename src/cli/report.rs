//! `gates report`: reads a run's journal, also one that was cut off, judges it and renders its reports.

use super::args::ReportArgs;
use super::exit::{Exit, OnConcerns};
use super::{run, show};
use crate::run::{Finished, RunFolder, read_journal};

pub(super) fn report(args: &ReportArgs) -> Exit {
    let folder = RunFolder::existing(&args.run);
    match read_journal(&folder) {
        Ok(evaluation) => run::tell(
            &Finished {
                evaluation,
                folder,
                stopped: None,
            },
            OnConcerns::Promote,
        ),
        Err(error) => {
            show::error(&error.to_string());
            Exit::Harness
        }
    }
}
