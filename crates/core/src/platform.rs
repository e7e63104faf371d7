//! One table: OCI platform ↔ `uname -m` ↔ QEMU and binfmt name ↔ ELF machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An OCI platform such as `linux/arm/v7`: operating system, architecture, optional variant.
///
/// The names are those of the OCI image specification (`GOOS`/`GOARCH`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform(&'static Row, Option<&'static str>);

/// What the rest of the world calls an architecture.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Row {
    arch: &'static str,
    /// Accepted variants; the first is the default that is left out of the configuration.
    variants: &'static [&'static str],
    /// What people type for it, besides the OCI name.
    aliases: &'static [&'static str],
    /// What `uname -m` prints on such a machine; the first is QEMU's answer.
    uname: &'static [&'static str],
    /// The QEMU target: `qemu-<name>-static`, binfmt entry `qemu-<name>`.
    qemu: &'static str,
    /// `e_machine` of ELF.
    elf_machine: u16,
    /// ELF class is 64 bits.
    elf_64: bool,
    little_endian: bool,
    debian: &'static str,
}

static TABLE: &[Row] = &[
    Row {
        arch: "amd64",
        variants: &["v1", "v2", "v3", "v4"],
        aliases: &["x86_64", "x86-64"],
        uname: &["x86_64"],
        qemu: "x86_64",
        elf_machine: 62,
        elf_64: true,
        little_endian: true,
        debian: "amd64",
    },
    Row {
        arch: "arm64",
        variants: &["v8", "v9"],
        aliases: &["aarch64", "armv8"],
        uname: &["aarch64", "arm64"],
        qemu: "aarch64",
        elf_machine: 183,
        elf_64: true,
        little_endian: true,
        debian: "arm64",
    },
    Row {
        arch: "arm",
        variants: &["v7", "v6", "v5"],
        aliases: &["armhf", "armv7", "armv7l"],
        uname: &["armv7l", "armv8l", "armv6l"],
        qemu: "arm",
        elf_machine: 40,
        elf_64: false,
        little_endian: true,
        debian: "armhf",
    },
    Row {
        arch: "386",
        variants: &[],
        aliases: &["i386", "i686", "x86"],
        uname: &["i686", "i386"],
        qemu: "i386",
        elf_machine: 3,
        elf_64: false,
        little_endian: true,
        debian: "i386",
    },
    Row {
        arch: "riscv64",
        variants: &[],
        aliases: &[],
        uname: &["riscv64"],
        qemu: "riscv64",
        elf_machine: 243,
        elf_64: true,
        little_endian: true,
        debian: "riscv64",
    },
    Row {
        arch: "ppc64le",
        variants: &[],
        aliases: &["ppc64el"],
        uname: &["ppc64le"],
        qemu: "ppc64le",
        elf_machine: 21,
        elf_64: true,
        little_endian: true,
        debian: "ppc64el",
    },
    Row {
        arch: "s390x",
        variants: &[],
        aliases: &[],
        uname: &["s390x"],
        qemu: "s390x",
        elf_machine: 22,
        elf_64: true,
        little_endian: false,
        debian: "s390x",
    },
];

/// The text names no platform in the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a platform: {reason}")]
pub struct PlatformError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
    /// The nearest known platform, when one is near.
    pub suggestion: Option<String>,
}

impl Platform {
    /// Reads `os/arch[/variant]`, or an architecture alone (`arm64`, `aarch64`, `armv7`).
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        let fail = |reason: String, suggestion: Option<String>| PlatformError {
            text: text.to_owned(),
            reason,
            suggestion,
        };
        let mut parts = text.split('/');
        let first = parts.next().unwrap_or_default();
        let (os, arch) = match parts.next() {
            Some(arch) => (first, arch),
            None => ("linux", first),
        };
        let variant = parts.next();
        if parts.next().is_some() {
            return Err(fail("expected `os/arch` or `os/arch/variant`".into(), None));
        }
        if text.is_empty() || arch.is_empty() {
            return Err(fail("it names no architecture".into(), None));
        }
        if os != "linux" {
            let linux = Self::parse(&format!("linux/{}", arch.to_lowercase())).ok();
            return Err(fail(
                format!("only `linux` images are built, not `{os}`"),
                linux.map(|platform| platform.to_string()),
            ));
        }
        let Some(row) = TABLE.iter().find(|row| row.arch == arch || row.aliases.contains(&arch)) else {
            let near = TABLE
                .iter()
                .flat_map(|row| row.aliases.iter().map(move |alias| (*alias, row)).chain([(row.arch, row)]))
                // Nobody typed a long one, and comparing it takes its time.
                .filter(|_| arch.len() < 32)
                .map(|(name, row)| (strsim::damerau_levenshtein(name, arch), row))
                .min_by_key(|(distance, _)| *distance)
                .filter(|(distance, _)| *distance <= 2);
            let known = TABLE.iter().map(|row| row.arch).collect::<Vec<_>>().join(", ");
            return Err(fail(
                format!("no architecture `{arch}` is known (known: {known})"),
                near.map(|(_, row)| Self(row, None).to_string()),
            ));
        };
        let variant = match variant {
            None if arch == "armv7" || arch == "armhf" || arch == "armv7l" => Some("v7"),
            None => None,
            Some(asked) => {
                let Some(known) = row.variants.iter().find(|known| **known == asked) else {
                    let known = row.variants.join(", ");
                    let reason = if known.is_empty() {
                        format!("`{arch}` has no variants")
                    } else {
                        format!("`{arch}` has no variant `{asked}` (known: {known})")
                    };
                    return Err(fail(reason, Some(Self(row, None).to_string())));
                };
                Some(*known)
            }
        };
        // Defaults are spelled one way, so that equal platforms compare equal.
        let variant = match (row.arch, variant) {
            ("arm64", Some("v8")) | ("amd64", Some("v1")) => None,
            ("arm", None) => Some("v7"),
            (_, variant) => variant,
        };
        Ok(Self(row, variant))
    }

    /// The platform of a machine whose `uname -m` prints `machine`.
    pub fn from_uname(machine: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.uname.contains(&machine))?;
        let variant = match machine {
            "armv6l" => Some("v6"),
            _ if row.arch == "arm" => Some("v7"),
            _ => None,
        };
        Some(Self(row, variant))
    }

    /// Always `linux`.
    pub fn os(&self) -> &'static str {
        "linux"
    }

    /// The OCI architecture, such as `arm64`.
    pub fn arch(&self) -> &'static str {
        self.0.arch
    }

    /// The OCI variant, such as `v7`; the default variant of an architecture is left out.
    pub fn variant(&self) -> Option<&'static str> {
        self.1
    }

    /// The QEMU target: `qemu-<name>-static` is the interpreter, `qemu-<name>` the binfmt entry.
    pub fn qemu(&self) -> &'static str {
        self.0.qemu
    }

    /// `e_machine`, 64-bit class, and little-endian data encoding of this platform's ELF files.
    pub fn elf(&self) -> (u16, bool, bool) {
        (self.0.elf_machine, self.0.elf_64, self.0.little_endian)
    }

    /// Debian's name of the architecture, such as `armhf`.
    pub fn debian(&self) -> &'static str {
        self.0.debian
    }

    /// A processor of `self` runs programs of `other` without emulation, as far as names tell.
    pub fn runs_natively(&self, other: &Platform) -> bool {
        self.0.arch == other.0.arch || (self.0.arch == "amd64" && other.0.arch == "386")
    }

    /// Somebody calls the architecture so: OCI, Debian, GNU, Node, or a person.
    pub fn is_called(&self, word: &str) -> bool {
        let row = self.0;
        let names = [row.arch, row.qemu, row.debian];
        let more: &[&str] = match row.arch {
            "amd64" => &["x64"],
            "386" => &["ia32"],
            "arm" => &["armv7l", "armv6", "armv7"],
            "ppc64le" => &["powerpc64le", "ppc64"],
            _ => &[],
        };
        names.contains(&word)
            || row.aliases.contains(&word)
            || row.uname.contains(&word)
            || more.contains(&word)
    }

    /// An image configuration with these fields is for this platform.
    ///
    /// Engines leave the variant out of a configuration more often than not, so a missing one matches.
    pub fn matches_config(&self, os: &str, arch: &str, variant: Option<&str>) -> bool {
        let variant = variant.filter(|text| !text.is_empty());
        os == self.os()
            && arch == self.arch()
            && match (variant, self.1) {
                (Some(have), Some(want)) => have == want,
                (Some(have), None) => self.0.variants.first() == Some(&have),
                (None, _) => true,
            }
    }

    /// The first of the table, for machines that are not in it.
    pub fn first() -> Self {
        Self(&TABLE[0], None)
    }

    /// Every platform of the table in its default variant.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row, if row.arch == "arm" { Some("v7") } else { None }))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.0.arch)?;
        match self.1 {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Platform {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_meet() {
        for (text, shown) in [
            ("linux/arm64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("armhf", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("x86_64", "linux/amd64"),
        ] {
            assert_eq!(Platform::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn nobodys_platform_is_refused_with_the_nearest() {
        let error = Platform::parse("linux/arm46").unwrap_err();
        assert_eq!(error.suggestion.as_deref(), Some("linux/arm64"));
        assert!(Platform::parse("windows/amd64").is_err());
        assert!(Platform::parse("linux/arm/v9").is_err());
        assert!(Platform::parse("linux/arm64/v8/x").is_err());
        assert!(Platform::parse("").is_err());
    }

    #[test]
    fn a_missing_variant_matches_and_a_wrong_one_does_not() {
        let arm = Platform::parse("linux/arm/v7").unwrap();
        assert!(arm.matches_config("linux", "arm", None));
        assert!(arm.matches_config("linux", "arm", Some("v7")));
        assert!(!arm.matches_config("linux", "arm", Some("v6")));
        assert!(!arm.matches_config("linux", "arm64", None));
        assert!(Platform::parse("linux/arm64").unwrap().matches_config("linux", "arm64", Some("v8")));
    }
}
