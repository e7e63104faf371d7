//! What begins with `--` before the operands of an instruction.

use std::ops::Range;

/// `--name=value` with quotes and escapes taken away.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) name: String,
    pub(super) value: String,
    /// Where each byte of the value lies in the instruction's text.
    places: Vec<usize>,
}

impl Flag {
    /// Where a part of the value lies in the instruction's text.
    pub(super) fn place(&self, part: &Range<usize>) -> Range<usize> {
        self.places[part.start]..self.places[part.end - 1] + 1
    }
}

/// The flags from `start` on, and where the operands begin.
pub(super) fn flags(text: &str, start: usize, escape: char) -> (Vec<Flag>, usize) {
    let mut flags = Vec::new();
    let mut at = start;
    loop {
        at = text.len() - text[at..].trim_start().len();
        if !text[at..].starts_with("--") {
            return (flags, at);
        }
        let (word, places, end) = word(text, at, escape);
        at = end;
        if word == "--" {
            return (flags, text.len() - text[at..].trim_start().len());
        }
        let (name, value) = word.split_once('=').unwrap_or((&word, ""));
        let places = places[word.len() - value.len()..].to_vec();
        flags.push(Flag {
            name: name.get(2..).unwrap_or_default().to_owned(),
            value: value.to_owned(),
            places,
        });
    }
}

/// The word from `start` on without its quotes, where each of its bytes lies, and where it ends.
fn word(text: &str, start: usize, escape: char) -> (String, Vec<usize>, usize) {
    let (mut word, mut places, mut quote) = (String::new(), Vec::new(), None);
    let mut chars = text[start..].char_indices().map(|(at, char)| (start + at, char));
    while let Some((mut at, mut char)) = chars.next() {
        match quote {
            None if char.is_whitespace() => return (word, places, at),
            None if matches!(char, '\'' | '"') => {
                quote = Some(char);
                continue;
            }
            Some(open) if char == open => {
                quote = None;
                continue;
            }
            _ if char == escape => {
                let Some(next) = chars.next() else { break };
                (at, char) = next;
            }
            _ => {}
        }
        word.push(char);
        places.extend(at..at + char.len_utf8());
    }
    (word, places, text.len())
}
