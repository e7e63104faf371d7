//! One log, from its file or, where that is gone, from the events.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use pipeline_core::event::log_line;
use pipeline_core::history::{RunFolder, Unread};
use pipeline_core::plan::InstanceId;

use super::Out;

/// A longer line is printed in pieces.
const LONGEST: u64 = 64 * 1024;

/// Prints a file from an offset on.
pub(crate) fn show(mut file: File, from: u64, out: &mut Out) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let mut file = BufReader::with_capacity(usize::try_from(LONGEST).unwrap_or(1 << 16), file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut file).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return out.flush();
        }
        out.line("", &line)?;
    }
}

/// Where the last lines of a file begin.
pub(crate) fn last_lines(file: &mut File, lines: usize) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut end, mut left) = (length, lines);
    let mut piece = vec![0; 64 * 1024];
    while end > 0 {
        let begin = end.saturating_sub(piece.len() as u64);
        let piece = &mut piece[..usize::try_from(end - begin).unwrap_or_default()];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(piece)?;
        for (at, _) in piece.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = begin + at as u64 + 1;
            // The newline at the very end ends the last line and begins none.
            if after == length {
                continue;
            }
            if left <= 1 {
                return Ok(if left == 0 { length } else { after });
            }
            left -= 1;
        }
        end = begin;
    }
    Ok(if lines == 0 { length } else { 0 })
}

/// Prints what a log said that is gone. The outer error is about the record, the inner one about stdout.
pub(crate) fn from_events(
    run: &RunFolder,
    instance: &InstanceId,
    lines: Option<usize>,
    out: &mut Out,
) -> Result<io::Result<()>, Unread> {
    let mut told = Ok(());
    let mut skip = 0;
    if let Some(lines) = lines {
        run.events(|event| skip += usize::from(is_of(&event, instance)))?;
        skip = skip.saturating_sub(lines);
    }
    run.events(|event| {
        if told.is_err() || !is_of(&event, instance) {
            return;
        }
        match skip.checked_sub(1) {
            Some(less) => skip = less,
            None => {
                if let Some((_, text)) = log_line(&event.kind) {
                    told = out.line("", text.as_bytes());
                }
            }
        }
    })?;
    Ok(told.and_then(|()| out.flush()))
}

fn is_of(event: &pipeline_core::event::Event, instance: &InstanceId) -> bool {
    log_line(&event.kind).is_some_and(|(of, _)| of == instance)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_lines_begin_where_they_begin() {
        let begin = |text: &str, lines: usize| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let at = usize::try_from(last_lines(&mut file, lines).unwrap()).unwrap();
            text[at..].to_owned()
        };
        assert_eq!(begin("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(begin("a\nb\nc", 2), "b\nc");
        assert_eq!(begin("a\nb\n", 9), "a\nb\n");
        assert_eq!(begin("a\nb\n", 0), "");
        assert_eq!(begin("\n\n\n", 2), "\n\n");
        assert_eq!(begin("", 3), "");
        // Longer than what is read at once.
        let long = format!("{}\n", "x".repeat(1000)).repeat(300);
        assert_eq!(begin(&long, 200).len(), 200 * 1001);
        assert_eq!(begin(&"x".repeat(200_000), 1).len(), 200_000);
    }
}
