//! Submodules: what a repository says about others is as much to be believed as the repository.

use std::fs;
use std::path::Path;

use super::git::Git;
use super::io;
use crate::event::{Failure, FailureKind};
use crate::git::url_problem;

/// Repositories in repositories, deeper than anybody needs.
const DEEPEST: usize = 8;

/// Checks out the submodules of a checked-out repository, and theirs.
pub(super) fn check_out(git: &Git<'_>, folder: &Path, depth: usize) -> Result<(), Failure> {
    let file = folder.join(".gitmodules");
    match fs::symlink_metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(meta) if meta.is_file() => {}
        _ => return Err(refused(folder, "it is not a file")),
    }
    if depth == DEEPEST {
        return Err(refused(folder, "submodules lie in submodules, eight deep"));
    }
    let shown = folder.display().to_string();
    let listed =
        ["config", "--file", ".gitmodules", "--null", "--get-regexp", r"^submodule\..*\.(url|path|update)$"];
    let told = git.cx.run(&git.within(&shown, &listed))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut paths = Vec::new();
    for entry in told.split('\0').filter(|entry| !entry.is_empty()) {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        match key.rsplit('.').next() {
            Some("url") => check_url(git, folder, value)?,
            Some("path") => {
                check_path(folder, value)?;
                paths.push(value.to_owned());
            }
            _ if value.starts_with('!') => return Err(refused(folder, "`update` would run a program")),
            _ => {}
        }
    }
    let mut update = vec!["submodule", "--quiet", "update", "--init", "--checkout", "--no-recommend-shallow"];
    let shallow = git.checkout.depth.map(|depth| format!("--depth={depth}"));
    update.extend(shallow.as_deref());
    git.cx.run(&git.within(&shown, &update))?;
    for path in paths {
        let inner = folder.join(&path);
        // One that the commit does not have: its lines were forgotten.
        if inner.join(".git").exists() {
            check_out(git, &inner, depth + 1)?;
        }
    }
    Ok(())
}

fn check_url(git: &Git<'_>, folder: &Path, url: &str) -> Result<(), Failure> {
    // Relative to the repository's own url.
    let relative = url.starts_with("./") || url.starts_with("../");
    let plain = !url.contains(|c: char| c.is_control() || c == ' ');
    if relative && plain {
        return Ok(());
    }
    match url_problem(url, &git.checkout.protocols) {
        None => Ok(()),
        Some(bad) => {
            Err(refused(folder, &format!("the url `{}`: {}", url.escape_debug(), bad.problem)).help(bad.help))
        }
    }
}

fn check_path(folder: &Path, path: &str) -> Result<(), Failure> {
    let odd = path.chars().any(char::is_control) || path.starts_with(['-', '/']);
    if odd || path.split('/').any(|part| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git"))
    {
        return Err(refused(folder, &format!("the path `{}` is none within it", path.escape_debug())));
    }
    Ok(())
}

fn refused(folder: &Path, why: &str) -> Failure {
    let message = format!("the submodules of {} are refused, by its `.gitmodules`: {why}", folder.display());
    Failure::new(FailureKind::Input, message)
        .help("check out without `submodules`, or have the repository corrected")
}

/// Removes `.git` from the folder and from all submodules in it.
pub(super) fn forget_git(folder: &Path) -> Result<(), Failure> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| io(&folder, &error))?.flatten() {
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| io(&folder, &error))?);
            let removed = match (entry.file_name() == ".git", kind.is_dir()) {
                (true, true) => fs::remove_dir_all(&path),
                (true, false) => fs::remove_file(&path),
                (false, true) => {
                    folders.push(path.clone());
                    Ok(())
                }
                (false, false) => Ok(()),
            };
            removed.map_err(|error| io(&path, &error))?;
        }
    }
    Ok(())
}
