//! The entries of a layer's tar file, while its bytes pass by: nothing is kept but one header.
//!
//! Read as engines read it (Go's `archive/tar`): types without content have none whatever their size says, and what
//! comes after the end mark is nobody's.

use std::io::{self, Write};

use tar::EntryType;

use super::archive::Flaw;
use super::tar_header::{self, BLOCK, Extension};

/// Extended attributes have up to 64 KiB each.
const EXTENSION_MAX: u64 = 1024 * 1024;

/// More than any layer has.
const ENTRIES_MAX: u64 = 10_000_000;

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// Leads to this text.
    Symlink(Vec<u8>),
    /// The same file as the one of this path.
    Hardlink(Vec<u8>),
    /// A device, a pipe.
    Special,
}

/// An entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Parts joined by `/`, without `.`, `..`, and `/` at either end. Empty for the root.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    /// Bytes of content that follow.
    pub(crate) size: u64,
    /// What does not matter for what it is.
    pub(crate) rest: Rest,
}

/// The rest of what an entry's headers say. What is no number there is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The type's letter in the header.
    pub(crate) letter: u8,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Seconds since the epoch.
    pub(crate) mtime: u64,
    /// Major and minor number.
    pub(crate) device: Option<(u32, u32)>,
    /// PAX records by key, such as `SCHILY.xattr.user.name`, sorted.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Looks at entries one after the other.
pub(crate) trait Entries {
    /// An entry begins.
    fn begin(&mut self, entry: Entry) -> Result<(), Flaw>;
    /// A piece of its content.
    fn content(&mut self, bytes: &[u8]);
    /// It has ended.
    fn end(&mut self) -> Result<(), Flaw>;
}

enum State {
    /// A header, of which so many bytes are there.
    Header(usize),
    /// The content of an extension header, so many bytes of it to come.
    Extension(EntryType, u64),
    /// One more of the blocks that tell where the parts of a sparse file belong.
    Sparse(usize),
    Content(u64),
    /// Bytes up to the next block.
    Padding(u64),
    /// The first block of the end mark was there; of the second so many bytes.
    Mark(usize),
    /// After the end mark.
    Over,
}

/// Takes the bytes of a layer, in pieces of any size. What is wrong with them stands in `flaw`.
pub(crate) struct TarStream<E> {
    pub(crate) entries: E,
    pub(crate) flaw: Option<Flaw>,
    state: State,
    block: [u8; 512],
    position: u64,
    count: u64,
    extension: Extension,
    long: Vec<u8>,
    /// Of the entry at hand: bytes of content, and of padding after it.
    size: u64,
}

impl<E: Entries> TarStream<E> {
    pub(crate) fn new(entries: E) -> Self {
        Self {
            entries,
            flaw: None,
            state: State::Header(0),
            block: [0; 512],
            position: 0,
            count: 0,
            extension: Extension::default(),
            long: Vec::new(),
            size: 0,
        }
    }

    /// The layer has ended: it must not be in the midst of something. A missing end mark is no flaw: readers do without.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        if let Some(flaw) = self.flaw.take() {
            return Err(flaw);
        }
        match self.state {
            State::Header(0) | State::Mark(0) | State::Over if !self.extension.seen => Ok(()),
            _ => Err(Flaw::Truncated { within: format!("at byte {} of a layer", self.position) }),
        }
    }

    /// Takes at least one byte; how many.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Flaw> {
        let at_most = |left: u64| usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let taken = match self.state {
            State::Header(have) => {
                let taken = self.fill(have, bytes);
                self.state = State::Header(have + taken);
                if have + taken == 512 {
                    self.header(self.position - have as u64)?;
                }
                taken
            }
            State::Extension(kind, left) => {
                let taken = at_most(left);
                self.long.extend_from_slice(&bytes[..taken]);
                self.state = State::Extension(kind, left - taken as u64);
                if left == taken as u64 {
                    let read = std::mem::take(&mut self.long);
                    self.extension.read(kind, read).map_err(|reason| self.damaged(reason))?;
                    self.pad();
                }
                taken
            }
            State::Sparse(have) => {
                let taken = self.fill(have, bytes);
                let next = if have + taken < 512 {
                    State::Sparse(have + taken)
                } else if self.block[504] != 0 {
                    State::Sparse(0)
                } else {
                    State::Content(self.size)
                };
                self.state = next;
                taken
            }
            State::Content(left) => {
                let taken = at_most(left);
                self.entries.content(&bytes[..taken]);
                self.state = State::Content(left - taken as u64);
                taken
            }
            State::Padding(left) => {
                let taken = at_most(left);
                self.state = State::Padding(left - taken as u64);
                taken
            }
            State::Mark(have) => {
                let taken = at_most(512 - have as u64);
                if bytes[..taken].iter().any(|byte| *byte != 0) {
                    return Err(self.damaged("it is empty"));
                }
                self.state = if have + taken == 512 { State::Over } else { State::Mark(have + taken) };
                taken
            }
            State::Over => bytes.len(),
        };
        self.position += taken as u64;
        // What has no bytes to come is over now.
        if let State::Content(0) = self.state {
            self.entries.end()?;
            self.pad();
        }
        if let State::Padding(0) = self.state {
            self.state = State::Header(0);
        }
        Ok(taken)
    }

    fn fill(&mut self, have: usize, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(512 - have);
        self.block[have..have + taken].copy_from_slice(&bytes[..taken]);
        taken
    }

    fn pad(&mut self) {
        self.state = State::Padding(self.size.wrapping_neg() % BLOCK);
    }

    fn damaged(&self, reason: &'static str) -> Flaw {
        Flaw::Header { position: self.position, reason }
    }

    /// A whole header is there.
    fn header(&mut self, position: u64) -> Result<(), Flaw> {
        let damaged = |reason| Flaw::Header { position, reason };
        let block = self.block;
        let Some(header) = tar_header::header(&block, position)? else {
            if self.extension.seen {
                return Err(damaged("an extension of no entry"));
            }
            self.state = State::Mark(0);
            return Ok(());
        };
        let kind = header.entry_type();
        let size = header.entry_size().map_err(|_| damaged("its size is no number"))?;
        if Extension::is(kind) {
            if size > EXTENSION_MAX {
                let name = "extension header".to_owned();
                return Err(Flaw::TooLarge { name, size, limit: EXTENSION_MAX });
            }
            self.size = size;
            self.state = State::Extension(kind, size);
            if size == 0 {
                self.extension.read(kind, Vec::new()).map_err(damaged)?;
                self.state = State::Header(0);
            }
            return Ok(());
        }
        self.count += 1;
        if self.count > ENTRIES_MAX {
            return Err(Flaw::TooMany { limit: usize::try_from(ENTRIES_MAX).unwrap_or(usize::MAX) });
        }
        let mut extension = std::mem::take(&mut self.extension);
        let raw = extension.name_of(header);
        let is_folder = raw.ends_with(b"/");
        let path = clean(&raw)?;
        let mut target = || extension.link_of(header).unwrap_or_default();
        let kind = match kind {
            EntryType::Directory => EntryKind::Directory,
            EntryType::Symlink => EntryKind::Symlink(target()),
            EntryType::Link => EntryKind::Hardlink(clean(&target())?),
            EntryType::Char | EntryType::Block | EntryType::Fifo => EntryKind::Special,
            // As tar wrote directories before there was a type for them.
            _ if is_folder => EntryKind::Directory,
            _ => EntryKind::File,
        };
        let size = if kind == EntryKind::File { extension.size.unwrap_or(size) } else { 0 };
        let mode = header.mode().map_err(|_| damaged("its mode is no number"))? & 0o7777;
        // All that is skipped must have a place.
        if size.checked_next_multiple_of(BLOCK).and_then(|all| all.checked_add(position)).is_none() {
            return Err(damaged("its size is too large"));
        }
        self.size = size;
        let rest = rest(header, extension.records);
        self.entries.begin(Entry { path, kind, mode, size, rest })?;
        let is_sparse = header.entry_type() == EntryType::GNUSparse && block[482] != 0;
        self.state = if is_sparse { State::Sparse(0) } else { State::Content(size) };
        Ok(())
    }
}

impl<E: Entries> Write for TarStream<E> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.step(rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(flaw) => {
                    self.flaw = Some(flaw);
                    return Err(io::Error::other("it is no layer"));
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rest(header: &tar::Header, mut records: Vec<(Vec<u8>, Vec<u8>)>) -> Rest {
    records.sort_unstable();
    let kind = header.entry_type();
    let number = |read: std::io::Result<Option<u32>>| read.ok().flatten().unwrap_or_default();
    let has_numbers = matches!(kind, EntryType::Char | EntryType::Block);
    Rest {
        letter: kind.as_byte(),
        uid: header.uid().unwrap_or_default(),
        gid: header.gid().unwrap_or_default(),
        mtime: header.mtime().unwrap_or_default(),
        device: has_numbers.then(|| (number(header.device_major()), number(header.device_minor()))),
        records,
    }
}

/// The path in its one plain form; refused where it leaves the root. A leading `/` is the root, as engines take it.
fn clean(raw: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut path = Vec::with_capacity(raw.len());
    for part in raw.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." || part.contains(&0) {
            return Err(Flaw::Name { name: String::from_utf8_lossy(raw).into_owned() });
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(part);
    }
    Ok(path)
}
