//! Images as data: digests, references and archives.

pub mod archive;
pub mod digest;
pub mod reference;

pub use archive::ArchiveFormat;
pub use digest::Digest;
pub use reference::ImageRef;
