//! Questions on a terminal, one line each. Whoever does not answer all of them gets nothing.

use std::io::{self, BufRead};

use super::{Answers, Field};
use crate::terminal;

/// Asks what is left to ask; `None` when the answers end.
pub(crate) fn ask(answers: &mut Answers, answered: &[Field]) -> Option<()> {
    let asks = Field::ALL.into_iter().filter(|field| !answered.contains(field));
    terminal::note("Enter takes what stands in brackets. Nothing is written before the last answer.\n\n");
    for field in asks {
        // What runs containers on no node is of no interest.
        if field == Field::Runtime && answers.nodes.is_empty() {
            continue;
        }
        loop {
            let default = terminal::clean(&answers.shown(field));
            terminal::note(&format!("{} [{default}]: ", question(field)));
            let mut line = String::new();
            if io::stdin().lock().read_line(&mut line).ok()? == 0 {
                terminal::note("\n");
                return None;
            }
            let answer = line.trim();
            if answer.is_empty() {
                break;
            }
            match answers.set(field, &[answer.to_owned()]) {
                Ok(()) => break,
                Err(rejected) => {
                    terminal::error("usage::bad-value", &rejected.problem, rejected.help.as_deref());
                }
            }
        }
    }
    Some(())
}

fn question(field: Field) -> &'static str {
    match field {
        Field::Name => "Name of the recipe",
        Field::Url => "Git repository with the Dockerfile",
        Field::Branch => "Branch",
        Field::Platforms => "Platforms to build for, separated by commas",
        Field::Engine => "Engine: auto, docker, buildx, podman or buildah",
        Field::Image => "Name of the image",
        Field::Nodes => "Nodes that get it, as HOST or NAME=HOST, separated by commas",
        Field::Runtime => "They run: cri-o, containerd, docker or podman",
    }
}
