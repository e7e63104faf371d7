//! Characters that are no control characters to a filter of bytes, and act all the same.

use std::borrow::Cow;
use std::fmt::Write;

use super::escapes::{Escapes, Piece};

/// It acts on a terminal, turns the text around it, or begins a line where none begins.
fn acts(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Nobody sees it, or it turns the text around it, or no document may hold it: as a page or a drawing must not show it raw.
/// Joiners are none, which some scripts need.
pub fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || acts(c)
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

/// The text with those characters as escapes.
pub(super) fn visible(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(acts) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text of any number of lines as it may stand in a log or on a terminal: nothing in it acts.
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmless = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~' | 0x80..);
    if text.bytes().all(harmless) {
        return visible(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    Escapes::new().push(text.as_bytes(), &mut |piece| match piece {
        Piece::Text(text) => out.extend_from_slice(text),
        Piece::Control(byte) => out.extend_from_slice(&shown(byte)),
        Piece::Newline => out.push(b'\n'),
        Piece::Return | Piece::Colour(_) => {}
    });
    Cow::Owned(visible(String::from_utf8_lossy(&out)).into_owned())
}

/// A control character as an escape: `\x00`.
pub(super) fn shown(control: u8) -> [u8; 4] {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 0xf)];
    [b'\\', b'x', digit(control >> 4), digit(control)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_and_nothing_harmless_changes() {
        assert_eq!(plain("a\tb\nü ✓ 👩‍🚀"), "a\tb\nü ✓ 👩‍🚀");
        assert!(matches!(plain("ü"), Cow::Borrowed(_)));
        assert_eq!(plain("x\u{1b}]0;t\u{7}\u{1b}[31my\u{1b}[0m\r\n\0z"), "xy\n\\x00z");
        assert_eq!(
            plain("\u{9b}2J \u{202e}cba\u{202c} \u{2028}"),
            "\\u{9b}2J \\u{202e}cba\\u{202c} \\u{2028}"
        );
        assert_eq!(plain("\u{1b}]0;no end"), "");
    }
}
