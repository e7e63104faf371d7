//! What earlier runs left on record: `.pipeline/state`.
//!
//! A log of frames (`frame`) on a [`Disk`], which is the file and, in tests, one that fails. Appending is the only way in.
//! An instance's record is made invalid *in place*, by four bytes, before the instance runs again: so wherever the file
//! is cut or damaged, what is left of it says nothing that is no longer true, and only that much has to be done again.
//!
//! A record that was written is safe from a kill of the engine at once, and from a power cut by [`State::sync`], which is
//! itself on record: after another boot, what came later is not believed, as the outputs of it may not have arrived.
//!
//! Unaware of plans: keys are strings, and what decides (`Record::fingerprint`) is compared by others.

mod disk;
mod frame;
mod record;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;

pub use disk::{Disk, FileDisk};
use frame::{Body, Frames, Head, Place};
pub use record::{Detail, Digest, Leaf, Record, Seen, Stamp};

/// Rewritten when it is longer than this, in bytes, and most of it is no longer true.
const WORTH_IT: u64 = 256 * 1024;

/// The records of a recipe's folder.
#[derive(Debug)]
pub struct State {
    disk: Box<dyn Disk>,
    boot: String,
    live: HashMap<String, Kept>,
    /// How long instances took, also those whose record is no longer valid.
    took: HashMap<String, u32>,
    tools: HashMap<String, (Stamp, String)>,
    /// The end of what can be read; what is behind it goes before the first write.
    end: u64,
    /// Bytes of frames that say something.
    used: u64,
    torn: bool,
    boot_written: bool,
    unsynced: bool,
    /// Why nothing is written any more.
    broken: Option<String>,
}

#[derive(Debug)]
struct Kept {
    record: Record,
    place: Place,
    /// Where frames stand that say the same in other words.
    older: Vec<u64>,
}

/// A file of records that says less than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// It is none of ours, or another version's: as if there were no records.
    Unknown,
    /// From here on it is damaged, or its end was never written; that many bytes.
    Cut(u64),
    /// So many records were not yet safe when the machine stopped.
    Unsynced(usize),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("it is of another version or none of ours, so that every step runs again")
            }
            Self::Cut(bytes) => {
                write!(f, "its last {bytes} bytes cannot be read, so that what they told of runs again")
            }
            Self::Unsynced(records) => {
                write!(
                    f,
                    "the machine stopped before {records} of its records were safe, so that those steps run again"
                )
            }
        }
    }
}

impl State {
    /// Reads all records. Nothing is written: what is damaged goes with the first write.
    ///
    /// `boot` is what tells one start of the machine from another.
    pub fn open(mut disk: Box<dyn Disk>, boot: &str) -> io::Result<(Self, Vec<Loss>)> {
        let bytes = disk.read()?;
        let mut losses = Vec::new();
        let mut state = Self {
            disk,
            boot: boot.to_owned(),
            live: HashMap::new(),
            took: HashMap::new(),
            tools: HashMap::new(),
            end: 0,
            used: 0,
            torn: false,
            boot_written: false,
            unsynced: false,
            broken: None,
        };
        if bytes.is_empty() {
            return Ok((state, losses));
        }
        let Some(mut frames) = Frames::new(&bytes) else {
            state.torn = true;
            losses.push(Loss::Unknown);
            return Ok((state, losses));
        };
        let mut written_in = String::new();
        let mut unsynced: Vec<String> = Vec::new();
        let mut lost = 0;
        for frame in &mut frames {
            match frame.head {
                Head::Record { key, record } => {
                    state.took.insert(key.clone(), record.took);
                    if frame.valid {
                        unsynced.push(key.clone());
                        state.put(key, record, frame.place);
                    }
                }
                Head::Tool { path, stamp, version } => {
                    state.tools.insert(path, (stamp, version));
                }
                Head::Boot(boot) => {
                    written_in = boot;
                    lost += state.forget(&mut unsynced);
                }
                Head::Synced => unsynced.clear(),
            }
        }
        state.end = frames.at();
        let rest = bytes.len() as u64 - state.end;
        if rest > 0 {
            state.torn = true;
            losses.push(Loss::Cut(rest));
        }
        state.boot_written = written_in == boot && !boot.is_empty();
        if state.boot_written {
            state.unsynced = !unsynced.is_empty();
        } else {
            lost += state.forget(&mut unsynced);
        }
        if lost > 0 {
            losses.push(Loss::Unsynced(lost));
        }
        Ok((state, losses))
    }

    /// Records that were not safe when the machine stopped; yields how many.
    fn forget(&mut self, keys: &mut Vec<String>) -> usize {
        keys.drain(..)
            .filter_map(|key| self.live.remove(&key))
            .map(|kept| self.used -= kept.place.length)
            .count()
    }

    fn put(&mut self, key: String, record: Record, place: Place) {
        self.used += place.length;
        let mut older = Vec::new();
        if let Some(before) = self.live.remove(&key) {
            self.used -= before.place.length;
            older = before.older;
            older.push(before.place.start);
        }
        self.live.insert(key, Kept { record, place, older });
    }

    /// The valid record of an instance.
    pub fn record(&self, key: &str) -> Option<&Record> {
        self.live.get(key).map(|kept| &kept.record)
    }

    /// What the record of an instance was made of, to say what has changed.
    pub fn detail(&mut self, key: &str) -> io::Result<Option<Detail>> {
        let Some(kept) = self.live.get(key) else { return Ok(None) };
        let bytes = self.disk.read_at(kept.place.detail, kept.place.detail_length)?;
        Ok(postcard::from_bytes(&bytes).ok())
    }

    /// How long the instance took when it last ran, in milliseconds.
    pub fn took(&self, key: &str) -> Option<u32> {
        self.took.get(key).copied()
    }

    /// All tools whose version is known.
    pub fn tools(&self) -> impl Iterator<Item = (&str, Stamp, &str)> {
        self.tools.iter().map(|(path, (stamp, version))| (path.as_str(), *stamp, version.as_str()))
    }

    /// Keeps a tool's version.
    pub fn keep_tool(&mut self, path: &str, stamp: Stamp, version: &str) -> io::Result<()> {
        let head = Head::Tool { path: path.to_owned(), stamp, version: version.to_owned() };
        self.append(&Body { head, detail: None })?;
        self.tools.insert(path.to_owned(), (stamp, version.to_owned()));
        Ok(())
    }

    /// The instance is about to run: from now on nothing says that it is done. On the disk when this returns.
    pub fn invalidate(&mut self, key: &str) -> io::Result<()> {
        let Some(kept) = self.live.get(key) else { return Ok(()) };
        let places: Vec<u64> = kept.older.iter().copied().chain([kept.place.start]).collect();
        self.writable()?;
        let mut dead = || {
            places.iter().try_for_each(|at| self.disk.overwrite(*at, &frame::DEAD))?;
            self.disk.sync()
        };
        let result = dead();
        self.note(result)?;
        if let Some(kept) = self.live.remove(key) {
            self.used -= kept.place.length;
        }
        Ok(())
    }

    /// The instance is done, and its outputs are as the record says.
    pub fn keep(&mut self, key: &str, record: Record, detail: &Detail) -> io::Result<()> {
        // Two valid records of one key that say different things would let damage to the later one bring the earlier one
        // back.
        self.invalidate(key)?;
        self.write(key, record, detail)
    }

    /// What is on record of the instance is still so; here it is in other words, such as of files that were looked at once
    /// more. The earlier words stay true, so nothing has to be safe before anything else.
    pub fn reword(&mut self, key: &str, record: Record, detail: &Detail) -> io::Result<()> {
        let same = |kept: &Kept| {
            (kept.record.fingerprint, kept.record.result) == (record.fingerprint, record.result)
        };
        if self.live.get(key).is_some_and(same) { self.write(key, record, detail) } else { Ok(()) }
    }

    fn write(&mut self, key: &str, record: Record, detail: &Detail) -> io::Result<()> {
        let took = record.took;
        let head = Head::Record { key: key.to_owned(), record: record.clone() };
        let place = self.append(&Body { head, detail: Some(detail) })?;
        self.put(key.to_owned(), record, place);
        self.took.insert(key.to_owned(), took);
        self.unsynced = true;
        Ok(())
    }

    /// Makes what was recorded safe from a power cut. `outputs` brings the outputs onto the disk before.
    pub fn sync(&mut self, outputs: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if !self.unsynced {
            return Ok(());
        }
        outputs()?;
        self.append(&Body { head: Head::Synced, detail: None })?;
        let result = self.disk.sync();
        self.note(result)?;
        self.unsynced = false;
        Ok(())
    }

    /// Rewrites the file without what is no longer true, when that is most of it. Call when all is synced.
    pub fn compact(&mut self) -> io::Result<()> {
        if self.unsynced || self.end < WORTH_IT || self.used > self.end / 2 {
            return Ok(());
        }
        self.writable()?;
        let mut bytes = frame::header();
        let mut places = Vec::with_capacity(self.live.len());
        let write = |body: &Body<'_>, bytes: &mut Vec<u8>| frame::encode(body, bytes);
        write(&Body { head: Head::Boot(self.boot.clone()), detail: None }, &mut bytes);
        for (path, (stamp, version)) in &self.tools {
            let head = Head::Tool { path: path.clone(), stamp: *stamp, version: version.clone() };
            write(&Body { head, detail: None }, &mut bytes);
        }
        let keys: Vec<String> = self.live.keys().cloned().collect();
        for key in keys {
            let detail = self.detail(&key)?.unwrap_or_default();
            let Some(kept) = self.live.get(&key) else { continue };
            let head = Head::Record { key: key.clone(), record: kept.record.clone() };
            places.push((key, write(&Body { head, detail: Some(&detail) }, &mut bytes)));
        }
        write(&Body { head: Head::Synced, detail: None }, &mut bytes);
        let result = self.disk.replace(&bytes);
        self.note(result)?;
        self.end = bytes.len() as u64;
        self.used = 0;
        for (key, place) in places {
            self.used += place.length;
            if let Some(kept) = self.live.get_mut(&key) {
                kept.place = place;
                kept.older.clear();
            }
        }
        self.boot_written = true;
        self.torn = false;
        Ok(())
    }

    fn append(&mut self, body: &Body<'_>) -> io::Result<Place> {
        self.writable()?;
        let mut bytes = Vec::new();
        if self.torn {
            let result = self.disk.truncate(self.end);
            self.note(result)?;
            self.torn = false;
        }
        if self.end == 0 {
            bytes = frame::header();
        }
        if !self.boot_written {
            frame::encode(&Body { head: Head::Boot(self.boot.clone()), detail: None }, &mut bytes);
        }
        let place = frame::encode(body, &mut bytes).after(self.end);
        if let Err(error) = self.disk.append(&bytes) {
            // Half a frame at the end is not believed, and must not stand between this end and what comes next.
            let result = self.disk.truncate(self.end);
            self.note(result)?;
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.boot_written = true;
        Ok(place)
    }

    fn writable(&self) -> io::Result<()> {
        match &self.broken {
            None => Ok(()),
            Some(why) => Err(io::Error::other(why.clone())),
        }
    }

    /// After a write that may have gone half way, or a sync that failed, nothing is known of the file any more.
    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|error| {
            self.broken.get_or_insert_with(|| error.to_string());
        })
    }
}
