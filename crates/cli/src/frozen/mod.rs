//! `plan -o`, which freezes a plan, and `run --plan`, which takes nothing else: the same recipe to the byte, the same steps.

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use pipeline_core::diag::Diagnostic;
use pipeline_core::frozen::{FileRole, Frozen, Origin, Select};
use pipeline_core::spec::Given;

use crate::args::{RecipeArgs, SelectArgs};
use crate::prepare::{self, Prepared, WithoutEngine};
use crate::recipe;
use crate::{exit_code, terminal};

pub(crate) use files::same_files;
use files::{files, stale};

/// Freezes a plan that was made from these arguments.
pub(crate) fn freeze(prepared: &Prepared, select: &SelectArgs) -> Result<Frozen, u8> {
    if let Some(fetched) = &prepared.found.fetched {
        terminal::error(
            "frozen::remote",
            &format!(
                "the recipe is of the repository {}, and a frozen plan belongs to a checkout",
                fetched.url
            ),
            Some("check the repository out, and freeze the plan of the recipe in it"),
        );
        return Err(exit_code::USAGE);
    }
    Ok(of(prepared, select))
}

/// The same, of whatever recipe: for looking at.
pub(crate) fn of(prepared: &Prepared, select: &SelectArgs) -> Frozen {
    let select =
        Select { targets: select.target.clone(), nodes: select.node.clone(), skip: select.skip.clone() };
    let Given { set, env, recipe_commit, env_vars: _ } = prepared.given.clone();
    Frozen::of(
        &prepared.plan,
        Origin {
            program: env!("CARGO_PKG_VERSION"),
            folder: &prepared.found.folder,
            files: files(&prepared.found),
            platform: prepared.platform.clone(),
            commit: recipe_commit,
            set,
            env,
            select,
            ci: &prepared.ci,
            secret: &prepared.secret,
            auto: prepared.auto,
        },
    )
}

/// What `run --plan` is to do a part of: the plan, made again. The error is the exit code.
pub(crate) fn thaw(file: &Path, recipe: &RecipeArgs) -> Result<(Prepared, Frozen), u8> {
    let frozen = read(file)?;
    let refused = |diagnostic: &Diagnostic| {
        terminal::diagnostic(diagnostic);
        prepare::not_found(diagnostic)
    };
    let args = arguments(&frozen, recipe).map_err(|diagnostic| refused(&diagnostic))?;
    let wanted = SelectArgs {
        target: frozen.select.targets.clone(),
        node: frozen.select.nodes.clone(),
        skip: frozen.select.skip.clone(),
    };
    let looked = prepare::look(&args, &wanted, WithoutEngine::Refuse, Some(&frozen));
    terminal::diagnostics(&looked.diagnostics);
    let prepared = looked.prepared?;
    let differences = frozen.differences(&of(&prepared, &wanted));
    if !differences.is_empty() {
        terminal::diagnostic(&stale(&differences));
        return Err(exit_code::LOCK_STALE);
    }
    Ok((prepared, frozen))
}

/// A frozen plan is text of a few hundred bytes for each step.
const LARGEST: u64 = 64 << 20;

/// Reads a frozen plan, or says why not.
pub(crate) fn read(file: &Path) -> Result<Frozen, u8> {
    let failed = |why: &str, help: &str| {
        terminal::error("frozen::unread", &format!("cannot take `{}`: {why}", file.display()), Some(help));
        exit_code::USAGE
    };
    let text =
        text(file).map_err(|error| failed(&error.to_string(), "`pipeline plan -o FILE` writes one"))?;
    Frozen::read(&text).map_err(|error| failed(&error.to_string(), error.help()))
}

fn text(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    // From a pipe as well: `pipeline plan -o - | ssh … pipeline run --plan /dev/stdin`.
    fs::File::open(file)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than 64 MiB"));
    }
    Ok(text)
}

/// The command line that leads to the same plan: the recipe is looked for as ever, all else is the plan's.
fn arguments(frozen: &Frozen, given: &RecipeArgs) -> Result<RecipeArgs, Diagnostic> {
    let mut own = frozen.files.iter().filter(|file| file.role == FileRole::Recipe);
    let file = own.next().map_or(recipe::FILE, |file| file.path.as_str());
    let chosen = recipe::called(given.recipe.as_deref(), file)?;
    let folder = chosen.parent().map(Path::to_owned).unwrap_or_default();
    let with = |role| {
        let files = frozen.files.iter().filter(move |file| file.role == role);
        files.map(|file| folder.join(&file.path)).collect::<Vec<PathBuf>>()
    };
    Ok(RecipeArgs {
        recipe: Some(chosen.display().to_string()),
        file: with(FileRole::Overlay),
        no_local: with(FileRole::Local).is_empty(),
        set: Vec::new(),
        var_file: with(FileRole::Variables),
    })
}
