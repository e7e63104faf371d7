//! Text in columns of a terminal: some characters take two, some none.

use unicode_width::UnicodeWidthChar;

/// The columns that a text takes, or a few less than that: a terminal that joins characters into one shows it narrower.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    c.width().unwrap_or_default()
}

/// The beginning of a text that is too long, in so many columns at most.
pub(super) fn start_of(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(columns(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let start: String = text.chars().take_while(fits).collect();
    if most == 0 { start } else { start + "…" }
}

/// The end of a text that is too long: of an instance's name, that is where the node is.
pub(super) fn end_of(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        match left.checked_sub(columns(c)) {
            Some(rest) => (left, begin) = (rest, at),
            None => break,
        }
    }
    // What belongs to a character before it is nothing without that.
    let end = text[begin..].trim_start_matches(|c| columns(c) == 0);
    if most == 0 { String::new() } else { format!("…{end}") }
}

/// The text with spaces behind it, up to so many columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// One line, in which nothing acts on the terminal and no secret is.
pub(super) fn one_line(text: &str) -> String {
    super::super::hidden(&super::super::clean(text)).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_the_columns_that_it_takes() {
        for (text, most, start, end) in [
            ("short", 5, "short", "short"),
            ("longer", 5, "long…", "…nger"),
            ("日本語", 6, "日本語", "日本語"),
            ("日本語", 5, "日本…", "…本語"),
            ("日本語", 4, "日…", "…語"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…", "…e\u{301}"),
            ("longer", 1, "…", "…"),
            ("longer", 0, "", ""),
            ("", 0, "", ""),
        ] {
            assert_eq!(
                (start_of(text, most).as_str(), end_of(text, most).as_str()),
                (start, end),
                "{text} {most}"
            );
            assert!(width(&start_of(text, most)) <= most && width(&end_of(text, most)) <= most);
        }
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("日本", 3), "日本");
    }

    #[test]
    fn a_line_is_one_and_does_nothing() {
        assert_eq!(one_line("a\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}b\nc\td"), "a\\u{202e}b c d");
    }
}
