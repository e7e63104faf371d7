//! `pipeline export`

use pipeline_core::export::bare;

use crate::args::ExportCommandArgs;
use crate::{exit_code, exports, runs, terminal};

pub(super) fn export(args: &ExportCommandArgs) -> u8 {
    let (Ok(code) | Err(code)) = written(args);
    code
}

fn written(args: &ExportCommandArgs) -> Result<u8, u8> {
    let wanted = &args.exports;
    if [&wanted.junit, &wanted.trace, &wanted.metadata_file].iter().all(|file| file.is_none()) {
        terminal::error(
            "usage::nothing-to-do",
            "nothing was asked for",
            Some("say `--junit FILE`, `--trace FILE` or `--metadata-file FILE`"),
        );
        return Err(exit_code::USAGE);
    }
    let folder = runs::folder(args.whose.recipe.as_deref())?;
    let run = runs::find(&folder, args.run.as_deref())?;
    let unreadable = |error: &dyn std::fmt::Display| {
        terminal::error("history::unreadable", &error.to_string(), Some(runs::NAMES));
        exit_code::STEP_FAILED
    };
    let (account, _) = runs::outline(&folder, &run).map_err(|error| unreadable(&error))?;
    let plan = run.plan().map_err(|error| unreadable(&error))?;
    if plan.is_none() && wanted.metadata_file.is_some() {
        terminal::warning(
            &format!("run {} had nothing to do and keeps no plan, which knows the images", run.id),
            "export the run that made them: `pipeline history` lists the runs",
        );
    }
    let plan = plan.unwrap_or_else(|| bare(&account));
    exports::write(wanted, &plan, &account, &run).map_err(|problem| {
        terminal::error("run::unrecorded", &problem, None);
        exit_code::STEP_FAILED
    })?;
    Ok(exit_code::DONE)
}
