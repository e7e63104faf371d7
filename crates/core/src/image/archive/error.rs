//! What can be wrong with an archive, and with sealing one.

use std::fmt;
use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::image::digest::{Digest, DigestError};
use crate::image::reference::ImageRef;
use crate::platform::Platform;

/// An archive or layout that is not whole, not sound, or not of exactly one image.
#[derive(Debug)]
pub struct ArchiveError {
    /// The archive's file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "archive `{}`: {}", self.path.display(), self.flaw)
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.flaw.source()
    }
}

impl Diagnostic for ArchiveError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.flaw.help()
    }
}

/// What is wrong with an archive. Names from inside the archive are escaped: they may hold anything.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Flaw {
    /// A system call failed.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// It ends too early.
    #[error("it is cut short {}", within.escape_debug())]
    #[diagnostic(help("the copy or the export was interrupted; make the archive again"))]
    Truncated {
        /// Where it ends, such as ``in `manifest.json` ``.
        within: String,
    },
    /// A tar header makes no sense.
    #[error("the tar header at byte {position} is damaged: {reason}")]
    #[diagnostic(help("make the archive again; it is not a tar file, or it was altered"))]
    Header {
        /// Offset of the header in the file.
        position: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry points outside, or its name cannot be text.
    #[error("an entry is named `{}`", name.escape_debug())]
    #[diagnostic(help(
        "no engine writes absolute names, `..` or control characters; do not trust this archive"
    ))]
    Name {
        /// The entry's name.
        name: String,
    },
    /// An entry is neither file, directory nor link.
    #[error("entry `{}` is neither a file, a directory nor a link", name.escape_debug())]
    #[diagnostic(help("no engine writes such entries; do not trust this archive"))]
    Kind {
        /// The entry's name.
        name: String,
    },
    /// Two entries have one name.
    #[error("it has two entries named `{}`", name.escape_debug())]
    #[diagnostic(help("readers would disagree on which one counts; make the archive again"))]
    Twice {
        /// Their name.
        name: String,
    },
    /// More entries than any image has.
    #[error("it has more than {limit} entries")]
    #[diagnostic(help("this is not the archive of an image"))]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// More programs than are kept to be judged.
    #[error("it has more programs than any image, above 100000")]
    #[diagnostic(help("this is not the archive of an image"))]
    TooManyPrograms,
    /// A document is larger than any image needs.
    #[error("`{}` has {size} bytes, more than the {limit} that are read", name.escape_debug())]
    #[diagnostic(help("this is not the archive of an image"))]
    TooLarge {
        /// The document.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Neither a `manifest.json` nor an `index.json` with an `oci-layout`.
    #[error("it is neither a docker archive nor an OCI archive or layout")]
    #[diagnostic(help(
        "make it with `docker save`, `podman save`, `buildah push … docker-archive:` or a `save` step"
    ))]
    Unknown,
    /// Something that is referred to is not there.
    #[error("`{}` is missing", name.escape_debug())]
    #[diagnostic(help(
        "the archive is incomplete; an image of several platforms is exported whole only with `--platform`"
    ))]
    Missing {
        /// Its name.
        name: String,
    },
    /// A link leads outside, in a circle, or to no file.
    #[error("the link `{}` leads to no file of the archive", name.escape_debug())]
    #[diagnostic(help("make the archive again; do not trust this one"))]
    Link {
        /// The link's name.
        name: String,
    },
    /// A document is no JSON of the expected shape.
    #[error("`{}` cannot be understood", name.escape_debug())]
    #[diagnostic(help("make the archive again"))]
    Json {
        /// The document.
        name: String,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A digest is malformed.
    #[error("`{}` refers to a malformed digest", name.escape_debug())]
    #[diagnostic(help("make the archive again; do not trust this one"))]
    Malformed {
        /// The document with the digest in it.
        name: String,
        /// What is wrong with it.
        source: DigestError,
    },
    /// Not exactly one image.
    #[error("it holds {}, not exactly one", if *count == 0 { "no image".into() } else { format!("{count} images") })]
    #[diagnostic(help("export one image by one name, and one platform of it"))]
    Count {
        /// How many there are.
        count: usize,
    },
    /// The manifest lists other layers than the configuration.
    #[error("its manifest lists {manifest} layers, its image configuration {config}")]
    #[diagnostic(help("make the archive again"))]
    LayerCount {
        /// Layers in the manifest.
        manifest: usize,
        /// `diff_ids` in the configuration.
        config: usize,
    },
    /// A blob is not what its name says.
    #[error("`{}` was altered: its content is {actual}", name.escape_debug())]
    #[diagnostic(help("make the archive again; do not trust this one"))]
    Blob {
        /// The entry whose name is a digest.
        name: String,
        /// The digest of what it holds.
        actual: Digest,
    },
    /// A layer is not the one that the image configuration names.
    #[error("layer {number} (`{}`) is {actual}, but the image was built with {expected}", name.escape_debug())]
    #[diagnostic(help("make the archive again; do not trust this one"))]
    Layer {
        /// Counted from 1, the lowest layer.
        number: usize,
        /// The entry that holds it.
        name: String,
        /// The `diff_id` of the configuration.
        expected: Digest,
        /// The digest of what was read.
        actual: Digest,
    },
    /// A layer is much larger than its compressed form.
    #[error("`{}` has {size} bytes and becomes more than {limit}", name.escape_debug())]
    #[diagnostic(help("no image is compressed like that; do not trust this archive"))]
    Bomb {
        /// The entry that holds the layer.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// How much was read of what it becomes, in bytes.
        limit: u64,
    },
    /// A compressed layer cannot be read.
    #[error("`{}` is damaged", name.escape_debug())]
    #[diagnostic(help("the copy or the export was interrupted or altered; make the archive again"))]
    Inflate {
        /// The entry that holds the layer.
        name: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A layer is compressed.
    #[error("layer {number} (`{}`) is compressed with {how}", name.escape_debug())]
    #[diagnostic(help(
        "only archives with plain layers are read; `skopeo copy docker-daemon:…` or `podman save` write such, \
         and so does docker without the containerd image store"
    ))]
    Compressed {
        /// Counted from 1, the lowest layer.
        number: usize,
        /// The entry that holds it.
        name: String,
        /// `gzip` or `zstd`.
        how: &'static str,
    },
}

impl Flaw {
    /// This flaw, of the archive at `path`.
    pub(in crate::image) fn at(self, path: impl Into<PathBuf>) -> ArchiveError {
        ArchiveError { path: path.into(), flaw: self }
    }
}

/// Why no archive was written under the final name.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SealError {
    /// The archive that the engine exported is not sound.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Archive(#[from] ArchiveError),
    /// It is sound, but of another image.
    #[error("archive `{}` holds image {actual}, not {expected}", path.display())]
    #[diagnostic(help("the name moved to another image between build and export; build and save again"))]
    Id {
        /// The exported archive.
        path: PathBuf,
        /// The id that was asked for.
        expected: Digest,
        /// The digest of the configuration in the archive.
        actual: Digest,
    },
    /// It is sound, but for another platform.
    #[error("archive `{}` holds an image for {actual}, not for {expected}", path.display())]
    #[diagnostic(help("build with the target's platform, on a base image of that platform"))]
    Platform {
        /// The exported archive.
        path: PathBuf,
        /// The platform that was asked for.
        expected: Platform,
        /// Operating system, architecture and variant of the configuration.
        actual: String,
    },
    /// An archive holds names with tags only.
    #[error("`{0}` has no tag to write into an archive")]
    #[diagnostic(help("name the image with a tag, such as `registry:2`"))]
    NoTag(ImageRef),
    /// The destination is a directory of something else.
    #[error("`{}` is a directory, but no OCI layout", .0.display())]
    #[diagnostic(help("choose a path that does not exist yet; the directory was left as it is"))]
    NotALayout(PathBuf),
    /// Writing failed; nothing is left under the final name that was not there before.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file that could not be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
