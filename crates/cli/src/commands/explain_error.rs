//! `pipeline explain-error`: the pages of docs/errors, which are part of the program.

use pipeline_core::diag::did_you_mean;

use crate::{exit_code, terminal};

/// A page for each area of codes: `# AREA: …`, and `## CODE` with what it means.
const PAGES: [&str; 17] = [
    include_str!("../../../../docs/errors/usage.md"),
    include_str!("../../../../docs/errors/select.md"),
    include_str!("../../../../docs/errors/spec.md"),
    include_str!("../../../../docs/errors/plan.md"),
    include_str!("../../../../docs/errors/lock.md"),
    include_str!("../../../../docs/errors/frozen.md"),
    include_str!("../../../../docs/errors/ci.md"),
    include_str!("../../../../docs/errors/results.md"),
    include_str!("../../../../docs/errors/engine.md"),
    include_str!("../../../../docs/errors/place.md"),
    include_str!("../../../../docs/errors/run.md"),
    include_str!("../../../../docs/errors/step.md"),
    include_str!("../../../../docs/errors/image.md"),
    include_str!("../../../../docs/errors/node.md"),
    include_str!("../../../../docs/errors/evidence.md"),
    include_str!("../../../../docs/errors/history.md"),
    include_str!("../../../../docs/errors/fmt.md"),
];

pub(super) fn explain_error(code: Option<&str>) -> u8 {
    let Some(typed) = code else {
        terminal::out(&list());
        return exit_code::DONE;
    };
    let all: Vec<(&str, &str)> = PAGES.iter().flat_map(|page| sections(page)).collect();
    let named = |code: &str| code == typed || code.split_once("::").is_some_and(|(_, name)| name == typed);
    let found: Vec<_> = all.iter().filter(|(code, _)| named(code)).collect();
    if found.is_empty() {
        let help = did_you_mean(typed, all.iter().map(|(code, _)| *code))
            .unwrap_or_else(|| "`pipeline explain-error` lists the codes".into());
        terminal::error("usage::unknown-name", &format!("no error has the code `{typed}`"), Some(&help));
        return exit_code::USAGE;
    }
    let texts: Vec<String> = found.iter().map(|(code, text)| shown(code, text)).collect();
    terminal::out(&texts.join("\n"));
    exit_code::DONE
}

/// Codes with what stands below each.
fn sections(page: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'))
}

/// Every area with its codes, and of each the first sentence.
fn list() -> String {
    let mut text = String::new();
    for page in PAGES {
        let title = page.lines().next().unwrap_or_default().trim_start_matches("# ").replace('`', "");
        text += &format!("{title}\n");
        for (code, body) in sections(page) {
            let first = body.trim_start().split("\n\n").next().unwrap_or_default().replace('\n', " ");
            let first = without_links(&first);
            let sentence =
                first.split_once(". ").map_or(first.trim_end_matches('.'), |(sentence, _)| sentence);
            let sentence = sentence.split([':', ';']).next().unwrap_or(sentence);
            text += &format!("  {code:<26}  {sentence}\n");
        }
        text.push('\n');
    }
    text + "`pipeline explain-error CODE` says what to do about one.\n"
}

/// A section for the terminal: blocks are indented, links are their text.
fn shown(code: &str, body: &str) -> String {
    let mut text = format!("{code}\n");
    let mut in_block = false;
    for line in body.trim_end().lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            text += &format!("    {line}\n");
        } else {
            text += &format!("{}\n", without_links(line));
        }
    }
    text
}

/// `[text](target)` as `text`.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, label, after)) = link(rest) {
        text += before;
        text += label;
        rest = after;
    }
    text + rest
}

/// What stands before the first link, its text, and what follows it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (start, middle) = (text.find('[')?, text.find("](")?);
    let start = text[..middle].rfind('[').unwrap_or(start);
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], text.get(start + 1..middle)?, &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_their_text() {
        assert_eq!(without_links("see [a.md](../a.md) and [`b`](#b)."), "see a.md and `b`.");
        assert_eq!(without_links("`[[step]]` and `[vars]`"), "`[[step]]` and `[vars]`");
        assert_eq!(without_links("`[vars]` of [it](x"), "`[vars]` of [it](x");
    }

    #[test]
    fn a_block_is_indented() {
        assert_eq!(
            shown("a::b", "\nText.\n\n```text\nx = 1\n```\n\nMore.\n"),
            "a::b\n\nText.\n\n    x = 1\n\nMore.\n"
        );
    }
}
