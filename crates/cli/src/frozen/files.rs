//! The files of a recipe as a frozen plan names them, and whether they are still the same.

use std::fs;
use std::path::Path;

use pipeline_core::diag::Diagnostic;
use pipeline_core::frozen::{FileRole, Frozen, RecipeFile, changed};
use pipeline_core::image::Digest;
use pipeline_core::spec::Role;

use crate::recipe::Found;

/// Every file of the recipe, by its path from the recipe's folder.
pub(super) fn files(found: &Found) -> Vec<RecipeFile> {
    let role = |name: &str, role| match role {
        Role::Recipe => FileRole::Recipe,
        Role::Included => FileRole::Included,
        Role::Overlay if found.local.as_deref() == Some(name) => FileRole::Local,
        Role::Overlay => FileRole::Overlay,
        Role::Variables => FileRole::Variables,
    };
    let sources = found.files.sources.files();
    sources
        .map(|file| RecipeFile {
            path: from_folder(Path::new(file.name()), &found.folder),
            role: role(file.name(), found.files.role(&(file.base()..file.base()))),
            digest: Digest::of(file.text().as_bytes()),
        })
        .collect()
}

/// The same wherever the checkout is: a link in the way to the folder leads elsewhere on another machine.
fn from_folder(file: &Path, folder: &Path) -> String {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
    let whole = parent.join(file.file_name().unwrap_or_default());
    pathdiff::diff_paths(&whole, folder).unwrap_or(whole).display().to_string()
}

/// Refuses a recipe that was read from other files: what else is wrong with it would lead astray.
pub(crate) fn same_files(frozen: &Frozen, found: &Found) -> Result<(), Diagnostic> {
    let differences = changed(&frozen.files, &files(found));
    if differences.is_empty() { Ok(()) } else { Err(stale(&differences)) }
}

/// So many differences are told.
const MOST: usize = 10;

pub(super) fn stale(differences: &[String]) -> Diagnostic {
    let mut message = "this is not the recipe that the plan was made of".to_owned();
    for difference in differences.iter().take(MOST) {
        message += &format!("\n  {difference}");
    }
    if differences.len() > MOST {
        message += &format!("\n  and {} more", differences.len() - MOST);
    }
    Diagnostic::error("frozen::stale", message)
        .help("check out what it was made of, or freeze the plan again: `pipeline plan -o FILE`")
}
