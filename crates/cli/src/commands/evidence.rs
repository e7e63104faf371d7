//! `pipeline evidence`: a run's folder as one file that can be checked elsewhere.

use pipeline_core::evidence::{BundleError, bundle};

use crate::args::EvidenceArgs;
use crate::{evidence, exit_code, runs, terminal};

pub(super) fn evidence(args: &EvidenceArgs) -> u8 {
    let (Ok(code) | Err(code)) = written(args);
    code
}

fn written(args: &EvidenceArgs) -> Result<u8, u8> {
    let folder = runs::folder(args.file.recipe.as_deref())?;
    let run = match &args.run {
        Some(run) => runs::find(&folder, Some(run))?,
        None => runs::find_whole(&folder)?,
    };
    let key = args.sign.as_deref().map(evidence::signer).transpose()?;
    let list = bundle(&run.id, run.path(), &args.output, key.as_ref()).map_err(|error| {
        let help = match &error {
            BundleError::Altered { .. } => Some("the run is still under way: wait for its end"),
            BundleError::Name(_) => Some("nobody but `pipeline` puts anything there: move it away"),
            _ => None,
        };
        terminal::error("evidence::unreadable", &error.to_string(), help);
        exit_code::STEP_FAILED
    })?;
    let signed = if key.is_some() { ", signed" } else { "" };
    let output = args.output.display();
    terminal::note(&format!("{output}: run {}, {} parts{signed}\n", run.id, list.parts.len()));
    Ok(exit_code::DONE)
}
