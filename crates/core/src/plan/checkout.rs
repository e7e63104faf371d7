//! What it takes to bring a commit into a folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::Text;

/// A commit of a repository, brought into a folder by way of a mirror.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the step")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The repository.
    pub url: String,
    /// A full commit id, `refs/heads/…`, `refs/tags/…` or `HEAD`.
    pub wanted: String,
    /// What that stands for is written down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Protocols that git may use.
    pub protocols: Vec<String>,
    /// The folder, which appears whole or not at all; its parent is the instance's own, and gets the files `tree` and
    /// `epoch` with the tree's id and the commit's time in seconds.
    pub dir: String,
    /// So many commits of the history, and not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Which objects are fetched only where they are needed: a filter of git-rev-list(1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Submodules too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
    /// The files that git LFS keeps apart too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lfs: bool,
    /// The folder stays a repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_git_dir: bool,
    /// Who must have signed the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// Environment variables besides those that every step gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    /// The output that takes the commit's id.
    pub output: String,
}

impl Checkout {
    /// The tools that it runs.
    pub fn tools(&self) -> Vec<&'static str> {
        let signed = self.signed.as_ref().map(|signed| match signed.with {
            Signature::Ssh => "ssh-keygen",
            Signature::Gpg => "gpg",
        });
        ["git"].into_iter().chain(self.lfs.then_some("git-lfs")).chain(signed).collect()
    }
}

/// A signature that a commit must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// How it is signed.
    pub with: Signature,
    /// The file with the keys that count: one as ssh-keygen(1) describes under ALLOWED SIGNERS, or exported OpenPGP keys.
    pub keyring: Text,
}

/// See [`Signed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// By an ssh key.
    Ssh,
    /// By an OpenPGP key.
    Gpg,
}
