//! Terminal sequences told apart from text, over any division into reads.
//!
//! Parsers for terminals keep what they cannot interpret until it ends, as long as that takes. A log must go on: here a
//! sequence ends at a line's end at the latest, or after a bounded length, and what follows is text again.

/// More parameters has no colour.
const LONGEST_CSI: usize = 64;

/// More text has no title, link or clipboard entry that a tool sets on purpose.
const LONGEST_STRING: usize = 4096;

const ESC: u8 = 0x1b;

/// A part of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'b> {
    /// Bytes without control characters but tabs.
    Text(&'b [u8]),
    /// A colour, or the end of one: the sequence as it was written.
    Colour(&'b [u8]),
    /// A control character that means nothing here.
    Control(u8),
    /// The end of a line.
    Newline,
    /// Back to the beginning of the line.
    Return,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// After ESC; also after such a one with more than one byte, as in `ESC ( B`.
    Escape,
    /// After `ESC [`.
    Csi,
    /// After `ESC ]`, `ESC P` and their like: so many bytes of it.
    String(usize),
    /// After ESC in one, which may be half of its end.
    StringEscape,
}

/// The state between two reads.
#[derive(Debug)]
pub(super) struct Escapes {
    state: State,
    /// What there is of a sequence that may become a colour.
    csi: Vec<u8>,
}

impl Escapes {
    pub(super) fn new() -> Self {
        Self { state: State::Text, csi: Vec::new() }
    }

    /// Takes the next bytes apart.
    pub(super) fn push(&mut self, mut bytes: &[u8], piece: &mut dyn FnMut(Piece<'_>)) {
        while let Some(&byte) = bytes.first() {
            if self.state == State::Text {
                let end = bytes.iter().position(|byte| is_control(*byte)).unwrap_or(bytes.len());
                if end > 0 {
                    piece(Piece::Text(&bytes[..end]));
                    bytes = &bytes[end..];
                    continue;
                }
            }
            if self.take(byte, piece) {
                bytes = &bytes[1..];
            }
        }
    }

    /// One byte; `false` when it ended a sequence to which it does not belong.
    fn take(&mut self, byte: u8, piece: &mut dyn FnMut(Piece<'_>)) -> bool {
        let (next, taken) = match (self.state, byte) {
            (State::Text, b'\n') => return tell(piece, Piece::Newline),
            (State::Text, b'\r') => return tell(piece, Piece::Return),
            // A new sequence ends any other.
            (State::Text | State::Escape | State::Csi, ESC) | (State::Escape, b' '..=b'/') => {
                (State::Escape, true)
            }
            (State::Text, byte) => return tell(piece, Piece::Control(byte)),
            (State::Escape, b'[') => {
                self.csi.clear();
                self.csi.extend([ESC, b'[']);
                (State::Csi, true)
            }
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (State::String(0), true),
            (State::Csi, b' '..=b'?') if self.csi.len() < LONGEST_CSI => {
                self.csi.push(byte);
                (State::Csi, true)
            }
            (State::Csi, b'@'..=b'~') => {
                self.csi.push(byte);
                if is_colour(&self.csi) {
                    piece(Piece::Colour(&self.csi));
                }
                (State::Text, true)
            }
            (State::String(_), ESC) => (State::StringEscape, true),
            // The last byte of it; BEL and `ESC \` end a string, CAN and SUB break it off.
            (State::Escape, b'0'..=b'~')
            | (State::String(_), 0x07 | 0x18 | 0x1a)
            | (State::StringEscape, b'\\') => (State::Text, true),
            (State::String(length), byte) if length < LONGEST_STRING && byte != b'\n' => {
                (State::String(length + 1), true)
            }
            (State::StringEscape, _) => (State::Escape, false),
            (State::Escape | State::Csi | State::String(_), _) => (State::Text, false),
        };
        self.state = next;
        taken
    }
}

fn tell(piece: &mut dyn FnMut(Piece<'_>), one: Piece<'_>) -> bool {
    piece(one);
    true
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7f
}

/// `ESC [ NUMBERS m`.
fn is_colour(csi: &[u8]) -> bool {
    let numbers = csi.get(2..).and_then(|rest| rest.strip_suffix(b"m"));
    numbers.is_some_and(|numbers| numbers.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text as it is, colours in `<>`, controls in `[]`.
    fn shown(chunks: &[&[u8]]) -> String {
        let (mut escapes, mut out) = (Escapes::new(), String::new());
        for chunk in chunks {
            escapes.push(chunk, &mut |piece| match piece {
                Piece::Text(text) => out += &String::from_utf8_lossy(text),
                Piece::Colour(csi) => {
                    out += &format!("<{}>", String::from_utf8_lossy(&csi[2..csi.len() - 1]));
                }
                Piece::Control(byte) => out += &format!("[{byte}]"),
                Piece::Newline => out.push('\n'),
                Piece::Return => out.push('\r'),
            });
        }
        out
    }

    #[test]
    fn only_colours_and_text_are_left() {
        for (bytes, left) in [
            (&b"a\x1b[1;31mred\x1b[0m\x1b[mb"[..], "a<1;31>red<0><>b"),
            (
                b"title\x1b]0;evil\x07 clip\x1b]52;c;AAAA\x1b\\ link\x1b]8;;http://x\x1b\\!",
                "title clip link!",
            ),
            (b"\x1b[2J\x1b[1;1Hup\x1b[3A\x1b[?25l\x1b[>4;2m\x1b[6n", "up"),
            (b"dcs\x1bP1$r0m\x1b\\ apc\x1b_Gx\x1b\\ pm\x1b^x\x1b\\ sos\x1bXx\x1b\\.", "dcs apc pm sos."),
            (b"\x1bcreset\x1b(Bset\x1b#8align\x1b7save", "resetsetalignsave"),
            (b"nul\0 bel\x07 del\x7f tab\t", "nul[0] bel[7] del[127] tab\t"),
            (b"can\x1b]0;x\x18cel \x1b[31\x18m", "cancel [24]m"),
            // The one inside ends the one outside.
            (b"\x1b[3\x1b[31mx\x1b]0;y\x1b[0mz", "<31>x<0>z"),
        ] {
            assert_eq!(shown(&[bytes]), left, "{bytes:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(shown(&single), left, "byte by byte: {bytes:?}");
        }
    }

    #[test]
    fn what_does_not_end_swallows_no_other_line() {
        for begun in [&b"\x1b]0;t"[..], b"\x1bP", b"\x1b_", b"\x1b[38;5", b"\x1b", b"\x1b(", b"\x1b]0;\x1b"] {
            assert_eq!(shown(&[begun, b"\nnext"]), "\nnext", "{begun:?}");
        }
        let endless = [&b"\x1b]0;"[..], &[b'x'; 3 * LONGEST_STRING]].concat();
        let left = shown(&[&endless]);
        assert!(left.len() > LONGEST_STRING && left.bytes().all(|byte| byte == b'x'), "{}", left.len());
        let endless = [&b"\x1b["[..], &[b'1'; 1000], b"m"].concat();
        assert!(shown(&[&endless]).len() > 900 && !shown(&[&endless]).contains('<'));
    }
}
