//! `pipeline.lock`: what the names in a recipe stood for when they were first asked for.
//!
//! Inputs only: a branch's commit, a base image's digest. An entry that is there always wins, so a branch or a tag that
//! moved changes nothing until somebody asks for that.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::{Digest, ImageRef};
use crate::platform::Platform;

pub use file::{VERSION, read, write};

/// A name that may stand for something else tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What a repository has under a name.
    Git {
        /// Its url, as the recipe writes it.
        url: String,
        /// `refs/heads/…`, `refs/tags/…`, or `HEAD` for the default branch.
        reference: String,
    },
    /// An image for a platform.
    Image {
        /// Its full name.
        image: ImageRef,
        /// The platform.
        platform: Platform,
    },
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Pin {
    /// See [`Commit`].
    Git(Commit),
    /// See [`Image`].
    Image(Image),
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Its id: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The id of its tree.
    pub tree: String,
}

/// An image for one platform. One that came from no registry has its id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The digest by which its registry has it: of the index, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub digest: Option<Digest>,
    /// The digest of the platform's manifest in that index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub manifest: Option<Digest>,
    /// The digest of its configuration.
    #[schemars(with = "String")]
    pub id: Digest,
}

impl Key {
    /// The name without its kind, as it stands in the file.
    pub fn name(&self) -> String {
        match self {
            Self::Git { url, reference } => format!("{url} {reference}"),
            Self::Image { image, platform } => format!("{image} {platform}"),
        }
    }

    /// Its kind, as the file calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Git { .. } => "git",
            Self::Image { .. } => "image",
        }
    }

    fn git(name: &str) -> Option<Self> {
        let (url, reference) = name.rsplit_once(' ')?;
        let known = reference == "HEAD" || reference.starts_with("refs/");
        let plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ' ');
        (known && plain(url) && plain(reference))
            .then(|| Self::Git { url: url.to_owned(), reference: reference.to_owned() })
    }

    fn image(name: &str) -> Option<Self> {
        let (image, platform) = name.split_once(' ')?;
        Some(Self::Image { image: ImageRef::parse(image).ok()?, platform: Platform::parse(platform).ok()? })
    }
}

/// `git URL REF` or `image NAME PLATFORM`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let key = match text.split_once(' ') {
            Some(("git", name)) => Self::git(name),
            Some(("image", name)) => Self::image(name),
            _ => None,
        };
        key.ok_or_else(|| format!("`{}` is no name in a lock", text.escape_debug()))
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The one digest or commit id that others are compared with.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(git) => f.write_str(&git.commit),
            Self::Image(image) => image.digest.unwrap_or(image.id).fmt(f),
        }
    }
}

/// All entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lock(BTreeMap<Key, Pin>);

impl Lock {
    /// What the name stands for.
    pub fn get(&self, key: &Key) -> Option<&Pin> {
        self.0.get(key)
    }

    /// Adds an entry, unless there is one; what is there then.
    pub fn keep(&mut self, key: &Key, pin: Pin) -> &Pin {
        self.0.entry(key.clone()).or_insert(pin)
    }

    /// All entries, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Pin)> {
        self.0.iter()
    }

    /// Keeps only some entries.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Key) -> bool) {
        self.0.retain(|key, _| wanted(key));
    }

    /// There are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
