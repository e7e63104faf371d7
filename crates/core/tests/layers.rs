//! Which module of the core uses which: exactly as the block `layers` in docs/ARCHITECTURE.md says, and never upwards.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const PAGE: &str = include_str!("../../../docs/ARCHITECTURE.md");

type Uses = BTreeMap<String, BTreeSet<String>>;

/// The block of the page: each module with what it may use, the lowest first.
fn allowed() -> (Vec<String>, Uses) {
    let block = PAGE
        .split_once("```layers\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(block, _)| block)
        .expect("docs/ARCHITECTURE.md has a block ```layers");
    let mut order = Vec::new();
    let mut uses = Uses::new();
    for line in block.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        let module = words.next().expect("no empty line");
        uses.insert(module.clone(), words.collect());
        order.push(module);
    }
    (order, uses)
}

/// What the code says: `crate::NAME` and `use crate::{NAME, …}`, tests and comments apart.
fn actual() -> Uses {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let group = Regex::new(r"crate::\{([^;]*)\};").unwrap();
    let single = Regex::new(r"crate::([a-z_]+)").unwrap();
    let in_group = Regex::new(r"(?:^|,)\s*([a-z_]+)").unwrap();
    let braces = Regex::new(r"\{[^{}]*\}").unwrap();
    let mut uses = Uses::new();
    for file in files(&src) {
        let path = file.strip_prefix(&src).unwrap();
        let module = path.components().next().unwrap().as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = lines.flat_map(|line| [line, "\n"]).collect();
        let names = uses.entry(module).or_default();
        names.extend(single.captures_iter(&code).map(|found| found[1].to_owned()));
        for found in group.captures_iter(&code) {
            let flat = braces.replace_all(&found[1], "");
            names.extend(in_group.captures_iter(&flat).map(|name| name[1].to_owned()));
        }
    }
    for (module, names) in &mut uses {
        names.remove(module);
    }
    uses
}

/// Every source file but those of tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.ends_with("tests") {
                files.extend(self::files(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") && !name.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn modules_use_what_the_page_says_and_no_more() {
    let (_, allowed) = allowed();
    let actual = actual();
    let mut wrong = Vec::new();
    for module in allowed.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
        let (said, done) = (allowed.get(module), actual.get(module));
        match (said, done) {
            (Some(said), Some(done)) => {
                wrong.extend(
                    done.difference(said).map(|other| format!("`{module}` uses `{other}`: not said")),
                );
                wrong.extend(said.difference(done).map(|other| format!("`{module}` does not use `{other}`")));
            }
            (None, _) => wrong.push(format!("`{module}` is not on the page")),
            (_, None) => wrong.push(format!("there is no `{module}`")),
        }
    }
    assert!(wrong.is_empty(), "docs/ARCHITECTURE.md and the code differ:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_uses_what_stands_below_it_on_the_page() {
    let (order, allowed) = allowed();
    for (at, module) in order.iter().enumerate() {
        for other in &allowed[module] {
            let place = order.iter().position(|name| name == other);
            assert!(
                place.is_some_and(|place| place < at),
                "`{module}` uses `{other}`, which is not among the lines above it"
            );
        }
    }
}
