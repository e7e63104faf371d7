//! Data within HTML, for the page's own script.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::output::is_hidden;

/// Writes the value as JSON that may stand in a `<script type="application/json">`: nothing in it ends the element or
/// begins a comment, and a character that acts on what stands around it is there as an escape to be seen.
pub(super) fn island(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Seen)).map_err(io::Error::from)
}

struct Seen;

impl Formatter for Seen {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let is_special = |c: char| matches!(c, '<' | '>' | '&') || is_hidden(c);
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_special(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            match c {
                '<' | '>' | '&' => write!(out, "\\u{:04x}", u32::from(c))?,
                other => write!(out, "\\\\u{{{:x}}}", u32::from(other))?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        let mut text = String::new();
        let _ = match escape {
            CharEscape::Quote => write!(text, "\\\""),
            CharEscape::ReverseSolidus => write!(text, "\\\\"),
            CharEscape::Solidus => write!(text, "/"),
            CharEscape::LineFeed => write!(text, "\\n"),
            CharEscape::Tab => write!(text, "\\t"),
            // To be seen, and not to be done.
            CharEscape::Backspace => write!(text, "\\\\u{{8}}"),
            CharEscape::FormFeed => write!(text, "\\\\u{{c}}"),
            CharEscape::CarriageReturn => write!(text, "\\\\u{{d}}"),
            CharEscape::AsciiControl(byte) => write!(text, "\\\\u{{{byte:x}}}"),
        };
        out.write_all(text.as_bytes())
    }
}
