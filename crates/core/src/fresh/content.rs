//! What is in a file or folder: names, permissions and bytes, and no times.
//!
//! What is known of a file is believed for as long as its stamp is the same, unless it was written at about the time when
//! it was looked at: another write in the same tick of the clock would not show.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::state::{Digest, Seen, Stamp};

/// File systems' clocks are that coarse, in nanoseconds.
const TICK: i64 = 2_000_000_000;

/// Nanoseconds since the epoch by the wall clock.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The stamp of a file.
pub fn stamp(meta: &Metadata) -> Stamp {
    let nanos = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Stamp {
        size: meta.len(),
        modified: nanos(meta.mtime(), meta.mtime_nsec()),
        changed: nanos(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        device: meta.dev(),
        mode: meta.mode(),
    }
}

/// Stamps alone will tell whether any of it has changed.
pub fn settled(seen: &Seen) -> bool {
    seen.files.iter().all(|(_, stamp, _)| had_settled(stamp, seen.at))
}

/// The file was not written at about the time when it was looked at.
fn had_settled(stamp: &Stamp, at: i64) -> bool {
    stamp.modified.max(stamp.changed) < at.saturating_sub(TICK)
}

/// The content of a file or folder; none where there is nothing. `earlier` spares reading what has not changed.
///
/// A link at the end of `path` is followed, those below a folder are content themselves. What is neither file, folder nor
/// link counts by its type. `.git` is no content of a folder: git writes there when it is only asked.
pub fn content(path: &Path, earlier: Option<&Seen>) -> io::Result<Option<Seen>> {
    look(path, earlier, read)
}

/// The same, as far as it is known without opening a file: an error where one would have to be read.
pub fn glance(path: &Path, earlier: Option<&Seen>) -> io::Result<Option<Seen>> {
    look(path, earlier, |_| Err(io::ErrorKind::WouldBlock.into()))
}

/// [`content`] or [`glance`].
pub type Look = fn(&Path, Option<&Seen>) -> io::Result<Option<Seen>>;

fn look(
    path: &Path,
    earlier: Option<&Seen>,
    read: fn(&Path) -> io::Result<Digest>,
) -> io::Result<Option<Seen>> {
    let at = now();
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let known = earlier
        .into_iter()
        .flat_map(|earlier| earlier.files.iter().filter(|(_, stamp, _)| had_settled(stamp, earlier.at)));
    let known = known.map(|(path, stamp, digest)| (path.as_slice(), (stamp, digest))).collect();
    let mut walk = Walk { known, files: Vec::new(), hasher: blake3::Hasher::new(), read };
    if meta.is_dir() {
        walk.folder(path, &mut Vec::new())?;
    } else {
        walk.file(path, b"", &meta)?;
    }
    Ok(Some(Seen { digest: walk.hasher.finalize().into(), files: walk.files, at }))
}

struct Walk<'e> {
    /// By path, of what had settled.
    known: HashMap<&'e [u8], (&'e Stamp, &'e Digest)>,
    files: Vec<(Vec<u8>, Stamp, Digest)>,
    hasher: blake3::Hasher,
    read: fn(&Path) -> io::Result<Digest>,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, below: &mut Vec<u8>) -> io::Result<()> {
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if below.is_empty() && name == ".git" {
                continue;
            }
            let length = below.len();
            if length > 0 {
                below.push(b'/');
            }
            below.extend_from_slice(name.as_bytes());
            let meta = entry.metadata()?;
            if meta.is_dir() {
                self.entry(b'd', below, &meta, &[]);
                self.folder(&entry.path(), below)?;
            } else {
                self.file(&entry.path(), below, &meta)?;
            }
            below.truncate(length);
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, below: &[u8], meta: &Metadata) -> io::Result<()> {
        if meta.is_symlink() {
            let target = fs::read_link(path)?;
            self.entry(b'l', below, meta, target.as_os_str().as_bytes());
        } else if meta.is_file() {
            let stamp = stamp(meta);
            let digest = match self.known.get(below) {
                Some((known, digest)) if **known == stamp => **digest,
                _ => (self.read)(path)?,
            };
            self.entry(b'f', below, meta, &digest.0);
            self.files.push((below.to_vec(), stamp, digest));
        } else {
            self.entry(b'o', below, meta, &[]);
        }
        Ok(())
    }

    fn entry(&mut self, kind: u8, below: &[u8], meta: &Metadata, content: &[u8]) {
        // A link has no permissions of its own.
        let mode = if kind == b'l' { 0 } else { meta.mode() & 0o7777 };
        self.hasher.update(&[kind]);
        self.hasher.update(&mode.to_le_bytes());
        for bytes in [below, content] {
            self.hasher.update(&(bytes.len() as u64).to_le_bytes());
            self.hasher.update(bytes);
        }
    }
}

fn read(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}
