//! A page of the book, carried out: its files are written and its commands run, in the order in which they stand there.
//!
//! - A fenced block with a second word in its first line, such as ```` ```toml pipeline.toml ````, is that file.
//! - In a block `console`, lines that begin with `$ ` are commands for bash; one that ends in `\` goes on in the next. They run
//!   in one folder, and a `cd` counts from then on. Each must succeed, unless the line ends in `# exit code N`.
//! - What follows a command is what it prints, on either stream: lines in their order, of which `…` stands for anything, and
//!   others may lie between. A block `console sample` shows what one run printed: the numbers, times and digests in its lines are
//!   others each time, and so is the order in which steps end.
//! - A page begins with `<!-- tools: git openssl -->` where its commands need these.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::TestSpace;

/// What is to be done, in order.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    /// The tools that its commands call.
    pub tools: Vec<String>,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    File { name: String, text: String },
    Command(PageCommand),
}

/// A command of a page, and what it prints.
#[derive(Debug, Default)]
pub struct PageCommand {
    /// For bash.
    pub line: String,
    code: i32,
    prints: Vec<String>,
    is_sample: bool,
}

impl Page {
    /// Reads a page.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tools = text.lines().next().and_then(|line| line.strip_prefix("<!-- tools: "));
        let tools = tools.map_or_else(Vec::new, |tools| {
            tools.trim_end_matches("-->").split_whitespace().map(str::to_owned).collect()
        });
        let mut parts = Vec::new();
        for block in blocks(&text) {
            match block.info.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["console"] => parts.extend(commands(&block.text).into_iter().map(Part::Command)),
                ["console", "sample"] => {
                    let commands = commands(&block.text).into_iter();
                    let sample = |command| PageCommand { is_sample: true, ..command };
                    parts.extend(commands.map(sample).map(Part::Command));
                }
                [_, name] => {
                    parts.push(Part::File { name: (*name).to_owned(), text: block.text });
                }
                _ => {}
            }
        }
        Self { path: path.to_owned(), tools, parts }
    }

    /// Its commands.
    pub fn commands(&self) -> impl Iterator<Item = &PageCommand> {
        self.parts.iter().filter_map(|part| match part {
            Part::Command(command) => Some(command),
            Part::File { .. } => None,
        })
    }

    /// Does all of it in the space's work folder, with this folder first on the `PATH` and these variables.
    pub fn run(&self, space: &TestSpace, bin: &Path, env: &[(String, String)]) {
        let bash = || {
            let mut bash = space.command("bash");
            let path = bash.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
            let path = format!("{}:{}", bin.display(), path.unwrap_or_default().to_string_lossy());
            bash.env("PATH", path).envs(env.iter().cloned());
            bash
        };
        self.follow(&bash, &space.path(".").display().to_string(), &mut |_, _| {});
    }

    /// Does all of it from the folder `here` on, by what `bash` makes, which need not be on this machine. `told` gets each
    /// command, or file, and what it printed.
    pub fn follow(&self, bash: &dyn Fn() -> Command, here: &str, told: &mut dyn FnMut(&str, &str)) {
        let mut here = here.to_owned();
        for part in &self.parts {
            match part {
                Part::File { name, text } => {
                    let put = "cd -- \"$1\" && mkdir -p -- \"$(dirname -- \"$2\")\" && cat >\"$2\"";
                    let mut bash = bash();
                    let mut bash =
                        bash.args(["-c", put, "bash", &here, name]).stdin(Stdio::piped()).spawn().unwrap();
                    bash.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                    assert!(
                        bash.wait().unwrap().success(),
                        "{}: {name} cannot be written",
                        self.path.display()
                    );
                    told(&format!("cat {name}"), text);
                }
                Part::Command(command) => {
                    let (code, said, folder) = one(bash, &here, command);
                    told(&format!("$ {}", command.line), &said);
                    here = folder.unwrap_or(here);
                    let place = format!("{}: {}", self.path.display(), command.line);
                    assert_eq!(code, Some(command.code), "{place}\n{said}");
                    let mut lines = said.lines();
                    for wanted in &command.prints {
                        let found = if command.is_sample {
                            said.lines().any(|line| fits(&varying(wanted), &varying(line)))
                        } else {
                            lines.any(|line| fits(wanted, line))
                        };
                        assert!(found, "{place}\ndoes not print, in this order: {wanted}\n{said}");
                    }
                }
            }
        }
    }
}

/// No tool prints this.
const MARK: &str = "\u{1}folder ";

/// The exit code, both streams as they were written, and the folder afterwards.
fn one(
    bash: &dyn Fn() -> Command,
    here: &str,
    command: &PageCommand,
) -> (Option<i32>, String, Option<String>) {
    let line = &command.line;
    let script = format!("exec 2>&1\ncd -- \"$1\"\n{line}\ncode=$?\nprintf '{MARK}%s' \"$PWD\"\nexit $code");
    let mut bash = bash();
    bash.args(["-c", &script, "bash", here]);
    let output = bash.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    match said.rsplit_once(MARK) {
        Some((said, folder)) => (output.status.code(), said.to_owned(), Some(folder.to_owned())),
        None => (output.status.code(), said, None),
    }
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// What follows the fence: the language, and a file's name.
    pub info: String,
    /// Its lines.
    pub text: String,
}

/// The fenced blocks of a text.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (open.take(), line.trim_start().strip_prefix("```")) {
            (None, None) => {}
            (None, Some(info)) => open = Some(Block { info: info.trim().to_owned(), text: String::new() }),
            (Some(block), Some(_)) => blocks.push(block),
            (Some(block), None) => open = Some(Block { text: format!("{}{line}\n", block.text), ..block }),
        }
    }
    assert!(open.is_none(), "a block does not end: {open:?}");
    blocks
}

fn commands(text: &str) -> Vec<PageCommand> {
    let mut commands: Vec<PageCommand> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let mut whole = command.to_owned();
            while whole.ends_with('\\') {
                whole = format!("{whole}\n{}", lines.next().unwrap_or_default());
            }
            let code = whole.rsplit_once("# exit code ").map_or(0, |(_, code)| code.trim().parse().unwrap());
            commands.push(PageCommand { line: whole, code, ..PageCommand::default() });
        } else if !matches!(line.trim(), "" | "…") {
            let command = commands.last_mut().unwrap_or_else(|| panic!("no command prints `{line}`"));
            command.prints.push(line.to_owned());
        }
    }
    commands
}

/// `…` is anything; what a line begins or ends with beyond spaces must be there.
fn fits(wanted: &str, line: &str) -> bool {
    let (wanted, mut rest) = (wanted.trim(), line.trim());
    let parts: Vec<&str> = wanted.split('…').collect();
    for (at, part) in parts.iter().enumerate() {
        let found = if at == 0 { rest.starts_with(part).then_some(0) } else { rest.find(part) };
        let Some(start) = found else { return false };
        rest = &rest[start + part.len()..];
    }
    rest.is_empty() || wanted.ends_with('…')
}

/// With one digit for each number, one word for each digest and one space for several: what two runs have in common.
fn varying(line: &str) -> String {
    let words = line.split_whitespace().map(|word| match word.split_once("sha256:") {
        Some((before, _)) => format!("{before}sha256:0"),
        None => {
            let digits = word.replace(|c: char| c.is_ascii_digit(), "0");
            let number = digits.replace("0.0", "0");
            (0..8).fold(number, |number, _| number.replace("00", "0")).replace("0.0", "0")
        }
    });
    words.collect::<Vec<_>>().join(" ").replace("0 min 0 s", "0 s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_with_and_without_gaps() {
        assert!(fits("a … c", "  a b c") && fits("a…", "abc") && fits("…c", "abc") && fits("abc", "abc"));
        assert!(!fits("a", "ab") && !fits("b", "ab") && !fits("a…d", "abc"));
    }

    #[test]
    fn a_sample_has_other_numbers_and_no_other_words() {
        let like = |wanted: &str, line: &str| fits(&varying(wanted), &varying(line));
        assert!(like("  done  [1/21] a  0.2 s", "  done [17/21] a  11 s"));
        assert!(like("done in 25 s", "done in 1 min 5 s"));
        assert!(like("x\tsha256:2ad1…\tlinux/arm64", "x sha256:77 linux/arm64"));
        assert!(!like("done a 1 s", "done b 1 s") && !like("done a 1 s", "done a"));
    }

    #[test]
    fn a_block_has_commands_with_what_they_print() {
        let commands = commands("$ one \\\n    more\nsaid\n…\n\n$ two # exit code 3\n");
        assert_eq!((commands[0].line.as_str(), commands[0].code), ("one \\\n    more", 0));
        assert_eq!(commands[0].prints, ["said"]);
        assert_eq!((commands[1].line.as_str(), commands[1].code), ("two # exit code 3", 3));
    }

    #[test]
    #[should_panic(expected = "does not print, in this order: three")]
    fn what_is_not_printed_fails() {
        let space = TestSpace::with_real_tools();
        let page = space.write(
            "page.md",
            "```text a/b.txt\none\ntwo\n```\n```console\n$ cd a\n$ cat b.txt\none\nthree\n```\n",
        );
        Page::read(&page).run(&space, Path::new("/usr/bin"), &[]);
    }
}
