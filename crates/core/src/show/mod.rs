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
            Part::Literal(literal) => quote(literal),
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

fn quote(text: &str) -> String {
    // Control characters would reach the terminal raw, and a newline would break the line.
    if text.chars().any(|c| c.is_control() && c != '\n') {
        let escaped: String = text
            .chars()
            .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
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
