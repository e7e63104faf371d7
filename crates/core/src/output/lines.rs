//! Bytes from a pipe into lines. Bounded memory, whatever a tool prints.

use super::Redactor;
use super::escapes::{Escapes, Piece};
use super::visible::{shown, visible};

/// A longer line is handed on in pieces of at most this many bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// A line without its end. Nothing in it acts on a terminal; invalid UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// The same in the tool's colours, where it has any.
    pub painted: Option<String>,
}

/// Splits at newlines as bytes come in. What a carriage return takes back is left out, as on a terminal: of a progress
/// bar the last state is a line.
#[derive(Debug)]
pub struct Lines {
    escapes: Escapes,
    rest: Rest,
}

#[derive(Debug, Default)]
struct Rest {
    text: Vec<u8>,
    /// From the first colour of the line on.
    painted: Option<Vec<u8>>,
    /// What comes next takes the place of what is there.
    again: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { escapes: Escapes::new(), rest: Rest::default() }
    }
}

impl Lines {
    /// Takes the next bytes and hands on every line that is complete. A long line is not cut within a secret.
    pub fn push(&mut self, bytes: &[u8], redactor: &Redactor, line: &mut dyn FnMut(Line)) {
        let rest = &mut self.rest;
        self.escapes.push(bytes, &mut |piece| match piece {
            Piece::Text(text) => {
                for part in text.chunks(LONGEST) {
                    rest.append(part, redactor, line);
                }
            }
            Piece::Control(byte) => rest.append(&shown(byte), redactor, line),
            Piece::Colour(csi) => rest.colour(csi),
            Piece::Newline => line(rest.take()),
            Piece::Return => rest.again = true,
        });
    }

    /// Hands on what came after the last newline.
    pub fn finish(&mut self, line: &mut dyn FnMut(Line)) {
        if !self.rest.text.is_empty() {
            line(self.rest.take());
        }
    }
}

impl Rest {
    fn append(&mut self, bytes: &[u8], redactor: &Redactor, line: &mut dyn FnMut(Line)) {
        if std::mem::take(&mut self.again) {
            self.text.clear();
            self.painted = None;
        }
        self.text.extend_from_slice(bytes);
        if let Some(painted) = &mut self.painted {
            painted.extend_from_slice(bytes);
        }
        while self.text.len() > LONGEST {
            // Nobody paints such a line.
            self.painted = None;
            let cut = LONGEST - redactor.open_end(&self.text[..LONGEST]);
            // Not inside a character: at most three bytes continue one.
            let cut = (cut - 3..=cut).rev().find(|at| self.text[*at] & 0xC0 != 0x80).unwrap_or(cut);
            line(Line { text: text(&self.text[..cut]), painted: None });
            self.text.drain(..cut);
        }
    }

    fn colour(&mut self, csi: &[u8]) {
        if !self.again && self.text.len() < LONGEST {
            self.painted.get_or_insert_with(|| self.text.clone()).extend_from_slice(csi);
        }
    }

    fn take(&mut self) -> Line {
        let painted = self.painted.take().map(|painted| text(&painted) + "\x1b[0m");
        let line = Line { text: text(&self.text), painted };
        self.text.clear();
        self.again = false;
        line
    }
}

fn text(bytes: &[u8]) -> String {
    visible(String::from_utf8_lossy(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Line> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, &Redactor::default(), &mut |line| out.push(line));
        }
        lines.finish(&mut |line| out.push(line));
        out
    }

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        lines(chunks).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_do_not_depend_on_chunks() {
        assert_eq!(split(&[b"a\nb", b"c\r", b"\n", b"\nlast"]), ["a", "bc", "", "last"]);
        assert_eq!(split(&[b"\xff\xc3", b"\xa9\n"]), ["\u{fffd}é"]);
        assert_eq!(split(&[]), Vec::<String>::new());
        assert_eq!(split(&[b"a\x1b]0;", b"t\x07b\n\xe2\x80", b"\xaec\0"]), ["ab", "\\u{202e}c\\x00"]);
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_character() {
        let long = "é".repeat(LONGEST) + "\nx";
        let lines = split(&long.as_bytes().chunks(1000).collect::<Vec<_>>());
        assert!(lines.iter().all(|line| line.len() <= LONGEST && !line.contains('\u{fffd}')));
        assert_eq!(lines.last().unwrap(), "x");
        assert_eq!(lines[..lines.len() - 1].concat(), long.trim_end_matches("\nx"));
        let zeros = split(&[&vec![0; 3 * LONGEST]]);
        assert_eq!(zeros.concat(), "\\x00".repeat(3 * LONGEST));
    }

    #[test]
    fn of_a_progress_bar_the_last_state_is_left() {
        assert_eq!(split(&[b" 1%\r 50%\r", b"100%\r", b"\r\nnext\r"]), ["100%", "next"]);
        assert_eq!(split(&[b"\r\n"]), [""]);
    }

    proptest! {
        #[test]
        fn nothing_acts_whatever_comes_and_however_it_is_read(
            bytes in vec(prop_oneof![
                any::<u8>(), select(&b"\x1b\x1b[]P_X;m0\x07\\\r\n\x9b\xc2\x18a"[..]),
            ], 0..200),
            size in 1..20usize,
        ) {
            let whole = lines(&[&bytes]);
            prop_assert_eq!(&whole, &lines(&bytes.chunks(size).collect::<Vec<_>>()));
            for Line { text, painted } in &whole {
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\t'), "{:?}", text);
                // Every escape in the painted form begins a colour, and the rest is the text.
                let mut plain = String::new();
                for (index, part) in painted.iter().flat_map(|painted| painted.split("\x1b[").enumerate()) {
                    let (numbers, rest) = if index == 0 { ("", part) } else { part.split_once('m').unwrap() };
                    prop_assert!(numbers.chars().all(|c| "0123456789;:".contains(c)));
                    plain += rest;
                }
                prop_assert!(painted.is_none() || plain == *text, "{:?} {:?}", painted, text);
            }
        }
    }

    #[test]
    fn colours_come_beside_the_text_and_end_with_the_line() {
        let lines = lines(&[b"a \x1b[31mred\x1b[0m b\nplain\n\x1b[2K\x1b[1mbold\n"]);
        assert_eq!(lines[0].text, "a red b");
        assert_eq!(lines[0].painted.as_deref(), Some("a \x1b[31mred\x1b[0m b\x1b[0m"));
        assert_eq!(lines[1], Line { text: "plain".into(), painted: None });
        assert_eq!(lines[2].painted.as_deref(), Some("\x1b[1mbold\x1b[0m"));
    }
}
