//! A run's folder in one file: a tar that is the same for the same folder, and says of each part what it must be.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dsse::{Envelope, Signature};
use super::key::{PublicKey, SigningKey};
use crate::image::Digest;
use crate::image::digest::HashingReader;

/// The first part: which others there are.
pub const LIST: &str = "bundle.json";

/// What a signature of the list is of.
pub const SIGNED_LIST: &str = "application/vnd.pipeline.bundle+json";

const VERSION: u32 = 1;
const BLOCK: usize = 512;

/// A list of a hundred thousand parts.
const LIST_MAX: u64 = 32 * 1024 * 1024;

/// What a bundle holds, each part as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    version: u32,
    /// The run's id.
    pub run: String,
    /// Sorted by name.
    pub parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Signature>,
    /// Of all of the above, so that an altered list is told from an altered part.
    sha256: String,
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name, relative to the run's folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// All that is read of a list before its version is known.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why there is no bundle, or none that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file's name is none for a bundle.
    #[error("{} has a name that no bundle holds", .0.display())]
    Name(PathBuf),
    /// It is none of ours.
    #[error("{} is no bundle of evidence", .0.display())]
    None(PathBuf),
    /// It is of a later version of this program.
    #[error("the bundle has the version {0}, and {VERSION} is known")]
    Version(u32),
    /// A part is not what it was.
    #[error("`{}` was altered since the bundle was made", part.escape_debug())]
    Altered {
        /// Which.
        part: String,
    },
    /// A part is not there, or not whole.
    #[error("the bundle ends in `{}`", part.escape_debug())]
    Cut {
        /// Which.
        part: String,
    },
    /// Something follows the last part.
    #[error("something follows the end of the bundle")]
    More,
    /// The list has no signature of the key.
    #[error("the bundle's list is not signed by this key")]
    Unsigned,
}

impl Bundle {
    fn unsigned(&self) -> Vec<u8> {
        let bare = Self { signatures: Vec::new(), sha256: String::new(), ..self.clone() };
        serde_json::to_vec(&bare).unwrap_or_default()
    }

    /// With its own digest.
    fn sealed(mut self) -> Self {
        self.sha256 = String::new();
        self.sha256 = Digest::of(&serde_json::to_vec(&self).unwrap_or_default()).hex();
        self
    }

    fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// Writes the folder of a run as one file; nothing appears under the name unless it is whole.
pub fn bundle(run: &str, folder: &Path, to: &Path, key: Option<&SigningKey>) -> Result<Bundle, BundleError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| BundleError::Io { path, source }
    };
    let mut parts = Vec::new();
    for name in names(folder, "")? {
        let path = folder.join(&name);
        let mut file = HashingReader::new(File::open(&path).map_err(at(&path))?);
        let size = io::copy(&mut file, &mut io::sink()).map_err(at(&path))?;
        parts.push(Part { name, size, sha256: file.finish() });
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut list = Bundle {
        version: VERSION,
        run: run.to_owned(),
        parts,
        signatures: Vec::new(),
        sha256: String::new(),
    };
    if let Some(key) = key {
        list.signatures = Envelope::sign(SIGNED_LIST, &list.unsigned(), key).signatures;
    }
    let list = list.sealed();
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(at(parent))?;
    let file = tempfile::Builder::new().prefix(".pipeline-").tempfile_in(parent).map_err(at(parent))?;
    let mut out = BufWriter::new(file);
    let json = list.to_json();
    part(&mut out, LIST, json.len() as u64, &mut json.as_slice()).map_err(at(to))?;
    for Part { name, size, sha256 } in &list.parts {
        let path = folder.join(name);
        let mut file = HashingReader::new(File::open(&path).map_err(at(&path))?);
        part(&mut out, name, *size, &mut file).map_err(at(to))?;
        if file.finish() != *sha256 {
            return Err(BundleError::Altered { part: name.clone() });
        }
    }
    out.write_all(&[0; 2 * BLOCK]).map_err(at(to))?;
    let file = out.into_inner().map_err(|error| at(to)(error.into_error()))?;
    file.as_file().sync_all().map_err(at(to))?;
    file.persist(to).map_err(|error| at(to)(error.error))?;
    Ok(list)
}

/// Every file below the folder, by its name relative to it.
fn names(folder: &Path, below: &str) -> Result<Vec<String>, BundleError> {
    let path = folder.join(below);
    let io = |source| BundleError::Io { path: path.clone(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().into_string().map_err(|_| BundleError::Name(entry.path()))?;
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(io)?;
        if kind.is_dir() {
            found.extend(names(folder, &name)?);
        } else if kind.is_file() && name != LIST && !name.contains(char::is_control) {
            found.push(name);
        } else {
            return Err(BundleError::Name(entry.path()));
        }
    }
    Ok(found)
}

/// The header of a part: the same for the same name and size.
fn head(name: &str, size: u64) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, io::empty())?;
    Ok(builder.get_ref().clone())
}

fn padding(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default()
}

fn part(out: &mut impl Write, name: &str, size: u64, content: &mut impl Read) -> io::Result<()> {
    out.write_all(&head(name, size)?)?;
    io::copy(&mut content.take(size), out)?;
    out.write_all(&[0; BLOCK][..padding(size)])
}

/// Reads a bundle, and hands on the content of each part when it is known to be the one that was put in; with a key, the
/// list must be signed by it.
///
/// The file must be byte for byte what [`bundle`] writes of these parts.
pub fn read_bundle(
    path: &Path,
    key: Option<&PublicKey>,
    keep: &mut dyn FnMut(&Part) -> bool,
    take: &mut dyn FnMut(&Part, Vec<u8>),
) -> Result<Bundle, BundleError> {
    let at = |source| BundleError::Io { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(at)?);
    let mut first = [0; BLOCK];
    exact(&mut file, &mut first, LIST, path)?;
    let size = tar::Header::from_byte_slice(&first).entry_size().ok().filter(|size| *size <= LIST_MAX);
    let size = size.ok_or_else(|| BundleError::None(path.to_owned()))?;
    let altered = |part: &str| BundleError::Altered { part: part.to_owned() };
    if !first.starts_with(LIST.as_bytes()) {
        return Err(BundleError::None(path.to_owned()));
    }
    if head(LIST, size).map_err(at)? != first {
        return Err(altered(LIST));
    }
    let mut json = vec![0; usize::try_from(size).unwrap_or_default()];
    exact(&mut file, &mut json, LIST, path)?;
    zeros(&mut file, padding(size), LIST, path)?;
    let versioned: Versioned = serde_json::from_slice(&json).map_err(|_| altered(LIST))?;
    if versioned.version != VERSION {
        return Err(BundleError::Version(versioned.version));
    }
    let list: Bundle = serde_json::from_slice(&json).map_err(|_| altered(LIST))?;
    if list.to_json() != json || list.clone().sealed().sha256 != list.sha256 {
        return Err(altered(LIST));
    }
    let signed = |key: &PublicKey| {
        let envelope = Envelope::of(SIGNED_LIST, &list.unsigned(), &list.signatures);
        Envelope::open(envelope.to_json().as_bytes(), SIGNED_LIST, key).is_ok()
    };
    if key.is_some_and(|key| !signed(key)) {
        return Err(BundleError::Unsigned);
    }
    for part in &list.parts {
        let expected = head(&part.name, part.size).map_err(at)?;
        let mut found = vec![0; expected.len()];
        exact(&mut file, &mut found, &part.name, path)?;
        if found != expected {
            return Err(altered(&part.name));
        }
        let (mut content, is_kept) = (Vec::new(), keep(part));
        let mut hashed = HashingReader::new((&mut file).take(part.size));
        let copied = if is_kept {
            hashed.read_to_end(&mut content).map(|count| count as u64)
        } else {
            io::copy(&mut hashed, &mut io::sink())
        };
        if copied.map_err(at)? != part.size {
            return Err(BundleError::Cut { part: part.name.clone() });
        }
        if hashed.finish() != part.sha256 {
            return Err(altered(&part.name));
        }
        zeros(&mut file, padding(part.size), &part.name, path)?;
        if is_kept {
            take(part, content);
        }
    }
    let last = list.parts.last().map_or(LIST, |part| &part.name);
    zeros(&mut file, 2 * BLOCK, last, path)?;
    match file.read(&mut [0]).map_err(at)? {
        0 => Ok(list),
        _ => Err(BundleError::More),
    }
}

fn exact(file: &mut impl Read, buffer: &mut [u8], part: &str, path: &Path) -> Result<(), BundleError> {
    file.read_exact(buffer).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Cut { part: part.to_owned() },
        _ => BundleError::Io { path: path.to_owned(), source },
    })
}

/// Bytes that belong to a part and hold nothing.
fn zeros(file: &mut impl Read, count: usize, part: &str, path: &Path) -> Result<(), BundleError> {
    let mut found = vec![0; count];
    exact(file, &mut found, part, path)?;
    if found.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(BundleError::Altered { part: part.to_owned() })
}
