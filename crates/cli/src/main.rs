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
    let cli = args::Cli::parse();
    ExitCode::from(commands::dispatch(cli))
}
