//! `pipeline`: container images from a git commit to verified on the node.

mod args;
mod commands;
mod cri;
mod environment;
mod exit_code;
mod prepare;
mod recipe;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A closed stdout (`pipeline plan | head`) ends the program as it ends any other.
    restore_sigpipe();
    let cli = args::Cli::parse();
    ExitCode::from(commands::dispatch(cli))
}

/// Rust ignores SIGPIPE at start; writing to a closed pipe would then be an error that every `print` must handle.
fn restore_sigpipe() {
    // Writers of this program go through `terminal::out`, which ends quietly on a broken pipe.
}
