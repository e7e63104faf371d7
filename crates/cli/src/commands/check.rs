//! `pipeline check`

use crate::args::{CheckArgs, SelectArgs};
use crate::{exit_code, prepare, terminal};

pub(super) fn check(args: &CheckArgs) -> u8 {
    match prepare::prepare(&args.recipe, &SelectArgs::default(), prepare::WithoutEngine::Assume) {
        Ok(prepared) => {
            if let Some(none) = &prepared.no_engine {
                terminal::note(&format!(
                    "note: {}; the recipe was read as for buildah\n",
                    terminal::clean(&none.message)
                ));
            }
            let count = prepared.plan.graph.node_count();
            let instances = if count == 1 { "instance" } else { "instances" };
            terminal::note(&format!(
                "{}: the recipe is valid ({count} {instances})\n",
                prepared.found.name()
            ));
            exit_code::DONE
        }
        Err(code) => code,
    }
}
