//! The lines that edits change, for people to read.

use std::fmt::Write;
use std::ops::Range;

/// New text for some bytes of a file.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) span: Range<usize>,
    pub(super) new: &'a str,
}

/// Shows edits, which are in order and do not overlap, as `diff -U0` would.
pub(super) fn diff(text: &[u8], edits: &[Edit<'_>]) -> String {
    let mut shown = String::new();
    let (mut old_line, mut new_line, mut position) = (1, 1, 0);
    let mut rest = edits;
    while let Some(first) = rest.first() {
        let start = text[..first.span.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // Edits that share a line are shown together.
        let (mut end, mut count) = (start, 0);
        while let Some(edit) = rest.get(count).filter(|edit| count == 0 || edit.span.start < end) {
            let tail = &text[edit.span.end..];
            end = tail.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| edit.span.end + at + 1);
            count += 1;
        }
        let (group, later) = rest.split_at(count);
        rest = later;
        let mut new = Vec::new();
        let mut from = start;
        for edit in group {
            new.extend(&text[from..edit.span.start]);
            new.extend(edit.new.as_bytes());
            from = edit.span.end;
        }
        new.extend(&text[from..end]);
        let between = text[position..start].split(|byte| *byte == b'\n').count() - 1;
        (old_line, new_line) = (old_line + between, new_line + between);
        let (old, new) = (lines(&text[start..end]), lines(&new));
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "@@ -{} +{} @@", range(old_line, old.len()), range(new_line, new.len()));
        for (sign, lines) in [('-', &old), ('+', &new)] {
            for line in lines {
                let _ = writeln!(shown, "{sign}{line}");
            }
        }
        (old_line, new_line, position) = (old_line + old.len(), new_line + new.len(), end);
    }
    shown
}

fn range(line: usize, count: usize) -> String {
    if count == 1 { line.to_string() } else { format!("{line},{count}") }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}
