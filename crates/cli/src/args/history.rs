//! Arguments of the commands that look at earlier runs.

use std::time::Duration;

use clap::Args;
use pipeline_core::steps::parse_duration;

use super::{ExportArgs, TableFormat};

/// See `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    pub(crate) recipe: Option<String>,
    /// So many of the newest; 0 for all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) number: usize,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

/// See `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    pub(crate) recipe: Option<String>,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

/// Whose runs.
#[derive(Debug, Args)]
pub(crate) struct WhoseRuns {
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
}

pub(super) const LOGS_HELP: &str = "\
Examples:
  pipeline logs                          what failed in the newest run, else what there is
  pipeline logs build                    the step for all targets and nodes, in the newest run
  pipeline logs ^1 'deliver@*@edge-1'    of the run before it
  pipeline logs --follow                 everything that a run under way prints, until it ends";

/// See `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run: its id, how that begins, or `^1` for the one before the newest; the newest when absent. What names no run is
    /// taken for a STEP
    pub(crate) run: Option<String>,
    /// A step, `STEP@TARGET` or `STEP@TARGET@NODE`; globs. Without one, those that failed, else a list
    pub(crate) step: Option<String>,
    #[command(flatten)]
    pub(crate) whose: WhoseRuns,
    /// Go on with what a run under way prints, until it ends; of all steps where none is named
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only of steps that failed
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only so many of the last lines of each
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,
}

/// See `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier run: its id, how that begins, or `^1` for the one before the newest; that one when absent
    #[arg(value_name = "RUN")]
    pub(crate) old: Option<String>,
    /// The later run; the newest when absent
    #[arg(value_name = "RUN")]
    pub(crate) new: Option<String>,
    #[command(flatten)]
    pub(crate) whose: WhoseRuns,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

pub(super) const CLEAN_HELP: &str = "\
Never removed: a run under way, of each recipe the last run that failed and the last that did something, and the last
statement of provenance about each archive.

Without options, `--runs` is meant. `pipeline run` does `--runs=50` when it has ended, see `--keep-runs`";

/// See `clean`.
#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    pub(crate) recipe: Option<String>,
    /// Remove all but the newest runs
    #[arg(long, value_name = "KEEP", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub(crate) runs: Option<usize>,
    /// Remove runs that are older, such as `30d`
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,
    /// Remove also what steps made here: `work/`, `out/` and `store/` below `.pipeline`. The next run makes again what it needs
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(short, long, env = "PIPELINE_YES", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) yes: bool,
    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// A duration in which days and weeks may stand.
fn age(text: &str) -> Result<Duration, String> {
    let refuse = || "write an age such as `12h`, `30d` or `8w`".to_owned();
    for (unit, days) in [('d', 1_u64), ('w', 7)] {
        if let Some(number) = text.strip_suffix(unit) {
            let number: u64 = number.parse().map_err(|_| refuse())?;
            return number.checked_mul(days * 86_400).map(Duration::from_secs).ok_or_else(refuse);
        }
    }
    parse_duration(text).ok_or_else(refuse)
}

/// See `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportCommandArgs {
    /// The run: its id, how that begins, or `^1` for the one before the newest; the newest when absent
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) whose: WhoseRuns,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let seconds = |text: &str| age(text).map(|age| age.as_secs());
        assert_eq!(seconds("30d"), Ok(30 * 86_400));
        assert_eq!(seconds("2w"), Ok(14 * 86_400));
        assert_eq!(seconds("90s"), Ok(90));
        for bad in ["", "d", "-1d", "30", "1y", "99999999999999999999d", "999999999999999999w"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
