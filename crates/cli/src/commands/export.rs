//! `pipeline export`

use crate::args::ExportCommandArgs;
use crate::{exit_code, exports, runs, terminal};

pub(super) fn export(args: &ExportCommandArgs) -> u8 {
    let (Ok(code) | Err(code)) = written(args);
    code
}

fn written(args: &ExportCommandArgs) -> Result<u8, u8> {
    let folder = runs::folder(args.whose.recipe.as_deref())?;
    let run = runs::find(&folder, args.run.as_deref())?;
    let _ = (&run, exports::write, terminal::note);
    Ok(exit_code::DONE)
}
