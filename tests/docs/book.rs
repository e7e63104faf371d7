//! The book: every page is in it, every link leads somewhere, every command runs or is at least one that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pipeline_testkit::{Page, TestSpace, find, page, skip};

use super::{PIPELINE, below, pages, read, root, stdout};

/// Pages with another test: bake.rs, and scripts/tutorial.
const ELSEWHERE: [&str; 2] = ["docs/bake.md", "docs/tutorial/first-image.md"];

/// Engines are real in the lab only: tests/lab/book.rs.
pub(super) const OF_THE_LAB: &str = "buildah";

fn name(page: &Path) -> String {
    page.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_command_on_a_page_does_what_it_says() {
    let mut run = 0;
    for path in pages().into_iter().filter(|path| !ELSEWHERE.contains(&name(path).as_str())) {
        let page = Page::read(&path);
        if page.commands().next().is_none() || page.tools.iter().any(|tool| tool == OF_THE_LAB) {
            continue;
        }
        if let Some(missing) = page.tools.iter().find(|tool| find(tool).is_none()) {
            skip(&format!("{} needs {missing}", name(&path)));
            continue;
        }
        page.run(&TestSpace::with_real_tools(), Path::new(PIPELINE).parent().unwrap(), &[]);
        run += 1;
    }
    assert!(run > 3, "only {run} pages have commands");
}

/// Prose, tables, indented lines, workflows of CI: what looks like our command must be one.
#[test]
fn every_command_that_is_named_is_one_with_these_options() {
    let help = stdout(&["--help"]);
    let names = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    for name in names
        .lines()
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
    {
        options.insert(name.to_owned(), stdout(&[name, "--help"]));
    }
    let mut checked = 0;
    for page in pages().into_iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines() {
            let starts = line.match_indices("pipeline ").filter(|(at, _)| {
                let before = line[..*at].chars().next_back();
                before.is_none_or(|c| matches!(c, '`' | ' ' | '(')) && is_command(line, *at)
            });
            for (at, _) in starts {
                let command = line[at..].split(['`', '|', ';', '#', '(', '&']).next().unwrap();
                let mut words = command.split_whitespace().skip(1);
                let Some(verb) =
                    words.next().filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
                else {
                    continue;
                };
                if verb.starts_with('-') || verb == "action" {
                    continue;
                }
                let known = options.get(verb);
                let help =
                    known.unwrap_or_else(|| panic!("{}: there is no `pipeline {verb}`: {line}", name(&page)));
                for option in words.filter(|word| word.starts_with("--")) {
                    let option = option.split(['=', ',', ')', '.']).next().unwrap();
                    assert!(
                        option == "--" || help.contains(option),
                        "{}: `pipeline {verb}` has no {option}: {line}",
                        name(&page)
                    );
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "only {checked} commands were found");
}

/// In backticks, after a prompt, or the first word of a line of code or of CI's.
fn is_command(line: &str, at: usize) -> bool {
    let before = &line[..at];
    before.ends_with('`')
        || before.ends_with("$ ")
        || before.ends_with("- run: ")
        || before.ends_with("    ")
        || before.ends_with("    - ")
}

#[test]
fn the_book_has_every_page() {
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        links(&summary).into_iter().map(|link| root().join("docs").join(link)).collect();
    assert_eq!(listed.len(), links(&summary).len(), "SUMMARY.md names a page twice");
    for page in below("docs", ".md") {
        let is_decision = name(&page).starts_with("docs/design/0");
        assert!(
            is_decision || page.ends_with("SUMMARY.md") || listed.contains(&page),
            "{} is not in SUMMARY.md",
            name(&page)
        );
    }
    for page in &listed {
        assert!(page.is_file(), "{} is in SUMMARY.md and not there", page.display());
    }
}

/// Targets of links that lead to no other host.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|link| !link.is_empty() && !link.contains("://")).map(str::to_owned).collect()
}

#[test]
fn the_places_that_links_lead_to_are_there() {
    let mut followed = 0;
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link} is not there", name(&path));
            if !place.is_empty() {
                let places = places(&fs::read_to_string(&target).unwrap());
                assert!(
                    places.contains(place),
                    "{}: {link}: no such place; there are {places:?}",
                    name(&path)
                );
                followed += 1;
            }
        }
    }
    assert!(followed > 10, "only {followed} links have a place");
}

/// The anchors of a page's headings, as GitHub and mdbook make them.
fn places(text: &str) -> BTreeSet<String> {
    let outside: String =
        page::blocks(text).iter().fold(text.to_owned(), |text, block| text.replace(&block.text, ""));
    let headings = outside
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn the_reference_of_commands_is_up_to_date() {
    assert!(
        read("docs/reference/commands.md") == stdout(&["man", "--format", "markdown"]),
        "run: pipeline man --format markdown > docs/reference/commands.md"
    );
}
