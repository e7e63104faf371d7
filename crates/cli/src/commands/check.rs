//! `pipeline check`

use crate::args::{CheckArgs, SelectArgs};
use crate::{exit_code, prepare, terminal};

pub(super) fn check(args: &CheckArgs) -> u8 {
    let everything = SelectArgs { target: Vec::new(), node: Vec::new(), skip: Vec::new() };
    match prepare::prepare(&args.recipe, &everything) {
        Ok(prepared) => {
            terminal::note(&format!(
                "{}: the recipe is valid ({} instances)\n",
                prepared.found.source.name(),
                prepared.plan.graph.node_count()
            ));
            exit_code::DONE
        }
        Err(code) => code,
    }
}
