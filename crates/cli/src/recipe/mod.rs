//! Finding and reading a recipe's files.

mod remote;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_core::diag::{Diagnostic, did_you_mean, list_names};
use pipeline_core::source::SourceFile;
use pipeline_core::spec::{File, RecipeFiles, Role};

use crate::args::RecipeArgs;
use remote::Remote;

pub(crate) use remote::Fetched;

pub(crate) const FILE: &str = "pipeline.toml";

/// A recipe's files, read but not understood.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) files: RecipeFiles,
    /// The folder that the recipe is in, absolute.
    pub(crate) folder: PathBuf,
    /// The same as the user would type it.
    pub(crate) shown_folder: String,
    /// The file that is laid over the recipe because it lies beside it.
    pub(crate) local: Option<String>,
    /// Where the recipe was fetched from, when it is not of this machine.
    pub(crate) fetched: Option<Fetched>,
}

impl Found {
    /// The recipe's own file, as the user would type it.
    pub(crate) fn name(&self) -> &str {
        self.files.sources.files().next().map_or("", SourceFile::name)
    }
}

/// Which files the arguments name; none of them has been read.
pub(crate) struct Chosen {
    pub(crate) recipe: PathBuf,
    overlays: Vec<PathBuf>,
    fetched: Option<Fetched>,
}

/// Finds the recipe that the arguments name, with all that belongs to it.
pub(crate) fn find(args: &RecipeArgs) -> Result<Found, Diagnostic> {
    gather(choose(args)?, args)
}

/// Finds the recipe's file, and fetches it where it is not on this machine.
pub(crate) fn choose(args: &RecipeArgs) -> Result<Chosen, Diagnostic> {
    if let Some(name) = &args.recipe {
        let fetched = Remote::parse(name).map(|remote| remote.fetch()).transpose()?;
        let recipe = match &fetched {
            Some(fetched) => fetched.file.clone(),
            None => by_name(name)?,
        };
        return Ok(Chosen { recipe, overlays: args.file.clone(), fetched });
    }
    // What is typed beats what the environment says, so the variable is no business of clap's.
    let from_env = || std::env::var_os("PIPELINE_FILE").map(|all| std::env::split_paths(&all).collect());
    let files: Vec<PathBuf> =
        if args.file.is_empty() { from_env().unwrap_or_default() } else { args.file.clone() };
    let mut files = files.into_iter().filter(|file| !file.as_os_str().is_empty());
    if let Some(recipe) = files.next() {
        return Ok(Chosen { recipe, overlays: files.collect(), fetched: None });
    }
    let recipe = above(Path::new(FILE)).ok_or_else(|| {
        Diagnostic::error("select::no-recipe", format!("there is no `{FILE}` here or in a folder above"))
            .help(match recipes() {
                recipes if recipes.is_empty() => {
                    format!("change to a folder with a `{FILE}`, or name one with `-f FILE`")
                }
                recipes => format!("name a recipe: {}", list_names(recipes.keys())),
            })
    })?;
    Ok(Chosen { recipe, overlays: Vec::new(), fetched: None })
}

/// The recipe's file where the name of the file itself is known: in the folder that is named, here or above.
pub(crate) fn called(name: Option<&str>, file: &str) -> Result<PathBuf, Diagnostic> {
    match name {
        Some(name) if Path::new(name).join(file).is_file() => Ok(Path::new(name).join(file)),
        Some(name) => by_name(name),
        None => above(Path::new(file)).ok_or_else(|| {
            Diagnostic::error("select::no-recipe", format!("there is no `{file}` here or in a folder above"))
                .help("change to the recipe's folder, or name it")
        }),
    }
}

/// Reads the files, those beside the recipe, and what they include.
pub(crate) fn gather(chosen: Chosen, args: &RecipeArgs) -> Result<Found, Diagnostic> {
    let Chosen { recipe, overlays, fetched } = chosen;
    let local = Some(recipe.with_extension("local.toml")).filter(|local| !args.no_local && local.is_file());
    let mut given = vec![read(&recipe, Role::Recipe)?];
    for overlay in local.iter().chain(&overlays) {
        given.push(read(overlay, Role::Overlay)?);
    }
    for variables in &args.var_file {
        given.push(read(variables, Role::Variables)?);
    }
    let parent = recipe.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(parent).map_err(|error| {
        Diagnostic::error("select::unreadable", format!("cannot read `{}`: {error}", parent.display()))
    })?;
    Ok(Found {
        files: RecipeFiles::gather(&given, &|path| included(path, fetched.as_ref())),
        folder,
        shown_folder: parent.display().to_string(),
        local: local.map(|local| local.display().to_string()),
        fetched,
    })
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

pub(crate) fn read(path: &Path, role: Role) -> Result<File, Diagnostic> {
    let name = path.display().to_string();
    match text(path) {
        Ok(text) => Ok(File { role, name, text }),
        Err(Unreadable::Io(error)) => {
            let diagnostic =
                Diagnostic::error("select::unreadable", format!("cannot read `{name}`: {error}"));
            Err(match error.kind() {
                io::ErrorKind::NotFound => {
                    diagnostic.help("check the path; `pipeline list` shows the recipes")
                }
                io::ErrorKind::IsADirectory => {
                    diagnostic.help(format!("name the file in it: `{name}/{FILE}`"))
                }
                _ => diagnostic,
            })
        }
        Err(Unreadable::Text(why)) => {
            Err(Diagnostic::error("spec::not-utf8", format!("`{name}` {why}")).help("save it as UTF-8"))
        }
    }
}

/// Reads what another file includes; a fetched recipe gets no other file of this machine.
fn included(path: &str, fetched: Option<&Fetched>) -> Result<String, String> {
    if fetched.is_some_and(|fetched| !remote::confined(&fetched.root, Path::new(path))) {
        return Err("it lies outside of the repository".into());
    }
    text(Path::new(path)).map_err(|error| match error {
        Unreadable::Io(error) if error.kind() == io::ErrorKind::NotFound => "there is no such file".into(),
        Unreadable::Io(error) if error.kind() == io::ErrorKind::IsADirectory => "it is a folder".into(),
        Unreadable::Io(error) => error.to_string(),
        Unreadable::Text(why) => format!("it {why}"),
    })
}

enum Unreadable {
    Io(io::Error),
    Text(String),
}

fn text(path: &Path) -> Result<String, Unreadable> {
    let bytes = fs::read(path).map_err(Unreadable::Io)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Unreadable::Text(format!("is not UTF-8: the byte at offset {at} is not"))
    })
}
