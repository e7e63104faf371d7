//! `***` in the place of secrets.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::encodings::encodings;
use super::{Finder, Line, Lines};

/// What is shorter would stand in every second line by chance.
pub const MIN_SECRET: usize = 4;

/// Of a secret with several lines, only those that are long enough to tell it are hidden by themselves.
const MIN_LINE: usize = 8;

/// A longer pattern is hidden as several, so that little is held back.
const LONGEST: usize = 512;

const HIDDEN: &str = "***";

/// Knows secrets, and the forms in which they are printed. The default knows none.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Option<Arc<Known>>);

#[derive(Debug)]
struct Known {
    automaton: AhoCorasick,
    patterns: Vec<String>,
    /// As they are.
    values: Vec<Vec<u8>>,
}

impl Redactor {
    /// Hides these values. Those that are too short ([`Redactor::is_too_short`]) are not.
    pub fn new<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let values: Vec<Vec<u8>> = values.into_iter().map(<[u8]>::to_vec).collect();
        let mut patterns: Vec<String> = values.iter().flat_map(|value| patterns(value)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        if patterns.is_empty() {
            return Self(None);
        }
        // Every match is wanted, also those that overlap: a rest of one secret beside another tells too much.
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns);
        Self(automaton.ok().map(|automaton| Arc::new(Known { automaton, patterns, values })))
    }

    /// Nothing would be left to read if such a value were hidden wherever it stands.
    pub fn is_too_short(value: &[u8]) -> bool {
        lines(value).iter().all(|line| line.trim().len() < MIN_SECRET)
    }

    /// The text without secrets.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(known) = &self.0 else { return Cow::Borrowed(text) };
        let mut hidden: Vec<Range<usize>> =
            known.automaton.find_overlapping_iter(text).map(|found| found.range()).collect();
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_unstable_by_key(|range| range.start);
        let (mut out, mut shown, mut end) = (String::with_capacity(text.len()), 0, None);
        for range in hidden {
            // What touches is one secret, in one form or in several.
            if end.is_none_or(|end| range.start > end) {
                out += &text[shown..range.start];
                out += HIDDEN;
            }
            shown = shown.max(range.end);
            end = Some(shown);
        }
        out += &text[shown..];
        Cow::Owned(out)
    }

    /// The same in place.
    pub fn hide(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }

    /// What looks for the same secrets in data.
    pub fn finder(&self) -> Finder {
        Finder::new(self.0.iter().flat_map(|known| &known.values).map(Vec::as_slice))
    }

    /// How many bytes at the end may be the beginning of a secret.
    pub(super) fn open_end(&self, text: &[u8]) -> usize {
        let Some(known) = &self.0 else { return 0 };
        let open = |end: usize| {
            let text = &text[..end];
            let begins = |pattern: &String| {
                let longest = (pattern.len() - 1).min(text.len());
                (1..=longest).rev().find(|length| text.ends_with(&pattern.as_bytes()[..*length]))
            };
            known.patterns.iter().filter_map(begins).max().unwrap_or(0)
        };
        let mut end = text.len();
        // Another may end where this one begins. Never more than half, so that a text goes on.
        loop {
            let more = open(end);
            if more == 0 || end - more < text.len() / 2 {
                return text.len() - end;
            }
            end -= more;
        }
    }
}

/// The value as it looks after the filter that all output goes through.
fn lines(value: &[u8]) -> Vec<String> {
    let (mut lines, mut out) = (Lines::default(), Vec::new());
    let mut add = |line: Line| out.push(line.text);
    lines.push(value, &Redactor::default(), &mut add);
    lines.finish(&mut add);
    out
}

/// What is looked for: each line of the value, and the whole in other forms.
fn patterns(value: &[u8]) -> Vec<String> {
    let lines = lines(value);
    let least = if lines.len() > 1 { MIN_LINE } else { MIN_SECRET };
    let whole = value.strip_suffix(b"\n").unwrap_or(value);
    let mut all = encodings(whole);
    all.extend(lines.into_iter().filter(|line| line.trim().len() >= least));
    all.into_iter().filter(|pattern| pattern.len() >= MIN_SECRET).flat_map(pieces).collect()
}

/// Pieces of a long pattern, each long enough to tell it.
fn pieces(pattern: String) -> Vec<String> {
    if pattern.len() <= LONGEST {
        return vec![pattern];
    }
    let count = pattern.len().div_ceil(LONGEST);
    let cuts: Vec<usize> =
        (0..=count).map(|piece| pattern.floor_char_boundary(piece * pattern.len() / count)).collect();
    cuts.windows(2).map(|cut| pattern[cut[0]..cut[1]].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(values: &[&str]) -> Redactor {
        Redactor::new(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let redactor = knows(&["s3cret", "abcd", "cdefgh"]);
        assert_eq!(redactor.redact("x s3cret, s3crets3cret y"), "x ***, *** y");
        assert_eq!(redactor.redact("abcdefgh!"), "***!", "what overlaps is hidden whole");
        assert_eq!(redactor.redact("s3cre"), "s3cre");
        assert!(matches!(redactor.redact("nothing"), Cow::Borrowed(_)));
        assert_eq!(Redactor::default().redact("s3cret"), "s3cret");
    }

    #[test]
    fn a_secret_of_many_lines_is_hidden_line_by_line() {
        let key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n}\nx0\n-----END KEY-----\n";
        let redactor = knows(&[key]);
        for line in key.lines() {
            let hidden = line.len() >= MIN_LINE;
            assert_eq!(redactor.redact(line) == "***", hidden, "{line}");
        }
        assert_eq!(redactor.redact("a } b"), "a } b");
    }

    #[test]
    fn a_very_long_secret_is_hidden_whole() {
        let long: String = (0..1200).map(|n| char::from(b'a' + u8::try_from(n * n % 23).unwrap())).collect();
        let redactor = knows(&[&long]);
        assert_eq!(redactor.redact(&format!("<{long}>")), "<***>");
    }

    #[test]
    fn short_values_are_told_apart() {
        for short in ["", "abc", "   a   ", "a\nb\nc", "ab\n"] {
            assert!(Redactor::is_too_short(short.as_bytes()), "{short:?}");
        }
        for fine in ["abcd", "a\nbcde"] {
            assert!(!Redactor::is_too_short(fine.as_bytes()), "{fine:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_beside_the_secret_and_not_in_it() {
        let redactor = knows(&["s3cret-of-the-house"]);
        for before in (16 * 1024 - 22)..(16 * 1024 + 2) {
            let printed = format!("{}s3cret-of-the-house{}", "-".repeat(before), "+".repeat(2000));
            for size in [1, 4096] {
                let (mut lines, mut out) = (Lines::default(), String::new());
                let mut add = |line: Line| out += &redactor.redact(&line.text);
                for chunk in printed.as_bytes().chunks(size) {
                    lines.push(chunk, &redactor, &mut add);
                }
                lines.finish(&mut add);
                assert_eq!(out, printed.replace("s3cret-of-the-house", "***"), "{before} {size}");
            }
        }
    }
}
