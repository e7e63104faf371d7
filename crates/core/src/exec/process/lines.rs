//! Bytes from a pipe into lines. Bounded memory, whatever a tool prints.

/// A longer line is handed on in pieces of at most this many bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// Splits at newlines as bytes come in.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and hands on every line that is complete.
    pub(super) fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(String)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.append(end, line);
                    let end = self.rest.strip_suffix(b"\r").unwrap_or(&self.rest);
                    line(String::from_utf8_lossy(end).into_owned());
                    self.rest.clear();
                }
                None => self.append(piece, line),
            }
        }
    }

    /// Hands on what came after the last newline.
    pub(super) fn finish(&mut self, line: &mut dyn FnMut(String)) {
        if !self.rest.is_empty() {
            line(String::from_utf8_lossy(&self.rest).into_owned());
            self.rest = Vec::new();
        }
    }

    fn append(&mut self, bytes: &[u8], line: &mut dyn FnMut(String)) {
        self.rest.extend_from_slice(bytes);
        while self.rest.len() > LONGEST {
            // Not inside a character: at most three bytes continue one.
            let cut =
                (LONGEST - 3..=LONGEST).rev().find(|at| self.rest[*at] & 0xC0 != 0x80).unwrap_or(LONGEST);
            line(String::from_utf8_lossy(&self.rest[..cut]).into_owned());
            self.rest.drain(..cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, &mut |line| out.push(line));
        }
        lines.finish(&mut |line| out.push(line));
        out
    }

    #[test]
    fn lines_do_not_depend_on_chunks() {
        assert_eq!(split(&[b"a\nb", b"c\r", b"\n", b"\nlast"]), ["a", "bc", "", "last"]);
        assert_eq!(split(&[b"\xff\xc3", b"\xa9\n"]), ["\u{fffd}é"]);
        assert_eq!(split(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_character() {
        let long = "é".repeat(LONGEST) + "\nx";
        let lines = split(&long.as_bytes().chunks(1000).collect::<Vec<_>>());
        assert!(lines.iter().all(|line| line.len() <= LONGEST && !line.contains('\u{fffd}')));
        assert_eq!(lines.last().unwrap(), "x");
        assert_eq!(lines[..lines.len() - 1].concat(), long.trim_end_matches("\nx"));
    }
}
