//! `pipeline matrix`

use pipeline_core::ci::{Form, matrix as jobs};
use pipeline_core::frozen::Frozen;

use crate::args::{MatrixArgs, MatrixFormat};
use crate::prepare::{WithoutEngine, prepare};
use crate::{exit_code, frozen, terminal};

pub(super) fn matrix(args: &MatrixArgs) -> u8 {
    let plan = match &args.plan {
        Some(plan) => frozen::read(plan),
        None => made(args),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let form = match args.format {
        MatrixFormat::Github => Form::Github,
        MatrixFormat::Gitlab => Form::Gitlab,
        MatrixFormat::Json => Form::Json,
    };
    match jobs(&plan, form) {
        // GitHub reads it from a line of `$GITHUB_OUTPUT`.
        Ok(jobs) if form == Form::Github => terminal::out(&format!("{jobs}\n")),
        Ok(jobs) => terminal::out(&format!("{jobs:#}\n")),
        Err(error) => {
            terminal::error("frozen::matrix", &error.to_string(), Some(error.help()));
            return exit_code::USAGE;
        }
    }
    exit_code::DONE
}

/// From the recipe as it is.
fn made(args: &MatrixArgs) -> Result<Frozen, u8> {
    let prepared = prepare(&args.recipe, &args.select, WithoutEngine::Assume)?;
    Ok(frozen::of(&prepared, &args.select))
}
