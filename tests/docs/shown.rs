//! What README.md and the book show as a command is one that a page runs.
//!
//! A command is shown in three forms. In a `console` block it runs (testkit's `page`). In any other block, an indented line, a sentence or a table it must be a shorter form of one that runs somewhere: the same words in this order, where `FILE`, `[RECIPE]` and `…` stand for any.

use std::collections::BTreeSet;

use pipeline_testkit::{Page, page};

use super::{below, read, root};

/// What begins a command. Another word in backticks is a key, a path or a name.
const PROGRAMS: [&str; 23] = [
    "pipeline",
    "docker",
    "podman",
    "buildah",
    "skopeo",
    "crictl",
    "ctr",
    "ssh",
    "ssh-keygen",
    "scp",
    "git",
    "make",
    "just",
    "apt",
    "apt-get",
    "sudo",
    "curl",
    "openssl",
    "cosign",
    "scripts/demo",
    "scripts/test",
    "scripts/install",
    "dmesg",
];

/// Languages without commands, besides `console`, whose commands run.
const NO_COMMANDS: [&str; 6] = ["console", "toml", "hcl", "rust", "json", "layers"];

/// What no page runs: where it stands, how it begins, and why.
const NOT_RUN: [(&str, &str, &str); 14] = [
    (
        "docs/bake.md",
        "./deliver.sh",
        "bake's half: needs nodes and docker; tests/docs/bake.rs has a shell read it",
    ),
    (
        "docs/bake.md",
        "pipeline run",
        "the recipes name repositories that are not there; tests/docs plans each",
    ),
    (
        "README.md",
        "scripts/demo",
        "builds the program and takes minutes; what it runs, `pipeline run demo`, is run here",
    ),
    ("README.md", "scripts/test", "would run itself"),
    ("README.md", "scripts/install", "tests/cli/install.rs runs it"),
    (
        "README.md",
        "just",
        "compiles for minutes; `just release` is scripts/release, whose package scripts/tutorial installs",
    ),
    (
        "docs/bake.md",
        "docker buildx",
        "bake's half: tests/docs/bake.rs runs it where BUILDX says where that is",
    ),
    ("docs/delivery.md", "docker save, scp, import", "the name of a row; scripts/bench-ship runs it"),
    ("", "apt", "changes the machine; scripts/tutorial installs packages in one of its own"),
    ("docs/errors/history.md", "buildah unshare", "for users that are not root, which the lab's tests are"),
    ("docs/errors/step.md", "crictl rmi --prune", "removes the images of others from a node"),
    ("docs/errors/step.md", "ssh-keygen -lf", "reads the key of a node that has one at that path"),
    (
        "docs/steps.md",
        "ctr --namespace k8s.io images import",
        "what a step does, told by its description: tests/lab/delta.rs",
    ),
    ("docs/language.md", "sudo -n", "what a node is asked, told by the key's description: tests/lab/ship.rs"),
];

/// README.md and the pages for readers: decisions and the generated list of options show nothing to type.
fn shown_on() -> Vec<String> {
    let name = |path: std::path::PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    let pages = below("docs", ".md").into_iter().map(name);
    let pages =
        pages.filter(|page| !page.starts_with("docs/design/") && page != "docs/reference/commands.md");
    ["README.md".to_owned()].into_iter().chain(pages).collect()
}

/// The words of the commands of a line for bash, less quotes and comments.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.replace("\\\n", " ").replace(['"', '\''], "");
    let line = line.split(" # ").next().unwrap_or_default();
    let parts = line.split(['|', ';', '&']).map(|part| part.trim().trim_start_matches("do "));
    let words = parts.map(|part| part.split_whitespace().map(str::to_owned).collect());
    words.filter(|words: &Vec<String>| !words.is_empty()).collect()
}

/// Everything that runs, by whatever test carries the page out.
fn run() -> BTreeSet<Vec<String>> {
    let mut all = BTreeSet::new();
    for name in shown_on() {
        let path = root().join(&name);
        all.extend(Page::read(&path).commands().flat_map(|command| commands(&command.line)));
        // What `make -n` reads.
        for block in page::blocks(&read(&name)).iter().filter(|block| block.info.starts_with("make ")) {
            all.extend(block.text.lines().filter(|line| line.starts_with('\t')).flat_map(commands));
        }
    }
    all
}

/// `FILE`, `NODE…`, `<KEY>`: any word.
fn is_placeholder(word: &str) -> bool {
    let letters = || word.chars().filter(|c| c.is_alphabetic());
    word.contains(['…', '<']) || (letters().count() > 1 && letters().all(char::is_uppercase))
}

/// Whether the words of `short` are words of `long` in the same order, and the first is the first.
fn is_form_of(short: &[String], long: &[String]) -> bool {
    let mut rest = long.iter();
    short.first() == long.first()
        && short.iter().all(|word| rest.any(|other| is_placeholder(word) || word == other))
}

/// The words of a command in backticks; `None` for what is none, such as `docker save`, the name of a command.
fn inline(span: &str) -> Option<Vec<String>> {
    let mut text = span.to_owned();
    while let Some((before, rest)) = text.split_once('[') {
        let (_, after) = rest.split_once(']')?;
        text = format!("{before}{after}");
    }
    let text = text.replace("\\|", "|");
    let words = commands(text.split(['>', '|']).next()?).into_iter().next()?;
    let is_ours = words.len() > 1 && words[0] == "pipeline";
    let is_whole = words.len() > 3 || words.iter().any(|word| word.starts_with('-'));
    let is_script = words[0].starts_with("scripts/") || (words.len() > 1 && words[0] == "just");
    (PROGRAMS.contains(&words[0].as_str()) && (is_ours || is_whole || is_script)).then_some(words)
}

/// The commands on a page that are in no `console` block: in sentences, with the options that a row of a table names, and in
/// other blocks and indented lines.
fn shown(text: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut inlines, mut lines) = (Vec::new(), Vec::new());
    let mut prose = text.to_owned();
    for block in page::blocks(text) {
        prose = prose.replace(&block.text, "");
        let language = block.info.split_whitespace().next().unwrap_or_default();
        if block.info.split_whitespace().count() > 1 || NO_COMMANDS.contains(&language) {
            continue;
        }
        lines.extend(block.text.lines().filter(|line| is_typed(line)).map(str::to_owned));
    }
    let indented = prose.lines().filter(|line| line.starts_with("    ") && is_typed(line));
    lines.extend(indented.map(|line| line.trim().to_owned()));
    let prose: String = prose.lines().filter(|line| !line.trim_start().starts_with("```")).fold(
        String::new(),
        |text, line| {
            if line.is_empty() {
                text + "\n"
            } else {
                text + " " + line + if line.starts_with('|') { "\n" } else { "" }
            }
        },
    );
    for paragraph in prose.lines() {
        let spans: Vec<&str> = paragraph.split('`').skip(1).step_by(2).collect();
        inlines.extend(spans.iter().filter_map(|span| inline(span)));
        if let Some(first) = paragraph.trim().strip_prefix("| `pipeline ") {
            let verb = first.split([' ', '`']).next().unwrap_or_default().to_owned();
            let options = spans
                .iter()
                .filter(|span| span.starts_with("--"))
                .filter_map(|span| span.split([' ', '[']).next());
            inlines
                .extend(options.map(|option| vec!["pipeline".to_owned(), verb.clone(), option.to_owned()]));
        }
    }
    (inlines, lines)
}

fn is_typed(line: &str) -> bool {
    let line = line.trim();
    let first = line.split_whitespace().next().unwrap_or_default();
    ["$ ", "- run: ", "./"].iter().any(|start| line.starts_with(start)) || PROGRAMS.contains(&first)
}

#[test]
fn every_command_that_is_shown_is_run() {
    let run = run();
    let mut needed = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in shown_on() {
        let excepted = |command: &str| {
            NOT_RUN
                .iter()
                .find(|(on, begins, _)| (on.is_empty() || *on == page) && command.starts_with(begins))
        };
        let mut text = read(&page);
        if page == "docs/bake.md" {
            // The script that bake needs beside it: bake.rs writes it as that.
            text = text.replace("\n```sh\n", "\n```sh deliver.sh\n");
        }
        let (inlines, lines) = shown(&text);
        checked += inlines.len() + lines.len();
        for words in inlines {
            let command = words.join(" ");
            match excepted(&command) {
                _ if run.iter().any(|long| is_form_of(&words, long)) => {}
                Some(exception) => _ = needed.insert(*exception),
                None => wrong.push(format!("{page}: no page runs `{command}`")),
            }
        }
        for line in lines {
            let typed = commands(line.trim().trim_start_matches("$ ")).remove(0);
            match excepted(line.trim()) {
                _ if page != "docs/bake.md" && run.iter().any(|long| is_form_of(&typed, long)) => {}
                Some(exception) => _ = needed.insert(*exception),
                None => wrong.push(format!("{page}: no page runs `{line}`: make it a `console` block")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "only {checked} commands were found");
    for exception in NOT_RUN {
        let (page, command, reason) = exception;
        assert!(needed.contains(&exception), "{page} does not show `{command}`: take it out of the list");
        println!("not run: `{command}` {page}: {reason}");
    }
}

/// A page that no test carries out would run nothing.
#[test]
fn every_page_with_an_engine_is_followed_in_the_lab() {
    let lab = read("tests/lab/book.rs");
    for name in shown_on() {
        let page = Page::read(&root().join(&name));
        let is_of_the_lab = page.tools.iter().any(|tool| tool == super::book::OF_THE_LAB);
        assert_eq!(
            is_of_the_lab,
            lab.contains(&format!("\"{name}\"")),
            "{name}: is it in tests/lab/book.rs?"
        );
    }
}

#[test]
fn what_is_not_run_is_found() {
    let (inlines, lines) = shown(
        "Type `pipeline run\n--force` or `docker save`.\n\n    pipeline plan\n\n```sh\nssh x true\n```\n\n```console\n$ ls\n```\n\n\
         | `pipeline logs [RUN]` | with `--follow` |\n",
    );
    let inlines: Vec<String> = inlines.iter().map(|words| words.join(" ")).collect();
    assert_eq!(inlines, ["pipeline run --force", "pipeline logs", "pipeline logs --follow"]);
    assert_eq!(lines, ["ssh x true", "pipeline plan"]);
    let words = |line| commands(line).remove(0);
    assert!(is_form_of(&words("pipeline ship IMAGE NODE…"), &words("pipeline ship --sudo a b")));
    assert!(!is_form_of(&words("pipeline lock --check"), &words("pipeline lock --update")));
}
