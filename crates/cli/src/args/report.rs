//! `report`

use std::path::PathBuf;

use clap::Args;

pub(super) const REPORT_HELP: &str = "\
Examples:
  pipeline report                        of the newest run, into a file here
  pipeline report -o run.html ^1         of the one before it
  pipeline report 20261130T2 | gzip >report.html.gz
  pipeline report --merge results/* -o run.html

Exit codes: 0 it is written, 1 the run's record cannot be read or the report not be written, 2 usage";

/// See `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The run: its id, how that begins, or `^1` for the one before the newest; the newest when absent
    pub(crate) run: Option<String>,
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
    /// Make one report of the runs of several machines: folders that `run --results-to` left, or folders of runs
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["run", "recipe"])]
    pub(crate) merge: Vec<PathBuf>,
    /// The file, `-` for stdout; `report-RUN.html` here when absent and stdout is a terminal, else stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
