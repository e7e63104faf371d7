//! Images as data: digests and references.

pub mod digest;
pub mod reference;

pub use digest::Digest;
pub use reference::ImageRef;
