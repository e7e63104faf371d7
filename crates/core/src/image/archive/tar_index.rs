//! Where each file of a tar archive lies, without reading the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

use tar::{EntryType, Header};

use super::error::Flaw;
use crate::image::tar_header::{self, BLOCK, Extension};

/// More than any image has: docker allows 127 layers, each with four entries.
const ENTRIES_MAX: usize = 100_000;

/// Long names and PAX records of engines have less than 1 KiB.
const EXTENSION_MAX: u64 = 64 * 1024;

/// A file's bytes within the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) size: u64,
}

#[derive(Debug)]
enum Entry {
    File(Span),
    /// The name it leads to, relative to the root; none when it leads outside.
    Link(Option<String>),
    Directory,
}

/// The table of contents of one tar archive.
#[derive(Debug)]
pub(super) struct TarIndex(BTreeMap<String, Entry>);

impl TarIndex {
    /// Walks the headers of the whole archive; every file in it lies within the archive's end.
    pub(super) fn read(file: &File) -> Result<Self, Flaw> {
        let length = file.metadata().map_err(Flaw::Read)?.len();
        let mut walk = Walk { file, length, position: 0 };
        let mut entries = BTreeMap::new();
        while let Some((name, entry)) = walk.next_entry()? {
            if entries.len() >= ENTRIES_MAX {
                return Err(Flaw::TooMany { limit: ENTRIES_MAX });
            }
            let is_directory = matches!(entry, Entry::Directory);
            match entries.insert(name.clone(), entry) {
                None => {}
                Some(Entry::Directory) if is_directory => {}
                Some(_) => return Err(Flaw::Twice { name }),
            }
        }
        Ok(Self(entries))
    }

    /// The archive has a file (or a link) of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Entry::File(_) | Entry::Link(_)))
    }

    /// The bytes of a file, behind links within the archive.
    pub(super) fn find(&self, name: &str) -> Result<Span, Flaw> {
        let mut current = name;
        // Old dockers link once (a repeated layer); longer chains are circles.
        for _ in 0..8 {
            match self.0.get(current) {
                Some(Entry::File(span)) => return Ok(*span),
                Some(Entry::Link(Some(target))) => current = target,
                None if current == name => return Err(Flaw::Missing { name: name.to_owned() }),
                Some(Entry::Link(None) | Entry::Directory) | None => break,
            }
        }
        Err(Flaw::Link { name: name.to_owned() })
    }
}

struct Walk<'a> {
    file: &'a File,
    length: u64,
    /// Of the next header.
    position: u64,
}

impl Walk<'_> {
    fn next_entry(&mut self) -> Result<Option<(String, Entry)>, Flaw> {
        let mut extension = Extension::default();
        loop {
            let position = self.position;
            let damaged = |reason| Flaw::Header { position, reason };
            let header = self.header()?;
            let Some(header) = header else {
                return if extension.seen { Err(damaged("an extension of no entry")) } else { Ok(None) };
            };
            let kind = header.entry_type();
            let is_extension = Extension::is(kind);
            let mut size = header.entry_size().map_err(|_| damaged("its size is no number"))?;
            if !is_extension {
                size = extension.size.unwrap_or(size);
            }
            let span = Span { offset: position + BLOCK, size };
            self.position = size
                .checked_next_multiple_of(BLOCK)
                .and_then(|padded| padded.checked_add(span.offset))
                .ok_or(damaged("its size is too large"))?;
            self.empty(span.offset + size, self.position)?;
            if is_extension {
                let bytes = self.extension(span)?;
                extension.read(kind, bytes).map_err(damaged)?;
                if extension.sparse {
                    return Err(damaged("its PAX records are malformed"));
                }
                continue;
            }
            let raw = extension.name_of(&header);
            let name = clean_name(&raw)?;
            if self.position > self.length {
                return Err(Flaw::Truncated { within: format!("in `{name}`") });
            }
            let target = extension.link_of(&header).and_then(|raw| String::from_utf8(raw).ok());
            let entry = match kind {
                EntryType::Regular | EntryType::Continuous => Entry::File(span),
                // Readers disagree on whether the bytes of such an entry are there.
                _ if size != 0 => return Err(damaged("only files have a size")),
                EntryType::Directory => Entry::Directory,
                EntryType::Link => Entry::Link(target.and_then(|target| resolve("", &target))),
                EntryType::Symlink => Entry::Link(target.and_then(|target| resolve(&name, &target))),
                _ => return Err(Flaw::Kind { name }),
            };
            return Ok(Some((name, entry)));
        }
    }

    /// The next header, or nothing at the two zero blocks that end an archive.
    fn header(&mut self) -> Result<Option<Header>, Flaw> {
        let position = self.position;
        let Some(block) = self.block(position)? else {
            return Err(Flaw::Truncated { within: format!("at byte {}, before its end mark", self.length) });
        };
        if let Some(header) = tar_header::header(&block, position)? {
            // As all that write archives of images write it: nothing in it can be altered unnoticed.
            return match &block[148..156] {
                [digits @ .., 0, b' '] | [digits @ .., 0] if digits.iter().all(u8::is_ascii_digit) => {
                    Ok(Some(header.clone()))
                }
                _ => Err(Flaw::Header { position, reason: "its checksum is wrong" }),
            };
        }
        match self.block(position + BLOCK)? {
            None => Err(Flaw::Truncated { within: "in its end mark".to_owned() }),
            Some(second) if second.iter().all(|byte| *byte == 0) => {
                self.empty(position + 2 * BLOCK, self.length).map(|()| None)
            }
            Some(_) => Err(Flaw::Header { position, reason: "it is empty" }),
        }
    }

    /// Nothing lies between these places, as far as the archive goes: no content that readers disagree on.
    fn empty(&self, from: u64, to: u64) -> Result<(), Flaw> {
        let to = to.min(self.length);
        let (mut position, mut buffer) = (from, vec![0; 4096]);
        while position < to {
            let wanted = usize::try_from(to - position).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.file.read_exact_at(&mut buffer[..wanted], position).map_err(Flaw::Read)?;
            if let Some(at) = buffer[..wanted].iter().position(|byte| *byte != 0) {
                let position = position + at as u64;
                return Err(Flaw::Header { position, reason: "something lies between the entries" });
            }
            position += wanted as u64;
        }
        Ok(())
    }

    fn block(&self, position: u64) -> Result<Option<[u8; 512]>, Flaw> {
        if position.checked_add(BLOCK).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let mut block = [0; 512];
        let mut file = self.file;
        file.seek(SeekFrom::Start(position)).and_then(|_| file.read_exact(&mut block)).map_err(Flaw::Read)?;
        Ok(Some(block))
    }

    fn extension(&self, span: Span) -> Result<Vec<u8>, Flaw> {
        if span.size > EXTENSION_MAX {
            let name = "extension header".to_owned();
            return Err(Flaw::TooLarge { name, size: span.size, limit: EXTENSION_MAX });
        }
        if self.position > self.length {
            return Err(Flaw::Truncated { within: "in an extension header".to_owned() });
        }
        let mut bytes = Vec::new();
        let mut file = self.file;
        file.seek(SeekFrom::Start(span.offset))
            .and_then(|_| file.take(span.size).read_to_end(&mut bytes))
            .map_err(Flaw::Read)?;
        Ok(bytes)
    }
}

/// The name of an entry without `./` and a closing `/`; refused where it could lead anywhere else.
fn clean_name(raw: &[u8]) -> Result<String, Flaw> {
    let refused = || Flaw::Name { name: String::from_utf8_lossy(raw).into_owned() };
    let text = std::str::from_utf8(raw).map_err(|_| refused())?;
    if text.is_empty() || text.starts_with('/') || text.contains(char::is_control) {
        return Err(refused());
    }
    resolve("", text).filter(|_| text.split('/').all(|part| part != "..")).ok_or_else(refused)
}

/// Where `target` leads from the folder of `from`; nothing when that is outside the archive.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
