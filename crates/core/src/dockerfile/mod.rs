//! Dockerfiles: which images they build on, and other images in their place.
//!
//! A rewrite is a text edit: it replaces the operands that name an image and changes no other byte. ONBUILD triggers
//! are left alone, because the names in them are looked up in the builds of others.

mod args;
mod diff;
mod error;
mod flags;
mod frontend;
mod heredoc;
mod lexer;
mod rewrite;
mod scan;
#[cfg(test)]
mod tests;
mod text;

pub use self::args::BuildArgs;
pub use self::error::{DockerfileError, Mention};
pub use self::frontend::{Frontend, frontends};
pub use self::rewrite::{Change, Rewritten, Rules, rewrite, rewrite_given};
pub use self::scan::{Base, BaseKind, bases, bases_given};
