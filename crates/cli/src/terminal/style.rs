//! Colours where they help, and nothing from outside that could act on a terminal.

use std::io::{self, IsTerminal};

/// Colours or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style(pub(super) bool);

impl Style {
    /// As fits stderr: colours on a terminal, unless `NO_COLOR` is set or the terminal knows none.
    pub(crate) fn stderr() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(set("FORCE_COLOR") || (io::stderr().is_terminal() && !dumb && !set("NO_COLOR")))
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
    fn nothing_acts_on_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{1b}[0m b"), "ared b");
        assert_eq!(clean("x\u{1b}]0;title\u{7}y\u{1b}]52;c;AAAA\u{1b}\\z"), "xyz");
        assert_eq!(clean("bell\u{7} \u{9b}1A cr\r bidi\u{202e}"), "bell\\x07 \\u{9b}1A cr bidi\\u{202e}");
        assert_eq!(clean("\u{1b}"), "");
        assert_eq!(clean("keeps\ttabs\nand lines ü"), "keeps\ttabs\nand lines ü");
    }
}
