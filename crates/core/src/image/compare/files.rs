//! Two layers, file by file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::content::{Cutter, Picker, Pieces, first, offset};
use super::{Told, short};
use crate::image::archive::Flaw;
use crate::image::tar_stream::{Entries, Entry, EntryKind, TarStream};
use crate::image::{LocalError, LocalImage};

/// What differs in a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The layer, counted from 1, the lowest.
    pub layer: usize,
    /// Its files that differ, by path.
    pub differ: Told<FileDiffers>,
    /// Where no file does: they come in another order. Otherwise their headers say the same in another way.
    pub is_order: bool,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiffers {
    /// Absolute in the image; bytes that are no text are escaped.
    pub path: String,
    /// What of it differs; nothing where only one layer has it.
    pub parts: Vec<Part>,
    /// The one that has it, 0 or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_in: Option<usize>,
}

/// What of a file differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which part.
    pub name: PartName,
    /// What it is in each.
    pub values: [String; 2],
}

/// See [`Part`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartName {
    /// File, directory, link, device.
    Type,
    /// Permission bits, octal.
    Mode,
    /// The owner's number.
    Uid,
    /// The group's number.
    Gid,
    /// Bytes.
    Size,
    /// Seconds since the epoch.
    Mtime,
    /// Where a link leads.
    Target,
    /// Major and minor number.
    Device,
    /// A PAX record, such as `SCHILY.xattr.user.name`.
    Record(String),
    /// What it holds, from this byte on; the values are the bytes there, as text.
    Content(u64),
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(key) => f.write_str(key.strip_prefix("SCHILY.xattr.").unwrap_or(key)),
            Self::Content(offset) => write!(f, "content from byte {offset} on"),
            other => f.write_str(&format!("{other:?}").to_ascii_lowercase()),
        }
    }
}

/// An entry that has passed.
struct Seen {
    entry: Entry,
    pieces: Pieces,
    /// Its place in the layer.
    order: usize,
}

/// Keeps what a layer says of its files.
#[derive(Default)]
struct Keeper {
    seen: BTreeMap<Vec<u8>, Seen>,
    open: Option<Entry>,
    cutter: Cutter,
    count: usize,
}

impl Entries for Keeper {
    fn begin(&mut self, entry: Entry) -> Result<(), Flaw> {
        self.open = Some(entry);
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) {
        self.cutter.take(bytes);
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let pieces = self.cutter.end();
        if let Some(mut entry) = self.open.take() {
            let path = std::mem::take(&mut entry.path);
            self.seen.insert(path, Seen { entry, pieces, order: self.count });
            self.count += 1;
        }
        Ok(())
    }
}

/// What differs in the layer of that number.
pub(super) fn compare(images: &[LocalImage; 2], number: usize) -> Result<Files, LocalError> {
    let read = |image: &LocalImage| pass(image, number, Keeper::default()).map(|keeper| keeper.seen);
    let [one, other] = [read(&images[0])?, read(&images[1])?];
    let mut paths: Vec<&Vec<u8>> = one.keys().chain(other.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut differ = Told::default();
    let mut wanted = BTreeMap::new();
    let mut is_order = false;
    for path in paths {
        let file = |parts, only_in| FileDiffers { path: shown(path), parts, only_in };
        match (one.get(path), other.get(path)) {
            (Some(one), Some(other)) => {
                is_order |= one.order != other.order;
                let parts = headers(&one.entry, &other.entry);
                let piece = first(&one.pieces, &other.pieces);
                if parts.is_empty() && piece.is_none() {
                    continue;
                }
                // A file that is not told of need not be looked at again.
                if let Some(piece) = piece.filter(|_| differ.told.len() < super::TOLD) {
                    wanted.insert(path.clone(), piece);
                }
                differ.push(file(parts, None));
            }
            (one, _) => differ.push(file(Vec::new(), Some(usize::from(one.is_none())))),
        }
    }
    if !wanted.is_empty() {
        let pick = |image| pass(image, number, Picker::new(&wanted)).map(|picker| picker.picked);
        contents(&mut differ, &wanted, &[pick(&images[0])?, pick(&images[1])?]);
    }
    let is_order = is_order && differ.is_empty();
    Ok(Files { layer: number, differ, is_order })
}

fn pass<E: Entries>(image: &LocalImage, number: usize, entries: E) -> Result<E, LocalError> {
    let mut stream = TarStream::new(entries);
    match image.copy_layer(number - 1, &mut stream) {
        // What is wrong with the layer comes before the write that it ended.
        Err(LocalError::Write(_)) | Ok(_) => {
            stream.finish().map_err(|flaw| LocalError::Layer { number, flaw })?;
            Ok(stream.entries)
        }
        Err(error) => Err(error),
    }
}

/// What the headers of two entries say differently.
fn headers(one: &Entry, other: &Entry) -> Vec<Part> {
    let of = |entry: &Entry| {
        let rest = &entry.rest;
        let mut parts = vec![
            (PartName::Type, kind(entry).to_owned()),
            (PartName::Mode, format!("{:04o}", entry.mode)),
            (PartName::Uid, rest.uid.to_string()),
            (PartName::Gid, rest.gid.to_string()),
            (PartName::Size, entry.size.to_string()),
            (PartName::Mtime, rest.mtime.to_string()),
        ];
        let (EntryKind::Symlink(target) | EntryKind::Hardlink(target)) = &entry.kind else {
            parts.push((PartName::Device, rest.device.map_or_else(String::new, |(a, b)| format!("{a},{b}"))));
            return parts;
        };
        parts.push((PartName::Target, text(target)));
        parts
    };
    let mut parts: Vec<Part> = of(one)
        .into_iter()
        .zip(of(other))
        .filter(|((name, one), (same, other))| name == same && one != other)
        .map(|((name, one), (_, other))| Part { name, values: [one, other] })
        .collect();
    records(one, other, &mut parts);
    parts
}

fn records(one: &Entry, other: &Entry, parts: &mut Vec<Part>) {
    let [of_one, of_other] =
        [one, other].map(|entry| entry.rest.records.iter().cloned().collect::<BTreeMap<_, _>>());
    let mut keys: Vec<&Vec<u8>> = of_one.keys().chain(of_other.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let values = [of_one.get(key), of_other.get(key)];
        if values[0] != values[1] {
            let values = values.map(|value| value.map_or_else(|| "absent".into(), |value| text(value)));
            parts.push(Part { name: PartName::Record(text(key)), values });
        }
    }
}

fn kind(entry: &Entry) -> &'static str {
    match (&entry.kind, entry.rest.letter) {
        (EntryKind::File, _) => "file",
        (EntryKind::Directory, _) => "directory",
        (EntryKind::Symlink(_), _) => "symlink",
        (EntryKind::Hardlink(_), _) => "hardlink",
        (EntryKind::Special, b'3') => "character device",
        (EntryKind::Special, b'4') => "block device",
        (EntryKind::Special, _) => "pipe",
    }
}

/// Adds where contents differ, and how they go on there.
fn contents(
    differ: &mut Told<FileDiffers>,
    wanted: &BTreeMap<Vec<u8>, usize>,
    picked: &[BTreeMap<Vec<u8>, Vec<u8>>; 2],
) {
    for (path, piece) in wanted {
        let bytes = [0, 1].map(|side| picked[side].get(path).map_or(&[][..], Vec::as_slice));
        let at = offset(*piece, bytes[0], bytes[1]);
        let within = offset(0, bytes[0], bytes[1]);
        let values = bytes.map(|bytes| {
            let rest = &bytes[within.min(bytes.len())..];
            text(&rest[..rest.len().min(16)])
        });
        let shown = shown(path);
        if let Some(file) = differ.told.iter_mut().find(|file| file.path == shown) {
            file.parts.push(Part { name: PartName::Content(at as u64), values });
        }
    }
}

fn shown(path: &[u8]) -> String {
    format!("/{}", path.escape_ascii())
}

fn text(bytes: &[u8]) -> String {
    short(&bytes.escape_ascii().to_string())
}
