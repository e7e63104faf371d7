//! A CI system reads the log for commands of its own. What comes from steps and recipes must be none.
//!
//! GitHub takes a line that begins with `::`, and `##[` anywhere in a line. A backslash in them makes text of both, without
//! a state that a killed run would leave behind, as `::stop-commands::` is. GitLab's section markers need a carriage return
//! and a terminal sequence, and neither gets here.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::clean;

/// Whether GitHub's runner, or one like it, reads what is printed.
pub(super) fn github() -> bool {
    static GITHUB: OnceLock<bool> = OnceLock::new();
    *GITHUB.get_or_init(|| std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"))
}

/// Text of any number of lines as it may be printed here.
pub(crate) fn no_commands(text: &str) -> Cow<'_, str> {
    if github() { defused(text) } else { Cow::Borrowed(text) }
}

/// JSON as it may be printed here: the same JSON.
pub(super) fn no_commands_in_json(json: &str) -> Cow<'_, str> {
    if github() && json.contains("##[") {
        Cow::Owned(json.replace("##[", r"##\u005b"))
    } else {
        Cow::Borrowed(json)
    }
}

fn defused(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let body = line.trim_start();
        let line = match body.strip_prefix("::") {
            Some(rest) => format!(r"{}\::{rest}", &line[..line.len() - body.len()]),
            None => line.to_owned(),
        };
        line.replace("##[", r"##\[")
    });
    Cow::Owned(lines.collect())
}

/// The words of a command of ours, as the runner reads them. What it would show raw is left out.
pub(crate) fn data(text: &str) -> String {
    clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of one of its properties.
pub(crate) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the runner takes for a command, after `ActionCommand.cs` of actions/runner.
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    #[test]
    fn no_line_is_a_command_and_no_other_changes() {
        for text in [
            "::error::x\n",
            "  \t\u{a0}::add-path::/evil\n::set-output name=a::b",
            "x ##[error]y ##[command]\n##[group]",
            "::\n:::\n ::##[",
            "\u{85}::x",
        ] {
            assert!(!defused(text).lines().any(is_command), "{text:?}: {:?}", defused(text));
        }
        for text in ["", "a::b\n", "std::fmt\n", " x :: y", "# [x]", "a: :b"] {
            assert_eq!(defused(text), text);
        }
        assert_eq!(defused("a\n  ::error::b\nc"), "a\n  \\::error::b\nc");
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = r###"{"text":"##[error]x"}"###.replace("##[", r"##\u005b");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["text"], "##[error]x");
    }

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("a%b\n::error::x, y"), "a%25b%0A::error::x, y");
        assert_eq!(property("a:b,c%0A\r\n"), "a%3Ab%2Cc%250A%0A");
        assert_eq!(data("x\u{1b}[31my"), "xy");
    }
}
