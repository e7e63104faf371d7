//! Every error has a code, every code a section in docs/errors, and `pipeline explain-error` shows it.

use std::collections::BTreeSet;
use std::fs;

use pipeline_testkit::TestSpace;

use super::{below, pipeline, stdout};

/// The codes in what is no test: string literals of the form `area::name`.
fn codes_of_the_source() -> BTreeSet<String> {
    let sources = ["crates/core/src", "crates/cli/src"].iter().flat_map(|folder| below(folder, ".rs"));
    sources
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .filter(|path| !path.ends_with("tests.rs"))
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
            code.split('"').filter(|word| is_code(word)).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

fn is_code(word: &str) -> bool {
    let is_word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    word.split_once("::").is_some_and(|(area, name)| is_word(area) && name.split('-').all(is_word))
}

#[test]
fn every_code_has_a_section_and_every_section_a_code() {
    let mut sections = BTreeSet::new();
    for page in below("docs/errors", ".md") {
        let area = page.file_stem().unwrap().to_str().unwrap().to_owned();
        for section in fs::read_to_string(&page).unwrap().split("\n## ").skip(1) {
            let (code, text) = section.split_once('\n').unwrap();
            assert!(code.starts_with(&format!("{area}::")), "{code} is not on the page of its area");
            assert!(text.trim().len() > 80, "{code} is not explained");
            assert!(sections.insert(code.to_owned()), "{code} is explained twice");
        }
    }
    let codes = codes_of_the_source();
    let unexplained: Vec<_> = codes.difference(&sections).collect();
    assert!(unexplained.is_empty(), "docs/errors has no section for {unexplained:?}");
    let unused: Vec<_> = sections.difference(&codes).collect();
    assert!(unused.is_empty(), "docs/errors explains {unused:?}, which no error has");
}

#[test]
fn the_program_explains_each_of_them() {
    let list = stdout(&["explain-error"]);
    for code in codes_of_the_source() {
        assert!(list.contains(&format!("\n  {code} ")), "{code} is not in the list:\n{list}");
    }
    let widest = list.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(112), "the list has a line of {widest:?} characters:\n{list}");
    let page = stdout(&["explain-error", "spec::wrong-type"]);
    assert!(page.starts_with("spec::wrong-type\n") && page.contains("\n    nodes   = \"edge-1\""), "{page}");
    assert!(!page.contains("```") && !page.contains("]("), "{page}");
    assert_eq!(page, stdout(&["explain-error", "wrong-type"]));
}

#[test]
fn a_misspelt_code_is_an_error_with_the_right_one() {
    let output = pipeline(&TestSpace::new(), &["explain-error", "spec::unknwon-key"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.starts_with("error[usage::unknown-name]: "), "{said}");
    assert!(said.contains("did you mean `spec::unknown-key`?"), "{said}");
}
