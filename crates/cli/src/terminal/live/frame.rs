//! What makes a screen show lines at its bottom, and text above them.
//!
//! The cursor waits at the beginning of the first of these lines. So erasing is one sequence, whatever has become of them: a
//! terminal that was made narrower has folded them, and Ctrl-C has written `^C` over one. Of what a frame writes, a terminal
//! that knows how shows all or nothing; another one sees each line replaced in its place, and no empty screen in between.

/// To the beginning of the line, and nothing from there to the end of the screen. The first column goes by itself: tmux takes
/// what is erased from the upper left corner on for a screen that somebody cleared, and keeps it to be scrolled back to.
const ERASE: &str = "\r\x1b[K\x1b[C\x1b[J\r";

/// What is to be drawn at once begins and ends.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// A line that a terminal takes for wider than we do is cut, and does not begin another one.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Takes away what a process that was stopped or killed has left, also in the middle of a frame.
pub(super) const WIPE: &str = "\x1b[?2026l\x1b[?7h\r\x1b[K\x1b[C\x1b[J\r";

/// What there is on the screen.
#[derive(Debug, Default)]
pub(super) struct Frame {
    lines: Vec<String>,
    columns: usize,
}

impl Frame {
    /// What a frame that was never drawn is.
    pub(super) const EMPTY: Self = Self { lines: Vec::new(), columns: 0 };

    /// What makes the screen, which has so many columns, have the text and below it these lines, each shorter than it is
    /// wide. None where it looks like that.
    pub(super) fn next(&mut self, text: &str, lines: Vec<String>, columns: usize) -> Option<String> {
        if text.is_empty() && lines == self.lines && columns == self.columns {
            return None;
        }
        let mut out = String::with_capacity(text.len() + 100 * lines.len() + 64);
        out += BEGIN;
        let erased =
            !self.lines.is_empty() && (!text.is_empty() || lines.is_empty() || columns != self.columns);
        // Whatever key was pressed has moved the cursor.
        out += if erased { ERASE } else { "\r" };
        out += text;
        if !lines.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                out += "\r\n";
            }
            out += CUT;
            for (at, line) in lines.iter().enumerate() {
                out += if at == 0 { "" } else { "\r\n" };
                out += line;
                out += "\x1b[K";
            }
            out += if self.lines.is_empty() || erased { "" } else { "\x1b[J" };
            out += WRAP;
            out.push('\r');
            if lines.len() > 1 {
                out += &format!("\x1b[{}A", lines.len() - 1);
            }
        }
        out += END;
        (self.lines, self.columns) = (lines, columns);
        Some(out)
    }
}
