//! A recipe's text in messages: nothing in it acts on the terminal, no password is shown, no line fills the screen.

use pipeline_core::diag::Diagnostic;
use pipeline_core::source::{Sources, Span};

use super::clean;

/// Longer lines are not shown, in bytes.
const MAX_LINE: usize = 400;

/// Longer messages are cut, in characters.
const MAX_MESSAGE: usize = 1500;

/// The files of diagnostics as they may be printed, made once for all that are about the same.
#[derive(Default)]
pub(super) struct Excerpts(Option<(Sources, Sources)>);

impl Excerpts {
    fn of(&mut self, sources: &Sources) -> Sources {
        match &self.0 {
            Some((known, shown)) if known.same(sources) => shown.clone(),
            _ => {
                let shown = sources.map(clean, same_length);
                self.0 = Some((sources.clone(), shown.clone()));
                shown
            }
        }
    }

    /// The diagnostic as it may be printed.
    pub(super) fn printable(&mut self, diagnostic: &Diagnostic) -> Diagnostic {
        let mut shown = diagnostic.clone();
        shown.message = short(&shown.message);
        shown.help = shown.help.map(|help| short(&help));
        for (_, label) in &mut shown.labels {
            *label = short(label);
        }
        let Some(sources) = &diagnostic.source else { return shown };
        if let Some((span, _)) = shown.labels.iter().find(|(span, _)| too_wide(sources, span)) {
            let at = sources.position(span.start);
            shown.message += &format!(" ({}, line {}, column {})", clean(at.file), at.line, at.column);
            shown.labels.clear();
            shown.source = None;
        } else {
            shown.source = Some(self.of(sources));
        }
        shown
    }
}

/// The lines around a place would fill the screen.
fn too_wide(sources: &Sources, span: &Span) -> bool {
    let Some(file) = sources.file(span.start) else { return false };
    let local = |offset: usize| offset.saturating_sub(file.base());
    widest_line(file.text(), local(span.start), local(span.end)) > MAX_LINE
}

/// Names in a message may be as long as the file.
fn short(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// The longest of the lines from the one before `start` to the one after `end`.
fn widest_line(text: &str, start: usize, end: usize) -> usize {
    let bytes = text.as_bytes();
    let line_start = |at: usize| bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |found| found + 1);
    let line_end = |at: usize| bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
    let from = line_start(line_start(start.min(bytes.len())).saturating_sub(1));
    let to = line_end((line_end(end.min(bytes.len())) + 1).min(bytes.len()));
    bytes[from..to].split(|b| *b == b'\n').map(<[u8]>::len).max().unwrap_or(0)
}

/// The text without control and direction characters and without passwords in URLs. Places in it stay where they are.
fn same_length(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => out.push(' '),
            c if c.is_control() && c.len_utf8() == 1 => out.push('?'),
            c if c.is_control() => out.push('\u{b7}'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    let mut from = 0;
    while let Some(found) = out[from..].find("://") {
        let start = from + found + 3;
        let end = out[start..]
            .find(|c: char| c.is_whitespace() || "/'\"".contains(c))
            .map_or(out.len(), |length| start + length);
        if let Some((login, _)) = out[start..end].rsplit_once('@')
            && let Some((user, password)) = login.split_once(':')
        {
            let at = start + user.len() + 1;
            out.replace_range(at..at + password.len(), &"*".repeat(password.len()));
        }
        from = start;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_harmless_and_as_long_as_before() {
        let text =
            "a\u{1b}[31m \u{9b}\u{202e}\r\n\tb https://u:s3cret@h/x?y=z@w ssh://git@h:22/ 'https://a:ü@'";
        let shown = same_length(text);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains("s3cret") && shown.contains("https://u:******@h/x?y=z@w"), "{shown}");
        assert!(shown.contains("ssh://git@h:22/") && shown.contains("'https://a:**@'"), "{shown}");
        assert!(!shown.chars().any(|c| c.is_control() && !"\n\t".contains(c)) && !shown.contains('\u{202e}'));
    }

    #[test]
    fn lines_around_a_place_are_measured() {
        let text = format!("a\n{}\nb\nc\n{}", "x".repeat(500), "y".repeat(600));
        assert_eq!(widest_line(&text, 0, 1), 500);
        assert_eq!(widest_line(&text, text.find('c').unwrap(), text.find('c').unwrap()), 600);
        assert_eq!(widest_line("ab\ncd", 1, 1), 2);
        assert_eq!(widest_line("", 0, 0), 0);
        assert_eq!(widest_line("a", 9, 9), 1);
    }
}
