//! `gates merge`: one load that several processes offered at the same time, judged once.

use super::args::MergeArgs;
use super::exit::{Exit, OnConcerns};
use super::show;
use crate::report;
use crate::run::{RunFolder, read_shards};

pub(super) fn merge(args: &MergeArgs) -> Exit {
    let folders: Vec<_> = args
        .runs
        .iter()
        .map(|run| RunFolder::existing(run))
        .collect();
    let evaluation = match read_shards(&folders) {
        Ok(evaluation) => evaluation,
        Err(error) => {
            show::error(&error.to_string());
            return Exit::Harness;
        }
    };
    if let Err(error) = std::fs::create_dir_all(&args.out) {
        show::error(&format!(
            "can't make {}: {error}; name another folder with --out",
            args.out.display()
        ));
        return Exit::Harness;
    }
    let failed = report::write_all(&args.out, &evaluation);
    if let Some(load) = &evaluation.load {
        show::out(&report::load_table(load));
    }
    show::out(&report::short(&evaluation, &args.out));
    for failure in &failed {
        show::error(&failure.to_string());
    }
    Exit::of(&evaluation, None, OnConcerns::Promote, failed.is_empty())
}
