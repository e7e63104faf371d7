//! `pipeline check`

use crate::args::{CheckArgs, CheckFormat, SelectArgs};
use crate::prepare::{Looked, Prepared, WithoutEngine, look};
use crate::report::{self, Report};
use crate::{exit_code, terminal};

pub(super) fn check(args: &CheckArgs) -> u8 {
    let looked = look(&args.recipe, &SelectArgs::default(), WithoutEngine::Assume, None);
    let code = looked.prepared.as_ref().map_or_else(|code| *code, |_| exit_code::DONE);
    let report =
        Report { file: looked.file.as_deref(), files: &looked.files, code, diagnostics: &looked.diagnostics };
    match args.format {
        CheckFormat::Text => text(&looked),
        CheckFormat::Json => terminal::out(&report::json(&report)),
        CheckFormat::Sarif => terminal::out(&report::sarif(&report)),
        CheckFormat::Github => terminal::out(&report::github(&report)),
    }
    code
}

fn text(looked: &Looked) {
    terminal::diagnostics(&looked.diagnostics);
    let Ok(Prepared { plan, found, no_engine, .. }) = &looked.prepared else { return };
    if let Some(none) = no_engine {
        terminal::note(&format!(
            "note: {}; the recipe was read as for buildah\n",
            terminal::clean(&none.message)
        ));
    }
    let instances = plan.graph.node_count();
    let s = if instances == 1 { "" } else { "s" };
    terminal::note(&format!("{}: the recipe is valid ({instances} instance{s})\n", found.name()));
}
