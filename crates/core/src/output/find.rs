//! Secrets in data of any kind and size, such as the files of an image.
//!
//! Other than on a screen, where a match too many costs nothing, one here is an accusation: only what nobody else could
//! have written is looked for.

use aho_corasick::{AhoCorasick, MatchKind};

use super::encodings::whole_encodings;

/// Shorter values stand in large files by chance.
const MIN_VALUE: usize = 8;

/// Of a value with several lines, such as a key, each word that is so long counts for itself.
const MIN_WORD: usize = 24;

/// Knows secrets, and the forms in which they are kept. The default knows none.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    automaton: Option<AhoCorasick>,
    longest: usize,
    /// Values that are too short to be looked for.
    pub left_out: usize,
}

impl Finder {
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v [u8]>) -> Self {
        let (mut patterns, mut left_out) = (Vec::new(), 0);
        for value in values {
            let value = value.trim_ascii();
            if value.len() < MIN_VALUE {
                left_out += usize::from(!value.is_empty());
                continue;
            }
            patterns.extend(whole_encodings(value).into_iter().map(String::into_bytes));
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            patterns.extend(
                lines.filter(|line| line.len() >= MIN_WORD && !line.contains(&b' ')).map(<[u8]>::to_vec),
            );
            patterns.push(value.to_vec());
        }
        patterns.retain(|pattern| pattern.len() >= MIN_VALUE);
        patterns.sort_unstable();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        // The kind of match for which there is a prefilter.
        let build = || AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&patterns).ok();
        Self { automaton: (longest > 0).then(build).flatten(), longest, left_out }
    }

    /// There is something to look for.
    pub fn is_active(&self) -> bool {
        self.automaton.is_some()
    }

    /// A secret stands in these bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.automaton.as_ref().is_some_and(|automaton| automaton.is_match(bytes))
    }

    /// A look through bytes that come in pieces.
    pub fn search(&self) -> Search<'_> {
        Search { finder: self, seam: Vec::new(), found: false }
    }
}

/// See [`Finder::search`].
#[derive(Debug)]
pub struct Search<'f> {
    finder: &'f Finder,
    /// The end of what came before: a secret may begin in it.
    seam: Vec<u8>,
    found: bool,
}

impl Search<'_> {
    /// Looks through the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        let before = self.finder.longest.saturating_sub(1);
        if self.found || !self.finder.is_active() {
            return;
        }
        if !self.seam.is_empty() {
            let kept = self.seam.len();
            self.seam.extend_from_slice(&bytes[..bytes.len().min(before)]);
            self.found = self.finder.is_in(&self.seam);
            self.seam.truncate(kept);
        }
        self.found |= self.finder.is_in(bytes);
        if bytes.len() >= before {
            self.seam.clear();
        }
        self.seam.extend_from_slice(&bytes[bytes.len().saturating_sub(before)..]);
        let too_many = self.seam.len().saturating_sub(before);
        self.seam.drain(..too_many);
    }

    /// Whether one was found, and begins anew.
    pub fn take(&mut self) -> bool {
        self.seam.clear();
        std::mem::take(&mut self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Redactor;

    #[test]
    fn a_secret_is_found_however_it_is_cut() {
        let finder = Redactor::new([b"correct-horse".as_slice()]).finder();
        let text = b"xx correct-horse yy";
        for size in 1..text.len() {
            let mut search = finder.search();
            text.chunks(size).for_each(|piece| search.push(piece));
            assert!(search.take(), "{size}");
            assert!(!search.take());
            text[..15].chunks(size).for_each(|piece| search.push(piece));
            assert!(!search.take(), "{size}: less than all of it");
        }
        assert!(finder.is_in(b"aaY29ycmVjdC1ob3JzZQ=="), "in base64");
    }

    #[test]
    fn what_anybody_could_have_written_is_no_secret() {
        let key = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIOWqjfjE\n-----END PRIVATE KEY-----\n";
        let finder = Redactor::new([key.as_slice(), b"short"]).finder();
        assert_eq!(finder.left_out, 1);
        assert!(!finder.is_in(b"-----BEGIN PRIVATE KEY-----\n"));
        assert!(finder.is_in(b"\"MC4CAQAwBQYDK2VwBCIEIOWqjfjE\""), "its words, whatever is around them");
        assert!(finder.is_in(key));
        assert!(!Redactor::default().finder().is_active());
    }
}
