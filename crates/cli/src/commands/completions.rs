//! `pipeline completions SHELL`

use clap::CommandFactory;

use crate::args::Cli;
use crate::{exit_code, terminal};

pub(super) fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pipeline", &mut script);
    terminal::out(&String::from_utf8_lossy(&script));
    exit_code::DONE
}
