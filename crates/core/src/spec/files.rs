//! The files that a recipe is made of, and in which order they lie over each other.
//!
//! Weakest first: what a file includes, the file itself, the local file beside it, overlays in the order of the command line.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::diag::{Diagnostic, Diagnostics, list_names};
use crate::nesting::too_deep;
use crate::source::{Sources, Span};

/// What a file is to the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The recipe itself.
    Recipe,
    /// `include` of another file names it. What it declares and nobody uses is no slip: others include it too.
    Included,
    /// Laid over the recipe: `pipeline.local.toml`, or `-f` once more.
    Overlay,
    /// `--var-file`: values of variables, and not part of the recipe.
    Variables,
}

/// A file that was read, with its name as the user would type it.
#[derive(Debug, Clone)]
pub struct File {
    /// What it is to the recipe.
    pub role: Role,
    /// The path.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Reads the file at a path, or says why it cannot be read.
pub type Read<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// Everything that is read for one recipe.
#[derive(Debug, Clone, Default)]
pub struct RecipeFiles {
    /// The texts, the recipe itself first.
    pub sources: Sources,
    /// What each of them is.
    roles: Vec<Role>,
    /// Those that make the recipe, weakest first.
    pub(super) layers: Vec<usize>,
    /// Includes that could not be read.
    pub(super) diagnostics: Diagnostics,
}

/// Files include one another at most so deep.
const MAX_DEPTH: usize = 16;

/// A recipe has at most so many files.
const MAX_FILES: usize = 256;

impl RecipeFiles {
    /// A recipe in one file that includes no other.
    pub fn one(name: &str, text: String) -> Self {
        let file = File { role: Role::Recipe, name: name.to_owned(), text };
        Self::gather(&[file], &|_| Err("there is only one file here".into()))
    }

    /// The files given, the recipe first, and what they include. A path is relative to the file that names it.
    pub fn gather(given: &[File], read: Read<'_>) -> Self {
        let mut files = Self::default();
        for file in given {
            files.roles.push(file.role);
            files.sources.add(&file.name, file.text.clone());
        }
        for (index, file) in given.iter().enumerate() {
            if file.role != Role::Variables {
                files.include(index, &mut vec![plain(&file.name)], read);
            }
        }
        files
    }

    /// What the file at a place is to the recipe.
    pub fn role(&self, span: &Span) -> Role {
        self.roles.get(self.sources.index(span.start)).copied().unwrap_or(Role::Recipe)
    }

    /// The indices of files with values of variables, in the order of the command line.
    pub(super) fn variables(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.roles.len()).filter(|index| self.roles[*index] == Role::Variables)
    }

    /// Adds what a file includes and then the file. `within` are the files on the way to it, itself last.
    fn include(&mut self, index: usize, within: &mut Vec<String>, read: Read<'_>) {
        let file = self.sources.files().nth(index);
        let (text, base) = file.map_or(("", 0), |file| (file.text(), file.base()));
        for (path, at) in included(text) {
            let span = base + at.start..base + at.end;
            let name = match beside(within.last().map_or("", String::as_str), &path) {
                Ok(name) => name,
                Err(problem) => {
                    self.refuse(&span, format!("bad path `{}`: {problem}", path.escape_debug()), "this path");
                    continue;
                }
            };
            if within.contains(&name) {
                let round: Vec<&String> = within.iter().skip_while(|file| **file != name).collect();
                let message = match round.as_slice() {
                    [itself] => format!("`{itself}` includes itself"),
                    round => {
                        format!("files include each other: {}", list_names(round.iter().chain([&&name])))
                    }
                };
                self.diagnostics.push(
                    Diagnostic::error("spec::include", message)
                        .at(&span, "goes round in a circle")
                        .help("take it out"),
                );
            } else if within.len() == MAX_DEPTH {
                self.refuse(&span, format!("files include files at most {MAX_DEPTH} deep"), "one too many");
            } else if self.sources.files().any(|file| plain(file.name()) == name) {
                // Laid down already, below everything that includes it.
            } else if self.roles.len() == MAX_FILES {
                self.refuse(&span, format!("a recipe has at most {MAX_FILES} files"), "one too many");
            } else {
                match read(&name) {
                    Ok(text) => {
                        self.roles.push(Role::Included);
                        self.sources.add(&name, text);
                        within.push(name);
                        self.include(self.roles.len() - 1, within, read);
                        within.pop();
                    }
                    Err(why) => self.refuse(&span, format!("cannot read `{name}`: {why}"), "included here"),
                }
            }
        }
        self.layers.push(index);
    }

    fn refuse(&mut self, span: &Span, message: String, label: &str) {
        self.diagnostics.push(
            Diagnostic::error("spec::include", message)
                .at(span, label)
                .help("`include` takes paths that are relative to the file they stand in"),
        );
    }
}

/// The paths in the key `include` with their places. Whatever is wrong with the text itself is found later.
fn included(text: &str) -> Vec<(String, Range<usize>)> {
    if !text.contains("include") {
        return Vec::new();
    }
    // A key at the top stands before the first table, so that a long recipe is not read twice.
    let header = text.match_indices("\n[").map(|(at, _)| at + 1).next();
    let top = if text.starts_with('[') { "" } else { &text[..header.unwrap_or(text.len())] };
    if too_deep(top) {
        return Vec::new();
    }
    let (table, _) = DeTable::parse_recoverable(top);
    let Some(value) = table.get_ref().get("include") else { return Vec::new() };
    let DeValue::Array(paths) = value.get_ref() else { return Vec::new() };
    let mut seen = BTreeSet::new();
    paths
        .iter()
        .filter_map(|path| Some((path.get_ref().as_str()?.to_owned(), path.span())))
        .filter(|(path, _)| seen.insert(path.clone()))
        .collect()
}

/// The path of `path` as seen from the file `from`.
fn beside(from: &str, path: &str) -> Result<String, &'static str> {
    if path.is_empty() {
        Err("it is empty")
    } else if path.chars().any(char::is_control) {
        Err("it holds a control character")
    } else if path.starts_with(['/', '~']) {
        Err("it is not relative to this file")
    } else if path.contains("://") {
        Err("it is no path of a file")
    } else {
        let folder = from.rfind('/').map_or("", |at| &from[..=at]);
        Ok(plain(&format!("{folder}{path}")))
    }
}

/// The path in its one plain form: `a/b/../c` is `a/c`.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() && path.starts_with('/') => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn gather(files: &[(&str, &str)]) -> RecipeFiles {
        let others: BTreeMap<&str, &str> = files.iter().copied().collect();
        let (name, text) = files[0];
        let first = File { role: Role::Recipe, name: name.into(), text: text.into() };
        RecipeFiles::gather(&[first], &|path| {
            others.get(path).map(|text| (*text).to_owned()).ok_or_else(|| "there is no such file".into())
        })
    }

    fn order(files: &RecipeFiles) -> Vec<&str> {
        let all: Vec<&str> = files.sources.files().map(crate::source::SourceFile::name).collect();
        files.layers.iter().map(|index| all[*index]).collect()
    }

    #[test]
    fn what_is_included_lies_below() {
        let files = gather(&[
            ("p/a/pipeline.toml", "version = 1\ninclude = ['../b.toml', 'c.toml']\n[vars]\n"),
            ("p/b.toml", "include = ['./deep/d.toml']"),
            ("p/a/c.toml", "include = ['../deep/d.toml']\n"),
            ("p/deep/d.toml", "[x]"),
        ]);
        assert_eq!(order(&files), ["p/deep/d.toml", "p/b.toml", "p/a/c.toml", "p/a/pipeline.toml"]);
        assert!(files.diagnostics.is_empty());
    }

    #[test]
    fn circles_and_missing_files_are_told_at_their_place() {
        let files = gather(&[("a", "include = ['b', 'gone', '/etc/passwd', '']"), ("b", "include = ['a']")]);
        let told: Vec<(&str, &str)> = files
            .diagnostics
            .iter()
            .map(|one| (one.message.as_str(), files.sources.slice(&one.labels[0].0)))
            .collect();
        assert_eq!(
            told,
            [
                ("files include each other: `a`, `b` and `a`", "'a'"),
                ("cannot read `gone`: there is no such file", "'gone'"),
                ("bad path `/etc/passwd`: it is not relative to this file", "'/etc/passwd'"),
                ("bad path ``: it is empty", "''"),
            ]
        );
    }

    #[test]
    fn paths_are_made_plain() {
        for (from, path, plain) in [
            ("pipeline.toml", "c.toml", "c.toml"),
            ("a/pipeline.toml", "../c.toml", "c.toml"),
            ("../pipeline.toml", "../c.toml", "../../c.toml"),
            ("/a/b/pipeline.toml", "../../../c", "/c"),
            ("/pipeline.toml", "c", "/c"),
        ] {
            assert_eq!(beside(from, path).as_deref(), Ok(plain), "{from} {path}");
        }
    }
}
