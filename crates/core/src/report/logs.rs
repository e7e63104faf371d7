//! The logs of a run, as much of each as the report has room for: of a long one the beginning and the end.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;

/// All logs together take so many bytes.
const ALL: u64 = 6 << 20;
/// The log of an instance that failed takes at most so many.
const FAILED: u64 = 512 << 10;
/// Any other.
const EACH: u64 = 256 << 10;
/// What stands at the beginning of a log is how it was called; why it ended is at its end.
const HEAD: u64 = 4;

/// One log, or why it is not there.
#[derive(Debug, Default, Serialize)]
pub(super) struct Log {
    /// Its path, relative to the run's folder.
    path: String,
    /// Bytes of the whole.
    size: u64,
    /// The whole, or its beginning.
    head: String,
    /// Bytes between beginning and end.
    #[serde(skip_serializing_if = "is_zero")]
    left: u64,
    /// The end, where something was left out.
    #[serde(skip_serializing_if = "String::is_empty")]
    tail: String,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How much of each log there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    failed: u64,
    other: u64,
}

impl Room {
    /// Shared among logs of these sizes: what failed comes first, and short ones leave their share to long ones.
    pub(super) fn new(failed: &[u64], other: &[u64]) -> Self {
        let failed_each = share(failed, ALL / 2).min(FAILED);
        let taken: u64 = failed.iter().map(|size| (*size).min(failed_each)).sum();
        Self { failed: failed_each, other: share(other, ALL - taken).min(EACH) }
    }

    /// For one of them.
    pub(super) fn of(self, has_failed: bool) -> u64 {
        if has_failed { self.failed } else { self.other }
    }
}

/// The most that each may take, so that all of them take no more than `all`.
fn share(sizes: &[u64], all: u64) -> u64 {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let mut left = all;
    for (index, size) in sizes.iter().enumerate() {
        let each = left / (sizes.len() - index) as u64;
        if *size > each {
            return each;
        }
        left -= size;
    }
    u64::MAX
}

/// The size of a log; none where there is none.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

impl Log {
    /// Reads at most `room` bytes of the file.
    pub(super) fn read(path: &Path, shown: String, room: u64) -> Self {
        let mut log = Self { path: shown, ..Self::default() };
        if let Err(error) = log.fill(path, room) {
            log.gone = Some(match error.kind() {
                io::ErrorKind::NotFound => "it is not there any more".into(),
                _ => error.to_string(),
            });
        }
        log
    }

    fn fill(&mut self, path: &Path, room: u64) -> io::Result<()> {
        // A pipe in its place would never end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut file = File::open(path)?;
        self.size = file.metadata()?.len();
        if self.size <= room {
            self.head = text(&mut file, room)?;
            return Ok(());
        }
        let head = text(&mut file, room / HEAD)?;
        let end = head.rfind('\n').map_or(0, |at| at + 1);
        file.seek(SeekFrom::Start(self.size - (room - room / HEAD)))?;
        let tail = text(&mut file, room)?;
        let begin = tail.find('\n').map_or(0, |at| at + 1);
        // A line of the whole length has neither beginning nor end.
        self.head = if end == 0 { head } else { head[..end].to_owned() };
        tail[begin..].clone_into(&mut self.tail);
        self.left = self.size.saturating_sub((self.head.len() + self.tail.len()) as u64).max(1);
        Ok(())
    }

    /// The last lines.
    pub(super) fn last(&self, count: usize) -> Vec<&str> {
        let text = if self.left > 0 { &self.tail } else { &self.head };
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    /// Why it cannot be read.
    pub(super) fn gone(&self) -> Option<&str> {
        self.gone.as_deref()
    }
}

fn text(file: &mut File, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_logs_leave_their_share_to_long_ones() {
        assert_eq!(share(&[], 10), u64::MAX);
        assert_eq!(share(&[1, 2, 3], 10), u64::MAX);
        assert_eq!(share(&[100, 1, 1], 10), 8);
        assert_eq!(share(&[100, 100], 10), 5);
        let room = Room::new(&[1 << 30; 3], &[1 << 30; 1000]);
        assert_eq!(room.of(true), FAILED);
        assert!(3 * room.of(true) + 1000 * room.of(false) <= ALL, "{room:?}");
        let room = Room::new(&vec![1 << 30; 100_000], &vec![1 << 30; 100_000]);
        assert!(100_000 * (room.of(true) + room.of(false)) <= ALL, "{room:?}");
    }

    #[test]
    fn a_long_log_keeps_its_ends_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let whole: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
        fs::write(&path, &whole).unwrap();
        let log = Log::read(&path, "logs/x.log".into(), 1000);
        assert!(log.head.starts_with("line 0\n") && log.head.ends_with('\n'));
        assert!(log.tail.starts_with("line 9") && log.tail.ends_with("line 9999\n"));
        assert_eq!(log.head.len() as u64 + log.left + log.tail.len() as u64, whole.len() as u64);
        assert!(log.head.len() + log.tail.len() <= 1000);
        assert_eq!(log.last(2), ["line 9998", "line 9999"]);
        assert_eq!(Log::read(&path, String::new(), 1 << 20).head, whole);
        // One line, longer than there is room for, and none that is text.
        fs::write(&path, vec![0xff; 100_000]).unwrap();
        let log = Log::read(&path, String::new(), 1000);
        assert!(log.left > 0 && log.head.starts_with('\u{fffd}'), "{log:?}");
        fs::remove_file(&path).unwrap();
        assert_eq!(Log::read(&path, String::new(), 1000).gone(), Some("it is not there any more"));
        assert_eq!(Log::read(folder.path(), String::new(), 1000).gone(), Some("it is no file"));
    }
}
