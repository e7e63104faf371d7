//! What is kept of an instance that is done.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

/// An instance that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Of everything that its result depends on.
    pub fingerprint: Digest,
    /// Of everything that others can see of its result.
    pub result: Digest,
    /// The values that it yielded, by name.
    pub values: BTreeMap<String, String>,
    /// The files and folders here that it left.
    pub outputs: Vec<Leaf>,
    /// How long it took, in milliseconds.
    pub took: u32,
}

/// What a fingerprint was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The configuration, late values as names: JSON.
    pub config: String,
    /// Environment variables that count.
    pub env: BTreeMap<String, String>,
    /// Inputs and what was found there, by what messages call them.
    pub inputs: BTreeMap<String, String>,
    /// Names of the lock and what they stood for.
    pub pins: BTreeMap<String, String>,
    /// The build engine and its version.
    pub tool: Option<(String, String)>,
    /// The files and folders that were read, so that they need not be read again.
    pub reads: Vec<Leaf>,
}

/// A file or folder of which the content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// As in the plan: relative to the recipe's folder, or absolute.
    pub path: String,
    /// What was found there.
    pub seen: Seen,
}

/// The content of a file or folder, and of when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of the content: names, permissions and bytes.
    pub digest: Digest,
    /// The files in it, by the path below it (empty for a file itself), in order.
    pub files: Vec<(Vec<u8>, Stamp, Digest)>,
    /// When it was looked at, in nanoseconds since the epoch: what was written about that time may have changed after.
    pub at: i64,
}

/// What a file system tells of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since the epoch.
    pub modified: i64,
    /// Of the inode, in nanoseconds since the epoch.
    pub changed: i64,
    /// The inode's number.
    pub inode: u64,
    /// The device.
    pub device: u64,
    /// Type and permissions.
    pub mode: u32,
}
