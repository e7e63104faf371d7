//! What a run can prove afterwards: statements about its archives, signatures, and one file with all of it.
//!
//! A projection of a plan and its events; nothing here runs, asks or looks for anything.

mod bundle;
mod dsse;
mod key;
mod provenance;
mod statement;
#[cfg(test)]
mod tests;

pub use bundle::{Bundle, BundleError, LIST, Part, SIGNED_LIST, bundle, read_bundle};
pub use dsse::{Envelope, PAYLOAD_TYPE, Untrusted};
pub use key::{KeyError, PublicKey, SigningKey};
pub use provenance::{Archive, Provenance};
pub use statement::{PREDICATE, Resource, STATEMENT, Statement, Subject};

/// Where the envelope of an archive lies: beside it.
pub fn beside(archive: &str) -> String {
    format!("{archive}.intoto.jsonl")
}
