//! Colours where they help, and nothing from outside that could act on a terminal.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// Colours or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style(pub(super) bool);

impl Style {
    /// As fits stderr: colours on a terminal, unless `NO_COLOR` is set or the terminal knows none; anywhere with `FORCE_COLOR` or
    /// `CLICOLOR_FORCE`, of which 0 forces nothing.
    pub(crate) fn stderr() -> Self {
        Self::chosen(|name| std::env::var_os(name), io::stderr().is_terminal())
    }

    fn chosen(variable: impl Fn(&str) -> Option<OsString>, terminal: bool) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let forced = |name: &str| set(name) && variable(name).is_some_and(|value| value != "0");
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        let usual = terminal && !dumb && !set("NO_COLOR");
        Self(forced("FORCE_COLOR") || forced("CLICOLOR_FORCE") || usual)
    }

    pub(crate) fn colours(self) -> bool {
        self.0
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// The text as it may be printed: what comes from outside must not act on the terminal.
pub(crate) fn clean(text: &str) -> String {
    pipeline_core::output::plain(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_where_they_are_wanted() {
        let chosen = |set: &[(&str, &str)], terminal| {
            let value =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
            Style::chosen(value, terminal).colours()
        };
        let xterm = ("TERM", "xterm");
        assert!(chosen(&[xterm], true) && !chosen(&[xterm], false) && !chosen(&[("TERM", "dumb")], true));
        assert!(!chosen(&[xterm, ("NO_COLOR", "1")], true) && chosen(&[xterm, ("NO_COLOR", "")], true));
        for force in ["FORCE_COLOR", "CLICOLOR_FORCE"] {
            assert!(chosen(&[(force, "1")], false) && chosen(&[(force, "1"), ("NO_COLOR", "1")], false));
            assert!(!chosen(&[(force, "0")], false) && !chosen(&[(force, "")], false));
        }
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{1b}[0m b"), "ared b");
        assert_eq!(clean("x\u{1b}]0;title\u{7}y\u{1b}]52;c;AAAA\u{1b}\\z"), "xyz");
        assert_eq!(clean("bell\u{7} \u{9b}1A cr\r bidi\u{202e}"), "bell\\x07 \\u{9b}1A cr bidi\\u{202e}");
        assert_eq!(clean("\u{1b}"), "");
        assert_eq!(clean("keeps\ttabs\nand lines ü"), "keeps\ttabs\nand lines ü");
    }
}
