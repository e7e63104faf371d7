//! Finding and reading a recipe file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_core::diag::{Diagnostic, did_you_mean, list_names};
use pipeline_core::nesting::{MAX_DEPTH, too_deep};
use pipeline_core::source::SourceFile;

use crate::args::RecipeArgs;

pub(crate) const FILE: &str = "pipeline.toml";

/// A recipe file, read but not understood.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: SourceFile,
    /// The folder it is in, absolute.
    pub(crate) folder: PathBuf,
    /// The same as the user would type it.
    pub(crate) shown_folder: String,
}

/// Finds and reads the recipe that the arguments name.
pub(crate) fn find(args: &RecipeArgs) -> Result<Found, Diagnostic> {
    read(&locate(args)?)
}

/// The file that the arguments name.
pub(crate) fn locate(args: &RecipeArgs) -> Result<PathBuf, Diagnostic> {
    // What is typed beats what the environment says, so the variable is no business of clap's.
    let from_env = std::env::var_os("PIPELINE_FILE").filter(|file| !file.is_empty()).map(PathBuf::from);
    let file = args.file.clone().or_else(|| from_env.filter(|_| args.recipe.is_none()));
    match (&file, &args.recipe) {
        (Some(file), _) => Ok(file.clone()),
        (None, Some(name)) => by_name(name),
        (None, None) => above(Path::new(FILE)).ok_or_else(|| {
            Diagnostic::error("select::no-recipe", format!("there is no `{FILE}` here or in a folder above"))
                .help(match recipes() {
                    recipes if recipes.is_empty() => {
                        format!("change to a folder with a `{FILE}`, or name one with `-f FILE`")
                    }
                    recipes => format!("name a recipe: {}", list_names(recipes.keys())),
                })
        }),
    }
}

/// A name below `pipelines/` (here or in a folder above), a folder, or a file.
fn by_name(name: &str) -> Result<PathBuf, Diagnostic> {
    let path = Path::new(name);
    if path.is_dir() && path.join(FILE).is_file() {
        return Ok(path.join(FILE));
    }
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !name.contains('/')
        && let Some(found) = above(&Path::new("pipelines").join(name).join(FILE))
    {
        return Ok(found);
    }
    let known = recipes();
    let help = did_you_mean(name, known.keys().map(String::as_str)).unwrap_or_else(|| {
        if known.is_empty() {
            "recipes are folders below `pipelines/` with a `pipeline.toml`, here or in a folder above".into()
        } else {
            format!("known recipes: {}", list_names(known.keys()))
        }
    });
    Err(Diagnostic::error("select::no-recipe", format!("there is no recipe `{}`", name.escape_debug()))
        .help(help))
}

/// The path, relative to this folder or the nearest one above where it exists.
fn above(relative: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let mut up = PathBuf::new();
    for _ in here.ancestors() {
        let path = up.join(relative);
        if path.exists() {
            return Some(path);
        }
        up.push("..");
    }
    None
}

/// Every recipe below the nearest `pipelines/`, by name.
pub(crate) fn recipes() -> BTreeMap<String, PathBuf> {
    let Some(folder) = above(Path::new("pipelines")) else { return BTreeMap::new() };
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path.join(FILE))))
        .filter(|(_, file)| file.is_file())
        .collect()
}

/// Reads a recipe file.
pub(crate) fn read(path: &Path) -> Result<Found, Diagnostic> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| {
        let diagnostic = Diagnostic::error("select::unreadable", format!("cannot read `{shown}`: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => diagnostic.help("check the path; `pipeline list` shows the recipes"),
            io::ErrorKind::IsADirectory => diagnostic.help(format!("name the file in it: `{shown}/{FILE}`")),
            _ => diagnostic,
        }
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        Diagnostic::error(
            "spec::not-utf8",
            format!("`{shown}` is not UTF-8: the byte at offset {} is not", error.utf8_error().valid_up_to()),
        )
        .help("save it as UTF-8")
    })?;
    if too_deep(&text) {
        return Err(Diagnostic::error(
            "spec::too-nested",
            format!("in `{shown}` tables and arrays lie deeper in each other than {MAX_DEPTH} levels"),
        )
        .help("no key of a recipe needs that: give names fewer dots"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(parent).map_err(|error| {
        Diagnostic::error("select::unreadable", format!("cannot read `{}`: {error}", parent.display()))
    })?;
    Ok(Found { source: SourceFile::new(&shown, text), folder, shown_folder: parent.display().to_string() })
}
