//! What the headers of a tar file say, for those who walk its blocks themselves.
//!
//! The `tar` crate's own iterator reads extension headers of any size into memory and reports a cut archive as a
//! complete one; its reading of single fields is used here.

use tar::{EntryType, Header};

use super::archive::Flaw;

/// Bytes of a header, and what contents are padded to.
pub(in crate::image) const BLOCK: u64 = 512;

/// What extension headers said about the entry that follows them.
#[derive(Debug, Default)]
pub(in crate::image) struct Extension {
    pub(in crate::image) name: Option<Vec<u8>>,
    pub(in crate::image) link: Option<Vec<u8>>,
    pub(in crate::image) size: Option<u64>,
    /// There was one.
    pub(in crate::image) seen: bool,
    /// It describes a file of which only parts are stored.
    pub(in crate::image) sparse: bool,
    /// What else they said, such as `mtime` and `SCHILY.xattr.NAME`.
    pub(in crate::image) records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extension {
    /// Adds what the extension header of this type holds; the error is what is wrong with it.
    pub(in crate::image) fn read(&mut self, kind: EntryType, bytes: Vec<u8>) -> Result<(), &'static str> {
        self.seen = true;
        match kind {
            EntryType::GNULongName => self.name = Some(until_nul(bytes)),
            EntryType::GNULongLink => self.link = Some(until_nul(bytes)),
            _ => {
                let mut read = Self::default();
                read_pax(&bytes, &mut read).ok_or("its PAX records are malformed")?;
                let is_set = read.name.is_some() || read.link.is_some() || read.size.is_some();
                if kind == EntryType::XGlobalHeader && is_set {
                    return Err("a global PAX record names files");
                }
                self.name = read.name.or(self.name.take());
                self.link = read.link.or(self.link.take());
                self.size = read.size.or(self.size);
                self.sparse |= read.sparse;
                if kind == EntryType::XHeader {
                    self.records.append(&mut read.records);
                }
            }
        }
        Ok(())
    }

    /// An entry of this type only says something about the next one.
    pub(in crate::image) fn is(kind: EntryType) -> bool {
        matches!(
            kind,
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
        )
    }

    /// The name of the entry with this header.
    pub(in crate::image) fn name_of(&mut self, header: &Header) -> Vec<u8> {
        self.name.take().unwrap_or_else(|| header.path_bytes().into_owned())
    }

    /// Where the entry with this header leads.
    pub(in crate::image) fn link_of(&mut self, header: &Header) -> Option<Vec<u8>> {
        self.link.take().or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
    }
}

/// The header in a block; none where the block is empty.
pub(in crate::image) fn header(block: &[u8; 512], position: u64) -> Result<Option<&Header>, Flaw> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let header = Header::from_byte_slice(block);
    // The checksum counts its own field as spaces.
    let sum = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    if header.cksum().ok() != Some(sum) {
        return Err(Flaw::Header { position, reason: "its checksum is wrong" });
    }
    Ok(Some(header))
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// Reads records `LENGTH KEY=VALUE\n`; nothing where they are malformed.
fn read_pax(mut bytes: &[u8], extension: &mut Extension) -> Option<()> {
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => extension.name = Some(value.to_vec()),
            b"linkpath" => extension.link = Some(value.to_vec()),
            b"size" => extension.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            _ if key.starts_with(b"GNU.sparse.") => extension.sparse = true,
            _ => extension.records.push((key.to_vec(), value.to_vec())),
        }
        bytes = &bytes[length..];
    }
    Some(())
}
