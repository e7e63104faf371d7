//! Arguments of what tells about the program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// See `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page of this command; of the program when absent. `pipeline man run | man -l -` shows it
    pub(crate) command: Option<String>,
    /// Write all pages into this folder, as `pipeline.1`, `pipeline-run.1` and so on
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) output: Option<PathBuf>,
    /// For man(1), or all commands on one page in Markdown
    #[arg(long, value_enum, default_value_t = ManFormat::Roff, conflicts_with_all = ["command", "output"])]
    pub(crate) format: ManFormat,
}

/// See `man --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManFormat {
    /// For man(1)
    Roff,
    /// For the book
    Markdown,
}
