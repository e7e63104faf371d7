//! What an audit found: data with stable names, and lines for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// So many files of one sort are told by name.
const TOLD_MAX: usize = 100;

/// The audit of an image, or of each image of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Of this form.
    pub version: u32,
    /// The worst of all images.
    pub verdict: Verdict,
    /// In the order of the index.
    pub images: Vec<ImageReport>,
}

/// The audit of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageReport {
    /// The image id: the digest of its configuration.
    pub id: Digest,
    /// Names that the archive gives it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The platform that the configuration names, in its own words.
    pub label: String,
    /// The platform that the index lists it for, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
    /// The platform that it should be of, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The platform of its programs, where all are of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What comes of that.
    pub verdict: Verdict,
    /// What is wrong, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// How many layers it has.
    pub layers: usize,
    /// How many programs and libraries there are of each platform.
    pub programs: Vec<Count>,
    /// What starts in a container, and what that needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<Started>,
    /// Programs that do not run on the platform.
    #[serde(default, skip_serializing_if = "Files::is_empty")]
    pub foreign: Files,
    /// Those of another platform that may be there: emulators, firmware, what the recipe allows.
    #[serde(default, skip_serializing_if = "Files::is_empty")]
    pub carried: Files,
    /// Programs with the rights of their owner or group.
    #[serde(default, skip_serializing_if = "Files::is_empty")]
    pub setuid: Files,
    /// What everybody may change.
    #[serde(default, skip_serializing_if = "Files::is_empty")]
    pub world_writable: Files,
    /// Where declared secrets stand. Their values are never told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretAt>,
    /// What is worth knowing and no failure, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What comes of an audit, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Label and programs are of the platform.
    Right,
    /// There are no programs to tell from; the label is what was wanted.
    NothingToTell,
    /// The platform is right, and something is in the image that must not be there.
    Forbidden,
    /// All programs are of one platform, and the label names another.
    LabelWrong,
    /// All programs are of another platform than the one that was wanted.
    ContentWrong,
    /// Programs are of several platforms.
    Mixed,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn is_good(self) -> bool {
        self <= Self::NothingToTell
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Right | Self::NothingToTell => "nothing",
            Self::Forbidden => {
                "take it out of the Dockerfile; what a layer or the history holds is not removed by a later `RUN rm`"
            }
            Self::LabelWrong => {
                "build it for the platform of its programs, or take programs of the platform that it is labelled for; \
                 `pipeline audit --fix-label` writes an archive with the label of its programs"
            }
            Self::ContentWrong => {
                "the base, a `COPY --from` or a download is of another platform than it is called; `FROM --platform` \
                 decides on a base"
            }
            Self::Mixed => {
                "copy only files of the platform, also from other stages; what may be of another is named by `allow`"
            }
        }
    }
}

/// How many programs are of a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Count {
    /// An OCI platform, or the ELF machine.
    pub platform: String,
    /// How many.
    pub files: usize,
}

/// A file and the layer that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// Absolute. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Counted from 1, the lowest.
    pub layer: usize,
    /// The platform of a program, or why it may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// Files of one sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Files {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub files: Vec<Place>,
}

/// Something that starts in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Started {
    /// For what: `entrypoint`, `cmd`, `shell`, `interpreter`, `loader`.
    pub role: String,
    /// As it was asked for.
    pub asked: String,
    /// Where that leads. Its `what` is a platform or `script`; none where there is no program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretAt {
    /// In a file of a layer, be it in the final file system or hidden by a later layer.
    File(Place),
    /// In the configuration, such as `config.Env[2]` or `history[3].created_by`.
    Config(String),
}

impl Place {
    pub(super) fn new(path: &[u8], layer: usize) -> Self {
        Self { path: format!("/{}", String::from_utf8_lossy(path)), layer, what: None }
    }

    pub(super) fn of(self, what: impl Into<String>) -> Self {
        Self { what: Some(what.into()), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (layer {})", self.path.escape_debug(), self.layer)
    }
}

impl fmt::Display for SecretAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => write!(f, "{place}"),
            Self::Config(place) => write!(f, "the configuration, `{}`", place.escape_debug()),
        }
    }
}

impl Files {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, place: Place) {
        self.count += 1;
        if self.files.len() < TOLD_MAX {
            self.files.push(place);
        }
    }

    /// The first few in words.
    pub(super) fn some(&self) -> String {
        let few = self.files.iter().take(3);
        let shown: Vec<String> = few.map(ToString::to_string).collect();
        let more = self.count - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    }
}

impl Report {
    /// The report of these images.
    pub fn new(images: Vec<ImageReport>) -> Self {
        let verdict = images.iter().map(|image| image.verdict).max().unwrap_or(Verdict::NothingToTell);
        Self { version: VERSION, verdict, images }
    }

    /// As a document, the same for the same report.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl ImageReport {
    /// What it is and what was found, in a line or more. The failures are not among them.
    pub fn lines(&self) -> Vec<String> {
        let programs = match self.programs.as_slice() {
            [] => "no programs to tell from".to_owned(),
            counts => {
                let shown: Vec<String> =
                    counts.iter().map(|count| format!("{} of {}", count.files, count.platform)).collect();
                format!("programs: {}", shown.join(", "))
            }
        };
        let label =
            if self.label.is_empty() { "no platform".into() } else { self.label.escape_debug().to_string() };
        let mut lines = vec![format!("image {} is labelled {label}; {programs}", self.id)];
        for (files, what) in [
            (&self.carried, "of another platform, as they may be"),
            (&self.setuid, "run with another's rights"),
            (&self.world_writable, "may be changed by everybody"),
        ] {
            if files.count > 0 {
                lines.push(format!("{} {what}: {}", files.count, files.some()));
            }
        }
        lines.extend(self.remarks.iter().cloned());
        lines
    }
}
