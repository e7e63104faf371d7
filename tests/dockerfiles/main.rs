//! Dockerfiles as BuildKit reads them: the same stages, the same images, and edits that touch nothing else.
//!
//! `hard` are ours, with BuildKit's answers beside them; `real` are those that `scripts/dockerfiles` collected.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod compare;
mod edits;
mod page;
mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use compare::differences;
use edits::Edits;
use page::{Page, Seen};
use pipeline_core::dockerfile::bases;
use pipeline_testkit::{require, skip};
use reference::{Answer, Reference};

/// What is asked of one file: what is there, and the edits of it, which `diff` looks at as well.
fn look(text: &[u8], theirs: &Answer, reference: Option<&mut Reference>, diff: bool) -> Seen {
    let ours = match bases(text) {
        Ok(ours) => ours,
        Err(_) if !theirs.error.is_empty() => return Seen::refused(),
        Err(error) => return Seen { wrong: vec![error.to_string()], ..Seen::default() },
    };
    if !theirs.error.is_empty() {
        return Seen { only_ours: Some(theirs.error.clone()), ..Seen::default() };
    }
    let mut wrong = differences(&ours, theirs);
    let mut right = 0;
    if wrong.is_empty() {
        let mut edits = Edits { text, ours: &ours, theirs, reference, diff, right: 0, wrong };
        edits.all();
        (right, wrong) = (edits.right, edits.wrong);
    }
    Seen { stages: theirs.stages.len(), others: theirs.others.len(), edits: right, wrong, ..Seen::read() }
}

/// The same text as other editors write it.
fn made_hard(text: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let lines = || text.split_inclusive(|byte| *byte == b'\n');
    let crlf = lines().flat_map(|line| match line.strip_suffix(b"\n") {
        Some(line) => [line.strip_suffix(b"\r").unwrap_or(line), b"\r\n"],
        None => [line, b""],
    });
    let lower = lines().flat_map(|line| match line.strip_prefix(b"FROM") {
        Some(rest) => [&b"from"[..], rest],
        None => [line, b""],
    });
    [
        ("with CRLF", crlf.flatten().copied().collect()),
        (
            "with a byte order mark",
            [b"\xef\xbb\xbf", text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)].concat(),
        ),
        ("without its last line end", text.strip_suffix(b"\n").unwrap_or(text).to_vec()),
        ("in lower case", lower.flatten().copied().collect()),
    ]
}

/// Where `scripts/dockerfiles` keeps what it collected.
fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    env::var_os("PIPELINE_DOCKERFILES").map_or_else(
        || {
            let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
            cache.unwrap_or_default().join("pipeline-dockerfiles")
        },
        PathBuf::from,
    )
}

#[test]
fn hard() {
    require!("diff");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dockerfiles/hard");
    let answers = folder.join("answers.json");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| *path != answers);
    files.sort();
    let program = cache().join("reference");
    let mut reference = program.exists().then(|| Reference::start(&program));
    if let Some(reference) = reference.as_mut().filter(|_| env::var_os("PIPELINE_DOCKERFILES_PAGE").is_some())
    {
        let of = |path: &PathBuf| (name(path), reference.read(&fs::read(path).unwrap()));
        let found: BTreeMap<_, _> = files.iter().map(of).collect();
        fs::write(&answers, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let answers: BTreeMap<String, Answer> = serde_json::from_slice(&fs::read(answers).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read(path).unwrap();
        let seen = look(&text, &answers[&name(path)], reference.as_mut(), true);
        wrong.extend(seen.wrong.iter().map(|why| format!("{}: {why}", name(path))));
        // A name says what is to come of it.
        let refused = name(path).starts_with("refused-");
        if refused != (seen.read == 0) {
            wrong.push(format!("{}: read {}, only by us: {:?}", name(path), seen.read, seen.only_ours));
        }
    }
    assert_eq!(answers.len(), files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn real() {
    require!("diff");
    let cache = cache();
    let (Ok(index), true) = (fs::read_to_string(cache.join("index")), cache.join("reference").exists())
    else {
        return skip("needs real Dockerfiles (scripts/dockerfiles collects them)");
    };
    let mut reference = Reference::start(&cache.join("reference"));
    let (mut page, mut seen) = (Page::default(), BTreeMap::new());
    for row in index.lines() {
        let columns: Vec<_> = row.split('\t').collect();
        let [digest, kind, package, version, path] = *columns else { panic!("{row}") };
        let is_new = !seen.contains_key(digest);
        let one = seen.entry(digest.to_owned()).or_insert_with(|| {
            let text = fs::read(cache.join("files").join(digest)).unwrap();
            let theirs = reference.read(&text);
            let mut seen = look(&text, &theirs, Some(&mut reference), true);
            for (how, text) in made_hard(&text) {
                let theirs = reference.read(&text);
                let hard = look(&text, &theirs, Some(&mut reference), false);
                seen.hard += hard.read;
                seen.wrong.extend(hard.wrong.iter().map(|why| format!("{how}: {why}")));
            }
            seen
        });
        page.add(&format!("{package} {version}"), kind, path, one, is_new);
    }
    println!("{}", page.last_line());
    if let Some(file) = env::var_os("PIPELINE_DOCKERFILES_PAGE") {
        fs::write(file, page.to_string()).unwrap();
    }
    assert!(page.wrong.is_empty(), "{}", page.wrong.join("\n"));
}
