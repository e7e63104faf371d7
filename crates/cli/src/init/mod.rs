//! What `pipeline init` writes: the answers, and the starter that is made of them. A starter is checked by what reads
//! recipes before anybody sees it.

mod answers;
mod questions;
mod starter;

pub(crate) use answers::{Answers, ENGINES, Field, RUNTIMES};
pub(crate) use questions::ask;
pub(crate) use starter::{SCHEMA, starter};

use std::path::Path;

use pipeline_core::diag::Diagnostics;
use pipeline_core::lock::Lock;
use pipeline_core::plan::Engine;
use pipeline_core::planner::{Machine, Selection, plan};
use pipeline_core::spec::{Given, RecipeFiles, examine};

use crate::prepare;

/// Everything that is wrong with a recipe of this text, as any machine would find it.
pub(crate) fn faults(text: &str) -> Diagnostics {
    let files = RecipeFiles::one("pipeline.toml", text.to_owned());
    let (recipe, mut diagnostics) = examine(&files);
    if let Some(recipe) = recipe {
        let choose = || Ok((Engine::Buildah, String::new()));
        let folder = String::new();
        let machine = Machine { platform: prepare::platform(), folder, choose_engine: &choose };
        diagnostics
            .extend(plan(&recipe, &Given::default(), &Lock::default(), &Selection::default(), &machine).1);
    }
    diagnostics.finish(&files.sources)
}

/// What fits a folder, before anybody is asked.
pub(crate) fn defaults(folder: &Path) -> Answers {
    let name = prepare::folder_name(folder);
    let mut answers = Answers::named(&name);
    // The repository that the folder is in is the likeliest to be built. A url with a password is none for a recipe.
    if let Some(url) = origin(folder) {
        let _ = answers.set(Field::Url, &[url]);
    }
    answers
}

fn origin(folder: &Path) -> Option<String> {
    let nearest = folder.ancestors().find(|folder| folder.is_dir())?;
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(nearest)
        .args(["config", "--get", "remote.origin.url"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let url = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !url.is_empty()).then_some(url)
}
