//! The logs of a run that goes on, as they grow.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use pipeline_core::history::RunFolder;
use pipeline_core::plan::InstanceId;

use super::{Out, Wanted, files, last_lines};
use crate::runs;

/// Between two looks. Every line is in its log as soon as it was printed.
const LOOK: Duration = Duration::from_millis(100);

/// So much is read of one log before the next has its turn.
const TURN: usize = 1 << 20;

/// A line without an end is printed when it is as long.
const LONGEST: usize = 64 * 1024;

/// How far a log was read.
#[derive(Debug, Default)]
struct Place {
    at: u64,
    /// What there is of a line that has no end yet.
    rest: Vec<u8>,
}

/// Prints what there is, or only the last lines of each, and what comes, until the run has ended: also when it is killed.
/// Each line has its instance in front, unless `alone`.
pub(crate) fn follow(
    folder: &Path,
    run: &RunFolder,
    wanted: &Wanted,
    alone: bool,
    lines: Option<usize>,
) -> io::Result<()> {
    let mut places: BTreeMap<InstanceId, Place> = BTreeMap::new();
    let mut out = Out::default();
    let mut first = true;
    loop {
        // Before the logs are read: what was printed until the end is in them then.
        let over = !runs::is_under_way(folder, run);
        let mut more = true;
        while more {
            more = false;
            for instance in files(run).into_iter().filter(|id| wanted.takes(id.as_str())) {
                let Ok(mut file) = run.open_log(&instance) else { continue };
                let prefix = if alone { String::new() } else { format!("{instance} | ") };
                if !places.contains_key(&instance) {
                    let at = match lines.filter(|_| first) {
                        Some(lines) => last_lines(&mut file, lines)?,
                        None => 0,
                    };
                    places.insert(instance.clone(), Place { at, rest: Vec::new() });
                }
                let Some(place) = places.get_mut(&instance) else { continue };
                more |= place.read(&mut file, &prefix, &mut out)?;
            }
            out.flush()?;
            first = false;
        }
        if over {
            for (instance, place) in &places {
                if !place.rest.is_empty() {
                    let prefix = if alone { String::new() } else { format!("{instance} | ") };
                    out.line(&prefix, &place.rest)?;
                }
            }
            return out.flush();
        }
        std::thread::sleep(LOOK);
    }
}

impl Place {
    /// Prints whole lines of what has come; whether there is more.
    fn read(&mut self, file: &mut File, prefix: &str, out: &mut Out) -> io::Result<bool> {
        if file.metadata()?.len() <= self.at {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.take(TURN as u64).read_to_end(&mut self.rest)?;
        self.at += read as u64;
        let mut begin = 0;
        for line in self.rest.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            out.line(prefix, line)?;
            begin += line.len();
        }
        self.rest.drain(..begin);
        if self.rest.len() > LONGEST {
            out.line(prefix, &self.rest)?;
            self.rest.clear();
        }
        Ok(read == TURN)
    }
}
