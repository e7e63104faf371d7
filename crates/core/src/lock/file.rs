//! The file: TOML with one entry a line, sorted, so that git merges what two people add.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use toml::Spanned;

use super::{Commit, Image, Key, Lock, Pin};
use crate::diag::Diagnostic;
use crate::source::{Sources, Span};

/// The version that is written, and the only one that is read.
pub const VERSION: i64 = 1;

const HEAD: &str = "\
# What the names in the recipe stand for: commit this file. `pipeline lock --check` tells what has moved since,
# `pipeline lock --update` takes it.
";

#[derive(Deserialize)]
struct Head {
    version: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default)]
    git: BTreeMap<Spanned<String>, Spanned<Commit>>,
    #[serde(default)]
    image: BTreeMap<Spanned<String>, Spanned<Image>>,
}

/// Reads a lock; the error points at what is wrong.
pub fn read(name: &str, text: &str) -> Result<Lock, Box<Diagnostic>> {
    let sources = Sources::one(name, text.to_owned());
    entries(name, text).map_err(|mut diagnostic| {
        diagnostic.source = Some(sources);
        diagnostic
    })
}

fn entries(name: &str, text: &str) -> Result<Lock, Box<Diagnostic>> {
    let conflict = text.match_indices("<<<<<<<").find(|(at, _)| *at == 0 || text[..*at].ends_with('\n'));
    if let Some((at, mark)) = conflict {
        return Err(bad("it holds a conflict that git left", &(at..at + mark.len()), "from here on")
            .help("keep both sides' lines, one for each name; where they differ, the one that you want to build from")
            .into());
    }
    let head: Head = toml::from_str(text).map_err(|error| syntax(&error))?;
    let remedy = format!("this program reads version {VERSION}: `version = {VERSION}` in its first line");
    match head.version {
        None => return Err(bad("it says no version", &(0..0), "").help(remedy).into()),
        Some(version) if *version.get_ref() != VERSION => {
            let message = format!("`{name}` is of version {}", version.get_ref());
            let newer = format!("this program reads version {VERSION}; use the one that wrote the file");
            return Err(Box::new(
                Diagnostic::error("lock::version", message).at(&version.span(), "this version").help(newer),
            ));
        }
        Some(_) => {}
    }
    let document: Document = toml::from_str(text).map_err(|error| syntax(&error))?;
    let mut lock = Lock::default();
    for (key, commit) in document.git {
        let (place, at) = (key.span(), commit.span());
        let (key, commit) = (key.into_inner(), commit.into_inner());
        let key = Key::git(&key).ok_or_else(|| {
            bad("this is no name of a commit", &place, "write `URL REF`")
                .help("such as `https://example.com/a.git refs/heads/main`")
        })?;
        let hex = |id: &str| {
            matches!(id.len(), 40 | 64) && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
        };
        if !hex(&commit.commit) || !hex(&commit.tree) {
            return Err(bad("an id of git has 40 or 64 hexadecimal digits", &at, "one of these has not")
                .help(AGAIN)
                .into());
        }
        lock.keep(&key, Pin::Git(commit));
    }
    for (key, image) in document.image {
        let place = key.span();
        let key = Key::image(key.get_ref()).ok_or_else(|| {
            bad("this is no name of an image", &place, "write `IMAGE PLATFORM`")
                .help("such as `docker.io/library/alpine:3.20 linux/arm64`")
        })?;
        let pin = Pin::Image(image.into_inner());
        // Two ways to write one name.
        if lock.get(&key).is_some_and(|other| *other != pin) {
            return Err(bad("this name is there twice", &place, "once more").help(AGAIN).into());
        }
        lock.keep(&key, pin);
    }
    Ok(lock)
}

const AGAIN: &str = "remove the line, and `pipeline lock` asks again";

fn bad(message: &str, place: &Span, label: &str) -> Diagnostic {
    Diagnostic::error("lock::bad", message).at(place, label)
}

fn syntax(error: &toml::de::Error) -> Diagnostic {
    let message = error.message().to_owned();
    let twice = message.contains("duplicate key");
    let help = if twice { "keep one of the lines: the one that you want to build from" } else { AGAIN };
    bad(&message, &error.span().unwrap_or(0..0), "here").help(help)
}

/// The whole file.
pub fn write(lock: &Lock) -> String {
    let mut text = format!("{HEAD}version = {VERSION}\n");
    let mut section = "";
    for (key, pin) in lock.iter() {
        if section != key.kind() {
            section = key.kind();
            let _ = writeln!(text, "\n[{section}]");
        }
        let fields = match pin {
            Pin::Git(git) => format!("commit = \"{}\", tree = \"{}\"", git.commit, git.tree),
            Pin::Image(image) => {
                let named = [("digest", image.digest), ("manifest", image.manifest), ("id", Some(image.id))];
                let named = named.into_iter().filter_map(|(name, digest)| Some((name, digest?)));
                named.map(|(name, digest)| format!("{name} = \"{digest}\"")).collect::<Vec<_>>().join(", ")
            }
        };
        // A url may hold quotes and backslashes. JSON's strings are TOML's, where there are no control characters.
        let name = serde_json::Value::from(key.name());
        let _ = writeln!(text, "{name} = {{ {fields} }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    fn lock() -> Lock {
        let mut lock = Lock::default();
        let commit = |digit: &str| Pin::Git(Commit { commit: digit.repeat(40), tree: "f".repeat(40) });
        lock.keep(&"git https://example.com/it's-\"a\".git refs/heads/main".parse().unwrap(), commit("1"));
        lock.keep(&"git git@example.com:a\\b HEAD".parse().unwrap(), commit("2"));
        let digest = |text: &str| Digest::of(text.as_bytes());
        let image = Image { digest: Some(digest("i")), manifest: Some(digest("m")), id: digest("c") };
        lock.keep(&"image alpine:3.20 linux/arm64".parse().unwrap(), Pin::Image(image));
        let local = Image { digest: None, manifest: None, id: digest("l") };
        lock.keep(&"image localhost/base linux/arm/v7".parse().unwrap(), Pin::Image(local));
        lock
    }

    #[test]
    fn what_is_written_is_read_and_each_entry_has_its_line() {
        let lock = lock();
        let text = write(&lock);
        assert_eq!(read("pipeline.lock", &text).unwrap(), lock);
        let entries: Vec<&str> = text.lines().filter(|line| line.contains(" = {")).collect();
        assert_eq!(entries.len(), 4, "{text}");
        assert!(
            entries[2].starts_with("\"docker.io/library/alpine:3.20 linux/arm64\" = { digest = \"sha256:")
        );
        assert_eq!(write(&Lock::default()).lines().count(), 3);
        assert_eq!(serde_json::from_value::<Lock>(serde_json::to_value(&lock).unwrap()).unwrap(), lock);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let text = write(&lock());
        let check = |text: &str, code: &str, slice: &str, message: &str| {
            let error = read("pipeline.lock", text).unwrap_err();
            let sources = error.source.clone().unwrap();
            assert!(error.message.contains(message), "{}", error.message);
            assert_eq!(error.code, code, "{}", error.message);
            assert!(sources.slice(&error.labels[0].0).contains(slice), "{:?}", error.labels);
            assert!(error.help.is_some(), "{}", error.message);
        };
        check(&text.replace("version = 1", "version = 2"), "lock::version", "2", "version 2");
        check(&text.replace("version = 1", ""), "lock::bad", "", "no version");
        check(&format!("{text}<<<<<<< HEAD\n"), "lock::bad", "<<<<<<<", "conflict");
        check(&format!("{text}[tools]\n"), "lock::bad", "tools", "unknown field");
        check(&text.replace("\"1111", "\"g111"), "lock::bad", "commit", "40 or 64");
        check(&text.replace("id = ", "identity = "), "lock::bad", "identity", "unknown field");
        check(&text.replace("sha256:", "sha256:../"), "lock::bad", "", "not a digest");
        let double = text.lines().find(|line| line.contains("HEAD")).unwrap().to_owned();
        check(&text.replace(&double, &format!("{double}\n{double}")), "lock::bad", "HEAD", "duplicate key");
        check(
            &text.replace("alpine:3.20 linux", "alpine:3.20linux"),
            "lock::bad",
            "alpine",
            "no name of an image",
        );
        let twice = "version = 1\n[image]\n'alpine linux/arm64' = { id = 'A' }\n'docker.io/library/alpine linux/arm64' = { id = 'B' }\n";
        let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
        let twice = twice.replace('A', &digest("a")).replace("'B'", &format!("'{}'", digest("b")));
        check(&twice, "lock::bad", "alpine", "twice");
    }
}
