//! What files hold, as little of it as tells where two of them differ.
//!
//! A file is kept as a digest for each piece of it. Where two digests differ, the piece is read once more from both layers.

use std::collections::BTreeMap;

use crate::image::archive::Flaw;
use crate::image::digest::Digest;
use crate::image::tar_stream::{Entries, Entry};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// A file's pieces by the first half of their digests: enough for what nobody forges.
pub(super) type Pieces = Vec<u128>;

/// Makes [`Pieces`] of the content that passes by.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    pieces: Pieces,
    piece: Vec<u8>,
}

impl Cutter {
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = bytes.len().min(PIECE - self.piece.len());
            self.piece.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.piece.len() == PIECE {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let hex = Digest::of(&self.piece).hex();
        self.pieces.push(u128::from_str_radix(&hex[..32], 16).unwrap_or_default());
        self.piece.clear();
    }

    /// The file has ended.
    pub(super) fn end(&mut self) -> Pieces {
        if !self.piece.is_empty() {
            self.cut();
        }
        std::mem::take(&mut self.pieces)
    }
}

/// The first piece in which two files differ.
pub(super) fn first(one: &Pieces, other: &Pieces) -> Option<usize> {
    (0..one.len().max(other.len())).find(|index| one.get(*index) != other.get(*index))
}

/// Takes one piece of each of some files while a layer passes by.
#[derive(Debug)]
pub(super) struct Picker<'w> {
    /// The number of the piece, by path.
    wanted: &'w BTreeMap<Vec<u8>, usize>,
    pub(super) picked: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The file that passes: its path, the piece's place, and the bytes before what comes next.
    open: Option<(Vec<u8>, usize, usize)>,
}

impl<'w> Picker<'w> {
    pub(super) fn new(wanted: &'w BTreeMap<Vec<u8>, usize>) -> Self {
        Self { wanted, picked: BTreeMap::new(), open: None }
    }
}

impl Entries for Picker<'_> {
    fn begin(&mut self, entry: Entry) -> Result<(), Flaw> {
        self.open = self.wanted.get(&entry.path).map(|piece| {
            // Of two files of one path the last counts.
            self.picked.insert(entry.path.clone(), Vec::new());
            (entry.path, piece * PIECE, 0)
        });
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) {
        let Some((path, from, before)) = &mut self.open else { return };
        let (start, end) = (from.saturating_sub(*before), (*from + PIECE).saturating_sub(*before));
        if let (Some(bytes), Some(picked)) =
            (bytes.get(start.min(bytes.len())..end.min(bytes.len())), self.picked.get_mut(path))
        {
            picked.extend_from_slice(bytes);
        }
        *before += bytes.len();
    }

    fn end(&mut self) -> Result<(), Flaw> {
        self.open = None;
        Ok(())
    }
}

/// The offset in the file of the first byte that differs.
pub(super) fn offset(piece: usize, one: &[u8], other: &[u8]) -> usize {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    piece * PIECE + same
}
