//! What an image may hold although it looks wrong.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elf::Program;
use crate::platform::Platform;

/// What the recipe allows, and what it forbids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Rules {
    /// Paths of programs that may be for any platform: globs, `**` for any number of folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What is a failure and not only a remark.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Deny>,
}

/// See [`Rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deny {
    /// Programs that run with another user's rights.
    Setuid,
    /// Files that everybody may change, and such folders without the sticky bit.
    WorldWritable,
}

impl Deny {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Setuid, Self::WorldWritable];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Setuid => "setuid",
            Self::WorldWritable => "world-writable",
        }
    }
}

/// A glob for [`Rules::allow`]; the error says what is wrong with it.
pub fn glob(text: &str) -> Result<Glob, String> {
    let plain = text.trim_start_matches('/');
    GlobBuilder::new(plain).literal_separator(true).build().map_err(|error| error.kind().to_string())
}

/// The rules, ready to be asked.
pub(super) struct Allowed(GlobSet);

impl Allowed {
    /// Globs that make no sense allow nothing; they were refused where they were written.
    pub(super) fn new(rules: &Rules) -> Self {
        let mut set = GlobSetBuilder::new();
        rules.allow.iter().filter_map(|text| glob(text).ok()).for_each(|glob| {
            set.add(glob);
        });
        Self(set.build().unwrap_or_default())
    }

    /// Why the program may be of another platform than the image, where it may.
    pub(super) fn carried(&self, path: &[u8], program: &Program) -> Option<&'static str> {
        let path = String::from_utf8_lossy(path);
        let parts: Vec<&str> = path.split('/').collect();
        let name = parts.last().copied().unwrap_or_default();
        let own = Platform::all().find(|platform| {
            let (machine, is_64, is_little) = platform.elf();
            (machine, is_64, is_little)
                == (program.class.machine, program.class.is_64, program.class.is_little)
        });
        let says = |word: &str| own.as_ref().is_some_and(|own| own.is_called(word));
        if name.starts_with("qemu-") && name.ends_with("-static") && program.loader.is_none() {
            return Some("an emulator");
        }
        match parts.as_slice() {
            ["lib", "firmware", ..] | ["usr", "lib", "firmware", ..] | ["boot", ..] => {
                return Some("firmware");
            }
            // What a cross compiler links with.
            ["usr", triplet, ..] if triplet.split_once('-').is_some_and(|(arch, _)| says(arch)) => {
                return Some("of a cross compiler");
            }
            _ => {}
        }
        // npm packages that bring a library for each platform, and say in the folder's name for which.
        let prebuilt = parts
            .windows(2)
            .any(|pair| pair[0] == "prebuilds" && pair[1].split('-').any(|word| word.split('+').any(&says)));
        if prebuilt {
            return Some("prebuilt for the platform in its path");
        }
        self.0.is_match(&*path).then_some("allowed")
    }
}
