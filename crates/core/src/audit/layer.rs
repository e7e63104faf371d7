//! One layer, while it passes by: what of its files is kept for the judgement.

use super::arm;
use super::elf::{self, HEAD};
use super::report::{Place, SecretAt};
use super::tree::{Node, Path, Tree, What};
use crate::image::archive::Flaw;
use crate::image::tar_stream::{Entries, Entry, EntryKind};
use crate::output::{Finder, Search};

/// So many places of secrets are told; one is enough to fail.
const SECRETS_MAX: usize = 100;

/// The first line of a script is not longer than the kernel reads of it.
const LINE_MAX: usize = 256;

const SETID: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const ALL_WRITE: u32 = 0o002;
const EXECUTE: u32 = 0o111;

/// The look at a layer.
pub(super) struct LayerLook<'a> {
    pub(super) tree: &'a mut Tree,
    /// Counted from 1, the lowest.
    pub(super) layer: usize,
    pub(super) search: Search<'a>,
    pub(super) secrets: &'a mut Vec<SecretAt>,
    file: Option<Open>,
    head: Vec<u8>,
    tail: Vec<u8>,
    seen: u64,
}

/// The file whose content passes by.
struct Open {
    path: Path,
    mode: u32,
}

impl<'a> LayerLook<'a> {
    pub(super) fn new(
        tree: &'a mut Tree,
        layer: usize,
        finder: &'a Finder,
        secrets: &'a mut Vec<SecretAt>,
    ) -> Self {
        let search = finder.search();
        Self { tree, layer, search, secrets, file: None, head: Vec::new(), tail: Vec::new(), seen: 0 }
    }

    /// The header does not tell the float ABI, so the end of the file is wanted too.
    fn wants_tail(&self) -> bool {
        self.head
            .get(..20)
            .is_some_and(|head| elf::is_elf(head) && head[4] == 1 && head[18..20].contains(&40))
    }

    fn keep(&mut self, path: Path, mode: u32, what: What) -> Result<(), Flaw> {
        if self.tree.keep(path, Node { layer: self.layer, mode, what }) {
            return Ok(());
        }
        Err(Flaw::TooManyPrograms)
    }

    /// What there is to say about the file that has passed.
    fn what(&self, mode: u32) -> Option<What> {
        if let Some(mut program) = elf::program(&self.head) {
            if self.wants_tail() && program.class.machine == elf::ARM && program.class.float.is_none() {
                let start = self.seen - self.tail.len() as u64;
                program.class.float = arm::float(&self.head, &self.tail, start);
            }
            return Some(What::Program(program));
        }
        if let Some(line) = self.head.strip_prefix(b"#!").filter(|_| mode & EXECUTE != 0) {
            let line = &line[..line.len().min(LINE_MAX)];
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            return Some(What::Script(word.into()));
        }
        (mode & (SETID | ALL_WRITE) != 0).then_some(What::File)
    }
}

impl Entries for LayerLook<'_> {
    fn begin(&mut self, entry: Entry) -> Result<(), Flaw> {
        self.file = None;
        self.head.clear();
        self.tail.clear();
        self.seen = 0;
        if entry.path.is_empty() {
            return Ok(());
        }
        let mode = entry.mode;
        // Before its place is cleared: it may lie there.
        let same = match &entry.kind {
            EntryKind::Hardlink(target) => self.tree.at(target, self.layer).cloned(),
            _ => None,
        };
        let Some(path) = self.tree.place(&entry.path, self.layer, entry.kind == EntryKind::Directory) else {
            return Ok(());
        };
        match entry.kind {
            EntryKind::File => {
                self.file = Some(Open { path, mode });
                Ok(())
            }
            EntryKind::Directory if mode & ALL_WRITE != 0 && mode & STICKY == 0 => {
                self.keep(path, mode, What::Folder)
            }
            EntryKind::Symlink(target) => self.keep(path, 0, What::Symlink(target.into())),
            EntryKind::Hardlink(_) => same.map_or(Ok(()), |node| self.keep(path, node.mode, node.what)),
            EntryKind::Directory | EntryKind::Special => Ok(()),
        }
    }

    fn content(&mut self, bytes: &[u8]) {
        let wanted = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        self.seen += bytes.len() as u64;
        if self.wants_tail() {
            let last = &bytes[bytes.len().saturating_sub(arm::TAIL)..];
            let too_many = (self.tail.len() + last.len()).saturating_sub(arm::TAIL).min(self.tail.len());
            self.tail.drain(..too_many);
            self.tail.extend_from_slice(last);
        }
        self.search.push(bytes);
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let found = self.search.take();
        let Some(Open { path, mode }) = self.file.take() else { return Ok(()) };
        if found && self.secrets.len() < SECRETS_MAX {
            self.secrets.push(SecretAt::File(Place::new(&path, self.layer)));
        }
        match self.what(mode) {
            Some(what) => self.keep(path, mode, what),
            None => Ok(()),
        }
    }
}
