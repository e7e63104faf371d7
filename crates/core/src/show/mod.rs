//! A plan for people (`text`), for programs (`json`), and as a script that does the job (`sh`).

mod describe;
mod json;
mod sh;
mod text;

pub use json::json;
pub use sh::sh;
pub use text::text;

use crate::plan::{Command, Part, Text};

/// An argument as a POSIX shell reads it back: late values as variables, the recipe's folder as `$PWD`.
fn shell_word(text: &Text) -> String {
    if text.parts().is_empty() {
        return "''".into();
    }
    text.parts()
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => portable(literal),
            Part::Late(late) => format!("\"${{{}}}\"", late.shell_variable()),
            Part::Here => "\"$PWD\"".into(),
        })
        .collect()
}

/// An argument as people read it: late values as named placeholders.
fn shown_word(text: &Text) -> String {
    match text.as_literal() {
        Some(literal) => quote(literal),
        // Placeholders and `$PWD` are no shell syntax here, so only what is around them decides on quotes.
        None => {
            let plain = text.parts().iter().all(|part| match part {
                Part::Literal(literal) => quote(literal) == *literal || literal.is_empty(),
                Part::Late(_) | Part::Here => true,
            });
            if plain { text.to_string() } else { quote(&text.to_string()) }
        }
    }
}

/// Must not reach a terminal raw: it acts on it, or turns the text around.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// As every POSIX shell reads it back; `$'…'` is not for all of them.
fn portable(text: &str) -> String {
    if !text.chars().any(acts) {
        return quote(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(acts) {
        let next = at + rest[at..].chars().next().map_or(0, char::len_utf8);
        if at > 0 {
            out += &quote(&rest[..at]);
        }
        let octal: String = rest[at..next].bytes().map(|byte| format!("\\{byte:03o}")).collect();
        out += &format!("\"$(printf '{octal}')\"");
        rest = &rest[next..];
    }
    if rest.is_empty() { out } else { out + &quote(rest) }
}

/// As people read it. Control characters would act on the terminal, and a newline would break the line.
fn quote(text: &str) -> String {
    if text.chars().any(acts) {
        let escaped: String = text
            .chars()
            .map(|c| if c.is_control() || acts(c) { c.escape_default().to_string() } else { c.to_string() })
            .collect();
        return format!("$'{}'", escaped.replace('\'', "\\'"));
    }
    // shlex also quotes what needs it nowhere, such as `=`.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    shlex::try_quote(text).map_or_else(|_| "''".into(), std::borrow::Cow::into_owned)
}

fn shown_line(argv: &[Text]) -> String {
    argv.iter().map(shown_word).collect::<Vec<_>>().join(" ")
}

/// The environment that a command sets, as it is written before it.
fn shown_env(command: &Command, word: impl Fn(&Text) -> String) -> String {
    command.env.iter().fold(String::new(), |line, (name, value)| line + name + "=" + &word(value) + " ")
}

#[cfg(test)]
mod tests {
    use super::{portable, quote};

    #[test]
    fn what_acts_on_a_terminal_is_written_so_that_any_shell_reads_it_back() {
        assert_eq!(portable("a b"), "'a b'");
        assert_eq!(portable("x\r"), "x\"$(printf '\\015')\"");
        let text = "a'b\u{1b}[31m\u{9b}\u{202e}$(x)\n\ty";
        let shown = portable(text);
        assert!(!shown.chars().any(super::acts), "{shown:?}");
        let script = format!("printf %s {shown}");
        let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), text);
        assert!(!quote(text).chars().any(super::acts));
    }
}
