//! A frozen plan read again: whole, of this form, and as it was written.

use serde::Deserialize;

use super::{Frozen, VERSION};

/// Why a text is no frozen plan that can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is another document.
    #[error("it is no frozen plan: {0}")]
    NoPlan(String),
    /// It is of another version of the form.
    #[error("it has version {0} of the form, and this program knows version {VERSION}")]
    Version(u64),
    /// It was changed after it was written.
    #[error("it was edited: its digest is that of another text")]
    Edited,
}

impl Unread {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoPlan(_) => "`pipeline plan -o FILE` writes one",
            Self::Version(_) => "write and run it with the same version of `pipeline`",
            Self::Edited => {
                "change the recipe or the command line, and write it again with `pipeline plan -o FILE`"
            }
        }
    }
}

#[derive(Deserialize)]
struct Form {
    version: Option<u64>,
    digest: Option<serde_json::Value>,
}

impl Frozen {
    /// Reads a frozen plan. A field that is not known is refused: it might say what must not be left out.
    pub fn read(text: &[u8]) -> Result<Self, Unread> {
        let no_plan = |error: serde_json::Error| Unread::NoPlan(error.to_string());
        let form: Form = serde_json::from_slice(text).map_err(no_plan)?;
        match form.version {
            Some(version) if version != u64::from(VERSION) => return Err(Unread::Version(version)),
            Some(_) if form.digest.is_some() => {}
            // The plan for programs has a version as well.
            _ => return Err(Unread::NoPlan("it has no `version` or no `digest`".into())),
        }
        let frozen: Self = serde_json::from_slice(text).map_err(no_plan)?;
        if frozen.digest == Some(frozen.own_digest()) { Ok(frozen) } else { Err(Unread::Edited) }
    }
}
