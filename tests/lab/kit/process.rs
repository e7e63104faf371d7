//! Looking at processes, and waiting for what must come.

use std::fs;
use std::time::{Duration, Instant};

/// Waits for `look` to find something, at most `limit`: for what must happen, however slow the machine.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A text that no other process's command line holds; used as a number of seconds to sleep.
#[derive(Debug)]
pub(crate) struct Marked(String);

impl Marked {
    /// `tag` makes it unique among the tests of this process.
    pub(crate) fn new(tag: u32) -> Self {
        Self(format!("{}.{}", 7_000_000 + std::process::id(), 1000 + tag))
    }

    /// Seconds, for `sleep`.
    pub(crate) fn seconds(&self) -> &str {
        &self.0
    }

    /// The processes that have it as an argument of their own: a `sleep`, not the shell or client that asked for it.
    pub(crate) fn sleepers(&self) -> Vec<u32> {
        processes(|words| {
            words.last() == Some(&self.0.as_str()) && words.iter().any(|word| word.ends_with("sleep"))
        })
    }
}

/// Pids of the processes whose command line fits; zombies have none.
pub(crate) fn processes(fits: impl Fn(&[&str]) -> bool) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
            fits(&words).then_some(pid)
        })
        .collect()
}
