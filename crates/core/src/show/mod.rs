//! A plan for people (`text`), for programs (`json`), and as a script that does the job (`sh`).

mod cri;
mod describe;
mod json;
mod legend;
mod sh;
mod text;

pub use describe::actions;
pub use json::{Document, json, read};
pub use sh::sh;
pub use text::text;

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::plan::{Part, Text};

/// An argument as a POSIX shell reads it back: late values as variables, the recipe's folder as `$here`.
fn shell_word(text: &Text) -> String {
    if text.parts().is_empty() {
        return "''".into();
    }
    text.parts()
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => exact(literal),
            Part::Late(late) => format!("\"${{{}}}\"", late.shell_variable()),
            // Not `$PWD`: a command may run in another folder.
            Part::Here => "\"$here\"".into(),
        })
        .collect()
}

/// Acts on a terminal, or turns the text around it.
fn hidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Quoted for any POSIX shell, with control characters made by `printf`, so that a script shows no raw ones.
fn exact(text: &str) -> String {
    let mut words = String::new();
    for piece in text.split_inclusive(hidden) {
        let literal = piece.trim_end_matches(hidden);
        if !literal.is_empty() {
            words += &quote(literal);
        }
        if literal.len() < piece.len() {
            let octal: String = piece[literal.len()..].bytes().map(|byte| format!("\\{byte:03o}")).collect();
            words += &format!("\"$(printf '{octal}')\"");
        }
    }
    if words.is_empty() { "''".into() } else { words }
}

/// An argument as people read it: late values as named placeholders.
fn shown_word(text: &Text) -> String {
    let mut word = String::new();
    push_word(&mut word, text);
    word
}

/// The same at the end of a line.
fn push_word(out: &mut String, text: &Text) {
    // Placeholders and `$PWD` are no shell syntax here, so only what is around them decides on quotes.
    let plain = text.parts().iter().all(|part| match part {
        Part::Literal(literal) => is_plain(literal),
        Part::Late(_) | Part::Here => true,
    });
    if plain && !text.parts().is_empty() {
        let _ = write!(out, "{text}");
    } else {
        *out += &quote(&visible(&text.to_string()));
    }
}

/// A shell reads nothing into it.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'=' | b'@' | b'%' | b'+' | b',')
    };
    !text.is_empty() && text.bytes().all(plain)
}

/// In single quotes where a shell would read something into it.
fn quote(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Control characters would reach the terminal raw; a newline may.
fn visible(text: &str) -> Cow<'_, str> {
    // Nearly all of a plan is plain ASCII, which takes one look a byte.
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    let rest = text.bytes().position(|byte| !plain(byte)).map_or("", |at| &text[at..]);
    if !rest.contains(hidden) {
        return text.into();
    }
    text.chars().map(|c| if hidden(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn shown_line(argv: &[Text]) -> String {
    argv.iter().map(shown_word).collect::<Vec<_>>().join(" ")
}

/// The environment that a command sets, as it is written before it.
fn shown_env<'e>(
    env: impl IntoIterator<Item = (&'e String, &'e Text)>,
    word: impl Fn(&Text) -> String,
) -> String {
    env.into_iter().fold(String::new(), |line, (name, value)| line + name + "=" + &word(value) + " ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::plan::Grammar;

    #[test]
    fn a_shell_reads_an_argument_back() {
        for text in [
            "",
            "a b",
            "it's",
            "$(x) `y` \"z\"",
            "tab\there",
            "\u{1b}[31m\u{7f}\u{85}x",
            "a\u{202e}b\u{2066}",
            "two\nlines",
            "-n",
            "\\t",
        ] {
            let word = shell_word(&text.into());
            assert!(!word.contains(hidden), "{word}");
            let script = format!("printf '%s.' {word}");
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{text}."), "{word}");
        }
    }

    #[test]
    fn people_read_placeholders_and_no_control_characters() {
        let late = Text::late("source", "commit", Grammar::Hex);
        assert_eq!(shown_word(&late), "<source.commit>");
        assert_eq!(shown_word(&late.lit("^{tree}")), "'<source.commit>^{tree}'");
        assert_eq!(shown_word(&Text::here("out")), "$PWD/out");
        assert_eq!(shown_word(&"a\tb".into()), r"'a\tb'");
        assert_eq!(shown_word(&"it's".into()), r"'it'\''s'");
        assert_eq!(shown_word(&"".into()), "''");
    }
}
