//! Golden messages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{Sample, checked, folder, samples};

/// Codes that no recipe file alone can cause; `tests/cli` and `bytes` see to them.
const ELSEWHERE: [&str; 15] = [
    "select::bad-url",
    "select::not-fetched",
    "engine::none",
    "plan::internal",
    "select::bad-variable",
    "select::bad-pattern",
    "select::no-recipe",
    "select::nothing",
    "select::part-of-an-index",
    "select::unknown-variable",
    "select::unreadable",
    "spec::not-utf8",
    "spec::too-large",
    "spec::too-nested",
    "plan::no-output",
];

/// Words of the implementation that mean nothing to who writes a recipe.
const JARGON: [&str; 12] = [
    "struct ",
    "enum ",
    "u16",
    "u32",
    "i32",
    "i64",
    "invalid type",
    "invalid value",
    "expected one of",
    "untagged",
    "sequence",
    "serde",
];

#[test]
fn every_wrong_recipe_gets_its_message() {
    golden("invalid", 3);
}

#[test]
fn every_doubtful_recipe_gets_its_warning() {
    golden("warned", 0);
}

fn golden(set: &str, expected: i32) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder(set));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for (sample, (code, stdout, stderr)) in checked(set) {
        let name = &sample.name;
        // What only the command line can mend is a matter of usage.
        let usage =
            stderr.lines().filter(|line| line.contains("::")).all(|line| line.starts_with("select::"));
        let expected = if expected == 3 && usage { 2 } else { expected };
        assert_eq!(*code, expected, "{name}: {stderr}");
        assert_eq!(stdout, "", "{name}: data belongs to stdout, and there is none");
        for word in JARGON {
            assert!(!stderr.contains(word), "{name} says `{word}`:\n{stderr}");
        }
        assert!(!stderr.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{name}: {stderr:?}");
        insta::assert_snapshot!(name.clone(), stderr.clone());
    }
}

/// The files and lines that a message points at, in its order.
fn lines(stderr: &str) -> Vec<(&str, usize)> {
    let headers = stderr.split("\n\n").filter_map(|part| part.lines().find(|line| line.contains("╭─[")));
    headers
        .map(|line| {
            let (_, place) = line.split_once("╭─[").unwrap();
            let mut parts = place.trim_end_matches(']').rsplitn(3, ':').skip(1);
            let line = parts.next().unwrap().parse().unwrap();
            (parts.next().unwrap(), line)
        })
        .collect()
}

#[test]
fn messages_come_in_the_order_of_the_file_and_none_twice() {
    for (sample, (_, _, stderr)) in checked("invalid").iter().chain(checked("warned")) {
        let name = &sample.name;
        let lines = lines(stderr);
        assert!(!lines.is_empty(), "{name} says no place:\n{stderr}");
        // A message with two places far apart has a header for each; its main place decides, which may be the second.
        if !stderr.contains("plan::") {
            let first = |at: usize| lines.iter().position(|(file, _)| *file == lines[at].0);
            let order: Vec<_> = (0..lines.len()).map(|at| (first(at), lines[at].1)).collect();
            assert!(order.is_sorted(), "{name}: {lines:?}");
        }
        let parts: Vec<&str> = stderr.split("\n\n").filter(|part| part.contains("╭─[")).collect();
        assert_eq!(
            parts.len(),
            parts.iter().collect::<BTreeSet<_>>().len(),
            "{name} repeats itself:\n{stderr}"
        );
    }
}

#[test]
fn every_command_that_plans_says_the_same() {
    for name in ["several-errors", "several-errors-lowering", "cycle-needs"] {
        let recipe = fs::read(folder("invalid").join(format!("{name}.toml"))).unwrap();
        let sample = Sample::one(name, &recipe);
        let (_, _, expected) = sample.run(&["check"]);
        for command in [&["plan"][..], &["plan", "--format", "json"], &["run"], &["run", "-n"]] {
            let (code, stdout, stderr) = sample.run(command);
            assert_eq!((code, stdout.as_str(), stderr.as_str()), (3, "", expected.as_str()), "{command:?}");
        }
    }
}

#[test]
fn every_code_has_a_recipe() {
    let mut codes = BTreeSet::new();
    for krate in ["core", "cli"] {
        collect(&folder("../../crates").join(krate).join("src"), &mut codes);
    }
    assert!(codes.len() > 40, "{codes:?}");
    let mut seen = String::new();
    for set in ["invalid", "warned"] {
        for sample in samples(set) {
            seen += &fs::read_to_string(folder(set).join(format!("{}.snap", sample.name))).unwrap();
        }
    }
    let missing: Vec<&String> = codes
        .iter()
        .filter(|code| !ELSEWHERE.contains(&code.as_str()) && !seen.lines().any(|line| line == code.as_str()))
        .collect();
    assert!(missing.is_empty(), "no recipe in tests/spec shows {missing:?}");
}

/// Every `"area::code"` in a tree of sources.
fn collect(dir: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let words = text.split('"').filter(|word| {
                word.split_once("::").is_some_and(|(area, code)| {
                    ["spec", "plan", "select", "engine"].contains(&area)
                        && !code.is_empty()
                        && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                })
            });
            codes.extend(words.map(str::to_owned));
        }
    }
}
