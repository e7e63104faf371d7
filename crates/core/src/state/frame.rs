//! The frames of the log: `valid` (4 bytes), length and CRC-32 of the body (4 bytes each, little-endian), body.
//!
//! `valid` is outside of the sum, so that it can be taken away in place. It says yes by one value only, and no single
//! bit makes it of the value for no.

use serde::{Deserialize, Serialize};

use super::record::{Detail, Record, Stamp};

/// What every file begins with; another version has another number.
const MAGIC: &[u8; 16] = b"pipeline state 2";

const LIVE: [u8; 4] = [0xA5; 4];

/// Instead of the first four bytes of a frame: it is no longer true.
pub(super) const DEAD: [u8; 4] = [0x5A; 4];

const PREFIX: usize = 12;

/// What a frame says. What its record was made of follows, and is not read unless it is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Head {
    Record {
        key: String,
        record: Record,
    },
    /// A tool's version, by its file.
    Tool {
        path: String,
        stamp: Stamp,
        version: String,
    },
    /// What follows was written after this start of the machine.
    Boot(String),
    /// What came before is safe from a power cut.
    Synced,
}

pub(super) struct Body<'a> {
    pub(super) head: Head,
    pub(super) detail: Option<&'a Detail>,
}

/// Where a frame is, in bytes from the start of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) detail: u64,
    pub(super) detail_length: usize,
}

impl Place {
    pub(super) fn after(self, end: u64) -> Self {
        Self { start: self.start + end, detail: self.detail + end, ..self }
    }
}

/// One that was read.
pub(super) struct Frame {
    pub(super) head: Head,
    pub(super) valid: bool,
    pub(super) place: Place,
}

pub(super) fn header() -> Vec<u8> {
    MAGIC.to_vec()
}

/// Appends a frame; its place counts from the start of `bytes`.
pub(super) fn encode(body: &Body<'_>, bytes: &mut Vec<u8>) -> Place {
    let start = bytes.len();
    bytes.extend_from_slice(&LIVE);
    bytes.extend_from_slice(&[0; 8]);
    // Strings and numbers into a growing vector: there is nothing that could fail.
    let mut append = |part: Result<Vec<u8>, postcard::Error>| bytes.extend(part.unwrap_or_default());
    append(postcard::to_stdvec(&body.head));
    let detail = body.detail.map(postcard::to_stdvec);
    let detail_length = detail.as_ref().map_or(0, |detail| detail.as_ref().map_or(0, Vec::len));
    if let Some(detail) = detail {
        append(detail);
    }
    let length = bytes.len() - start - PREFIX;
    let sum = crc32fast::hash(&bytes[start + PREFIX..]);
    bytes[start + 4..start + 8].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    bytes[start + 8..start + PREFIX].copy_from_slice(&sum.to_le_bytes());
    Place {
        start: start as u64,
        length: (bytes.len() - start) as u64,
        detail: (bytes.len() - detail_length) as u64,
        detail_length,
    }
}

/// Reads frames until the end, or until one that is damaged.
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// None where the file is not of this version.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(MAGIC).then_some(Self { bytes, at: MAGIC.len() })
    }

    /// The end of what could be read.
    pub(super) fn at(&self) -> u64 {
        self.at as u64
    }
}

impl Iterator for &mut Frames<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let rest = &self.bytes[self.at..];
        let word = |at: usize| rest.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
        let valid = word(0)? == LIVE;
        let length = usize::try_from(u32::from_le_bytes(word(4)?)).ok()?;
        let body = rest.get(PREFIX..PREFIX.checked_add(length)?)?;
        if crc32fast::hash(body) != u32::from_le_bytes(word(8)?) {
            return None;
        }
        let (head, detail) = postcard::take_from_bytes::<Head>(body).ok()?;
        let start = self.at;
        self.at += PREFIX + length;
        let place = Place {
            start: start as u64,
            length: (PREFIX + length) as u64,
            detail: (self.at - detail.len()) as u64,
            detail_length: detail.len(),
        };
        Some(Frame { head, valid, place })
    }
}
