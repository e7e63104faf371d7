//! Which here-documents an instruction announces, as BuildKit finds them: a word of its own, such as `<<EOF` or `3<<-"EOF"`.
//!
//! Where the words of the line cannot be told, as with a quote that stays open, there are none.

use std::iter::Peekable;
use std::str::Chars;

/// A text that ends with the line `name`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    pub(super) name: String,
    /// Tabs before its lines do not count.
    pub(super) chomp: bool,
}

/// Words inside words deeper than anyone writes.
const DEPTH_MAX: usize = 32;

pub(super) fn announced(line: &str) -> Vec<Heredoc> {
    let words = Words::of(line, false).unwrap_or_default();
    words.iter().filter_map(|word| heredoc(word)).collect()
}

fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|char: char| char.is_ascii_digit()).strip_prefix("<<")?;
    let (rest, chomp) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let mut names = Words::of(rest, true)?;
    let name = names.pop().filter(|_| names.is_empty())?;
    Some(Heredoc { name, chomp })
}

/// Divides a line into words, as far as quotes and `${…}` say where they end.
struct Words<'a> {
    chars: Peekable<Chars<'a>>,
    found: Vec<String>,
    word: String,
    /// Quotes and escapes are left out of the words.
    unquote: bool,
}

impl<'a> Words<'a> {
    /// None where something stays open.
    fn of(line: &'a str, unquote: bool) -> Option<Vec<String>> {
        let mut words =
            Self { chars: line.chars().peekable(), found: Vec::new(), word: String::new(), unquote };
        words.until(None, 0)?;
        words.end();
        Some(words.found)
    }

    fn end(&mut self) {
        if !self.word.is_empty() {
            self.found.push(std::mem::take(&mut self.word));
        }
    }

    fn quote(&mut self, char: char) {
        if !self.unquote {
            self.word.push(char);
        }
    }

    fn until(&mut self, stop: Option<char>, depth: usize) -> Option<()> {
        while let Some(char) = self.chars.next() {
            match char {
                _ if Some(char) == stop => {
                    self.word.push(char);
                    return Some(());
                }
                '\'' => {
                    self.quote(char);
                    loop {
                        match self.chars.next()? {
                            '\'' => break,
                            inner => self.word.push(inner),
                        }
                    }
                    self.quote(char);
                }
                '"' => self.double_quoted(depth)?,
                '$' => self.variable(depth)?,
                '\\' => {
                    self.quote(char);
                    self.word.extend(self.chars.next());
                }
                '<' if self.chars.next_if_eq(&'<').is_some() => {
                    self.word.push_str("<<");
                    // The name may stand apart.
                    while let Some(space) = self.chars.next_if(|char| char.is_whitespace()) {
                        self.word.push(space);
                    }
                }
                _ if char.is_whitespace() => self.end(),
                _ => self.word.push(char),
            }
        }
        stop.is_none().then_some(())
    }

    fn double_quoted(&mut self, depth: usize) -> Option<()> {
        self.quote('"');
        loop {
            match self.chars.next()? {
                '"' => break,
                '$' => self.variable(depth)?,
                '\\' => match self.chars.next_if(|char| matches!(char, '"' | '$' | '\\')) {
                    Some(escaped) => {
                        self.quote('\\');
                        self.word.push(escaped);
                    }
                    None if self.unquote => self.word.push('\\'),
                    None => {}
                },
                inner => self.word.push(inner),
            }
        }
        self.quote('"');
        Some(())
    }

    /// What follows a `$`; none where BuildKit knows no such substitution.
    fn variable(&mut self, depth: usize) -> Option<()> {
        self.word.push('$');
        if self.chars.next_if_eq(&'{').is_none() {
            return Some(());
        }
        self.word.push('{');
        if depth >= DEPTH_MAX || matches!(self.chars.peek()?, '{' | '}' | ':') {
            return None;
        }
        self.name();
        let mut operator = self.chars.next()?;
        self.word.push(operator);
        if operator == ':' {
            operator = self.chars.next()?;
            self.word.push(operator);
            if matches!(operator, '#' | '%') {
                return None;
            }
        }
        match operator {
            '}' => Some(()),
            '+' | '-' | '?' | '#' | '%' => self.until(Some('}'), depth + 1),
            '/' => {
                self.chars.next_if_eq(&'/');
                self.until(Some('/'), depth + 1)?;
                self.until(Some('}'), depth + 1)
            }
            _ => None,
        }
    }

    fn name(&mut self) {
        if let Some(special) = self.chars.next_if(|char| "@*#?-$!".contains(*char)) {
            return self.word.push(special);
        }
        let digits = self.chars.peek().is_some_and(char::is_ascii_digit);
        let is_part =
            |char: &char| if digits { char.is_ascii_digit() } else { char.is_alphanumeric() || *char == '_' };
        while let Some(part) = self.chars.next_if(is_part) {
            self.word.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_its_own_announces_one() {
        for (line, names) in [
            ("RUN <<EOF", &["EOF"] as &[&str]),
            ("RUN cat <<EOF >/x && cat 3<<-\"E F\"", &["EOF", "-E F"]),
            ("COPY <<A <<'B' << C /d", &["A", "B", "C"]),
            ("RUN a <<$X", &["$X"]),
            ("RUN ${a:-b} \"$c ${d/e/f}\" '<<G' <<\\H", &["H"]),
            ("RUN cat<<EOF", &[]),
            ("RUN a <<<b", &[]),
            ("RUN $((1 << 2))", &["2))"]),
            ("RUN it's <<EOF", &[]),
            ("RUN ${#a} <<EOF", &[]),
            ("RUN ${} <<EOF", &[]),
            ("RUN a <<", &[]),
            ("RUN a <<''", &[]),
        ] {
            let found: Vec<_> = announced(line)
                .into_iter()
                .map(|heredoc| format!("{}{}", if heredoc.chomp { "-" } else { "" }, heredoc.name))
                .collect();
            assert_eq!(found, names, "{line}");
        }
        let deep = format!("RUN {}{} <<E", "${a:-".repeat(100_000), "}".repeat(100_000));
        assert!(announced(&deep).is_empty());
    }
}
