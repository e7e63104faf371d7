//! The final file system of an image, of which only what is to be judged is kept.
//!
//! Layers are laid one upon the other as engines do: what is above hides what is below, `.wh.NAME` removes NAME,
//! `.wh..wh..opq` all that was in the folder. A folder over anything else takes its place. Links of the same layer are
//! followed, as the one who unpacks a layer does, and stay within the root.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::elf::Program;

/// A path without `/` at either end; the root is empty.
pub(super) type Path = Box<[u8]>;

/// As many links as Linux follows.
const LINKS_MAX: usize = 40;

/// What is kept takes about so many bytes at the most, as far as it is no program.
const ROOM: usize = 24 * 1024 * 1024;

/// Besides the bytes of its path.
const OVERHEAD: usize = 160;

/// What of a file is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Program(Program),
    /// An executable text, and the interpreter that its first line names.
    Script(Box<[u8]>),
    Symlink(Box<[u8]>),
    /// Nothing but its mode.
    File,
    Folder,
}

/// A file of the final file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Counted from 1, the lowest.
    pub(super) layer: usize,
    pub(super) mode: u32,
    pub(super) what: What,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<Path, Node>,
    room: usize,
    /// The folder of the last entry as it was written, its layer, and where that leads: the next is in it as a rule.
    last: Option<(Path, usize, Path)>,
    /// Something was left out, as there was no more room.
    pub(super) is_full: bool,
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) path: Path,
    pub(super) node: &'t Node,
}

impl Tree {
    /// Every file that is kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// An entry of the layer: what was at its place is gone. Where it lies, and none for what only removes others.
    pub(super) fn place(&mut self, path: &[u8], layer: usize, is_folder: bool) -> Option<Path> {
        let (folder, name) = split(path);
        let folder = self.folder(folder, layer);
        match name.strip_prefix(b".wh.") {
            Some(b".wh..opq") => {
                self.remove_below(&folder, |node| node.layer < layer);
                return None;
            }
            // What aufs keeps for itself.
            Some(rest) if rest.starts_with(b".wh.") => return None,
            Some(hidden) => {
                let hidden = join(&folder, hidden);
                if self.nodes.get(&hidden).is_some_and(|node| node.layer < layer) {
                    self.remove(&hidden);
                }
                self.remove_below(&hidden, |node| node.layer < layer);
                return None;
            }
            None => {}
        }
        let path = join(&folder, name);
        self.remove(&path);
        if !is_folder {
            self.remove_below(&path, |_| true);
        }
        Some(path)
    }

    /// Keeps what is at a path. False where there is no room for one that must be kept.
    pub(super) fn keep(&mut self, path: Path, node: Node) -> bool {
        let weight = weight(&path, &node);
        if self.room + weight > ROOM {
            self.is_full = true;
            return !matches!(node.what, What::Program(_));
        }
        self.room += weight;
        self.last = None;
        self.remove(&path);
        self.nodes.insert(path, node);
        true
    }

    /// What lies at exactly this path of a layer.
    pub(super) fn at(&mut self, path: &[u8], layer: usize) -> Option<&Node> {
        let (folder, name) = split(path);
        let folder = self.folder(folder, layer);
        self.nodes.get(&join(&folder, name))
    }

    /// What a path leads to in the final file system.
    pub(super) fn find(&self, path: &[u8]) -> Option<Found<'_>> {
        let mut rest: Vec<Vec<u8>> = parts(path).rev().map(<[u8]>::to_vec).collect();
        let (mut at, mut links): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        while let Some(part) = rest.pop() {
            if part == b".." {
                at.pop();
                continue;
            }
            at.push(part);
            if let Some(Node { what: What::Symlink(target), .. }) = self.nodes.get(&at.join(&b'/')[..]) {
                links += 1;
                if links > LINKS_MAX {
                    return None;
                }
                at.pop();
                if target.starts_with(b"/") {
                    at.clear();
                }
                rest.extend(parts(target).rev().map(<[u8]>::to_vec));
            }
        }
        let path: Path = at.join(&b'/').into();
        self.nodes.get(&path).map(|node| Found { path, node })
    }

    /// The folder in which an entry of the layer lies: links of the same layer are followed, and whatever else is in the
    /// way is hidden.
    fn folder(&mut self, path: &[u8], layer: usize) -> Path {
        if let Some((_, _, folder)) =
            self.last.as_ref().filter(|(last, of, _)| **last == *path && *of == layer)
        {
            return folder.clone();
        }
        let mut rest: Vec<Vec<u8>> = parts(path).rev().map(<[u8]>::to_vec).collect();
        let (mut at, mut links): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        while let Some(part) = rest.pop() {
            if part == b".." {
                at.pop();
                continue;
            }
            at.push(part);
            let here: Path = at.join(&b'/').into();
            match self.nodes.get(&here) {
                None | Some(Node { what: What::Folder, .. }) => {}
                Some(Node { what: What::Symlink(target), layer: of, .. })
                    if *of == layer && links < LINKS_MAX =>
                {
                    links += 1;
                    at.pop();
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    rest.extend(parts(target).rev().map(<[u8]>::to_vec));
                }
                Some(_) => self.remove(&here),
            }
        }
        let folder: Path = at.join(&b'/').into();
        self.last = Some((path.into(), layer, folder.clone()));
        folder
    }

    fn remove(&mut self, path: &[u8]) {
        if let Some(node) = self.nodes.remove(path) {
            self.last = None;
            self.room -= weight(path, &node);
        }
    }

    fn remove_below(&mut self, folder: &[u8], which: impl Fn(&Node) -> bool) {
        // The sign after `/` is `0`.
        let (from, to) = match folder {
            b"" => (Bound::Unbounded, Bound::Unbounded),
            _ => {
                let end = |sign: u8| Bound::Included(Path::from([folder, &[sign]].concat()));
                (end(b'/'), end(b'0'))
            }
        };
        let below = self.nodes.range((from, to)).filter(|(path, node)| {
            // `folder0` itself is none of them.
            which(node) && (folder.is_empty() || path.get(folder.len()) == Some(&b'/'))
        });
        let below: Vec<Path> = below.map(|(path, _)| path.clone()).collect();
        for path in below {
            self.remove(&path);
        }
    }
}

fn weight(path: &[u8], node: &Node) -> usize {
    let more = match &node.what {
        What::Symlink(text) | What::Script(text) => text.len(),
        What::Program(program) => program.loader.as_ref().map_or(0, |loader| loader.len()),
        What::File | What::Folder => 0,
    };
    OVERHEAD + path.len() + more
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn join(folder: &[u8], name: &[u8]) -> Path {
    if folder.is_empty() { name.into() } else { [folder, b"/", name].concat().into() }
}
