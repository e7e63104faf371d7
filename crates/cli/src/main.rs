//! `pipeline`: container images from a git commit to verified on the node.

mod args;
mod commands;
#[cfg_attr(not(target_os = "linux"), path = "contain/other.rs")]
mod contain;
mod cri;
mod engine;
mod environment;
mod evidence;
mod exit_code;
mod exports;
mod files;
mod frozen;
mod init;
mod lock_file;
mod logs;
mod merge;
mod place;
mod prepare;
mod recipe;
mod records;
mod report;
mod repro;
mod results;
mod retention;
mod runs;
mod ship;
mod step_summary;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    // File modes end up in images, and so in their digests: they must not depend on who runs the recipe.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // What this process was given open is not meant for tools.
    close_fds::set_fds_cloexec(3, &[]);
    ExitCode::from(terminal::ended(commands::dispatch(cli)))
}
