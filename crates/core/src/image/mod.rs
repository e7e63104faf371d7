//! Images as data: digests, references and archives.

pub mod archive;
pub mod compare;
pub mod digest;
pub mod local;
pub mod reference;
mod tar_header;
pub(crate) mod tar_stream;

pub use archive::ArchiveFormat;
pub use digest::Digest;
pub use local::{LocalError, LocalImage, StoreKind};
pub use reference::ImageRef;
