//! `pipeline ci`

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use pipeline_core::ci::{Jobs, Place, Refused, Shape, generic_json, generic_text, pipeline, workflow};
use pipeline_core::exec::remedy;
use pipeline_core::frozen::{FileRole, Frozen};

use crate::args::{CiArgs, CiSystem, RecipeArgs, TableFormat};
use crate::prepare::{WithoutEngine, prepare};
use crate::{exit_code, files, frozen, recipe, terminal};

pub(super) fn ci(args: &CiArgs) -> u8 {
    let (Ok(code) | Err(code)) = made(args);
    code
}

fn made(args: &CiArgs) -> Result<u8, u8> {
    if args.child && args.system != CiSystem::Gitlab {
        return Err(usage("only GitLab has child pipelines", "leave `--child` out"));
    }
    if args.format != TableFormat::Text && args.system != CiSystem::Generic {
        return Err(usage("the form of this file is fixed", "leave `--format` out"));
    }
    let (frozen, recipe) = plan(args)?;
    let recipe = from_root(&recipe)?;
    let named = args.check.clone().flatten().or_else(|| args.output.clone());
    let file = named.unwrap_or_else(|| usual(args.system, &frozen.recipe));
    let folder = recipe.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let place = Place { recipe: recipe.display().to_string(), folder, file: file.display().to_string() };
    let text = text(args, &frozen, &place).map_err(|refused| {
        let code = match refused {
            Refused::Jobs { .. } | Refused::Tags(_) | Refused::NoTag(_) => "frozen::matrix",
            _ => "ci::value",
        };
        terminal::error(code, &refused.to_string(), Some(refused.help()));
        exit_code::USAGE
    })?;
    if args.check.is_some() {
        return Ok(check(&file, &text));
    }
    match &args.output {
        Some(file) => write(file, &text)?,
        None => terminal::out(&text),
    }
    Ok(exit_code::DONE)
}

fn text(args: &CiArgs, frozen: &Frozen, place: &Place) -> Result<String, Refused> {
    let jobs = Jobs::of(frozen, place)?;
    match (args.system, args.format) {
        (CiSystem::Github, _) => workflow(&jobs),
        (CiSystem::Gitlab, _) => pipeline(
            &jobs,
            match (args.child, &args.plan) {
                (true, _) => Shape::Parent,
                (false, Some(_)) => Shape::Child,
                (false, None) => Shape::Whole,
            },
        ),
        (CiSystem::Generic, TableFormat::Json) => Ok(format!("{:#}\n", generic_json(&jobs))),
        (CiSystem::Generic, TableFormat::Text) => Ok(generic_text(&jobs)),
    }
}

/// The plan, and the recipe's file as the user would type it.
fn plan(args: &CiArgs) -> Result<(Frozen, PathBuf), u8> {
    if let Some(plan) = &args.plan {
        let frozen = frozen::read(plan)?;
        let own = frozen.files.iter().find(|file| file.role == FileRole::Recipe);
        let file = own.map_or(recipe::FILE, |file| file.path.as_str());
        let found = recipe::called(args.recipe.recipe.as_deref(), file).map_err(|diagnostic| {
            terminal::diagnostic(&diagnostic);
            exit_code::USAGE
        })?;
        return Ok((frozen, found));
    }
    // What lies beside the recipe on this machine only is not there where the jobs run.
    let recipe = RecipeArgs { no_local: true, ..args.recipe.clone() };
    let prepared = prepare(&recipe, &args.select, WithoutEngine::Assume)?;
    let file = PathBuf::from(prepared.found.name());
    Ok((frozen::freeze(&prepared, &args.select)?, file))
}

/// Where the CI system looks for the file, or people do.
fn usual(system: CiSystem, recipe: &str) -> PathBuf {
    match system {
        CiSystem::Github => format!(".github/workflows/pipeline-{recipe}.yml").into(),
        CiSystem::Gitlab => ".gitlab-ci.yml".into(),
        CiSystem::Generic => format!("pipeline-{recipe}.sh").into(),
    }
}

/// The path as jobs name it, which begin in the root of the repository.
fn from_root(file: &Path) -> Result<PathBuf, u8> {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
    let path = file.strip_prefix(&here).unwrap_or(file);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if root == here && inside {
        return Ok(path.components().filter(|part| *part != Component::CurDir).collect());
    }
    let message =
        format!("jobs begin in the root of the repository, and `{}` is not named from there", file.display());
    terminal::error(
        "ci::place",
        &message,
        Some(&format!("change to {} and name the recipe there", root.display())),
    );
    Err(exit_code::USAGE)
}

fn check(file: &Path, text: &str) -> u8 {
    let why = match fs::read_to_string(file) {
        Ok(there) if there == text => return exit_code::DONE,
        Ok(there) => {
            let diff = similar::TextDiff::from_lines(there.as_str(), text);
            let name = file.display().to_string();
            terminal::out_text(&diff.unified_diff().header(&name, "what the recipe makes of it").to_string());
            "it is not what the recipe makes of it".to_owned()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not there".to_owned(),
        Err(error) => error.to_string(),
    };
    terminal::error(
        "ci::stale",
        &format!("`{}` is stale: {why}", file.display()),
        Some(&format!("make it again: the same command with `-o {}` in place of `--check`", file.display())),
    );
    exit_code::LOCK_STALE
}

fn write(file: &Path, text: &str) -> Result<(), u8> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| files::write(file, &mut |to| to.write_all(text.as_bytes()))).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        terminal::error("ci::unwritten", &message, remedy(&error.to_string()));
        exit_code::STEP_FAILED
    })
}

fn usage(message: &str, help: &str) -> u8 {
    terminal::error("usage::conflict", message, Some(help));
    exit_code::USAGE
}
