//! The records of earlier runs, as commands use them.

use pipeline_core::exec::Records;
use pipeline_core::plan::Instance;

use crate::prepare::Prepared;
use crate::{exit_code, terminal};

/// Reads the records of a recipe's folder. What is wrong with them has been said; the error is the exit code.
pub(crate) fn open<'a>(
    prepared: &Prepared,
    force: &'a dyn Fn(&Instance) -> bool,
    hold: &'a dyn Fn(&Instance) -> bool,
) -> Result<Records<'a>, u8> {
    let path = prepared.found.folder.join(".pipeline/state");
    let (state, losses) = Records::open(&prepared.found.folder).map_err(|error| {
        terminal::error( "place::unreadable",
            &format!("the records of earlier runs in {} cannot be read: {error}", path.display()),
            Some("without them nobody knows what is done: make the file readable, or move it away to do everything again"),
        );
        exit_code::PREFLIGHT_FAILED
    })?;
    for loss in losses {
        terminal::warning(&format!("{}: {loss}", path.display()), "nothing is to be done about it");
    }
    let passed = |name: &String| Some((name.clone(), prepared.env.get(std::ffi::OsStr::new(name))?));
    let env = prepared.passed.iter().filter_map(passed);
    let env = env.map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect();
    Ok(Records { state, recipe: prepared.plan.recipe.clone(), env, force, hold })
}
