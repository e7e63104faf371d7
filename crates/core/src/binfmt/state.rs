//! What `binfmt_misc` says: its entries, read from the files the kernel shows.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::problem::Problem;

/// The kernel looks at this many bytes of a file, padded with zeros.
pub(super) const HEADER: usize = 256;

/// No entry is longer: it was registered with at most 1920 bytes, and hexadecimal doubles them.
const MAX_ENTRY: u64 = 16 * 1024;

/// The table as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The table is in use.
    pub enabled: bool,
    /// Its entries by name. One in a form this program does not know is left out: it is nobody's business
    /// here, and one that has a name of ours is found when that name is registered.
    pub entries: Vec<Entry>,
}

/// One registered format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file that shows it and takes `0`, `1` and `-1`.
    pub path: PathBuf,
    /// The entry is in use.
    pub enabled: bool,
    /// The program files are handed to.
    pub interpreter: PathBuf,
    /// Letters such as `POF`, in the kernel's order.
    pub flags: String,
    /// Which files.
    pub rule: Rule,
}

/// Which files an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Files whose bytes at `offset` equal `magic` where `mask` has ones.
    Magic {
        /// Where the comparison begins.
        offset: usize,
        /// The expected bytes.
        magic: Vec<u8>,
        /// The bits that count; as long as `magic`.
        mask: Vec<u8>,
    },
    /// Files whose name ends so.
    Extension(String),
}

impl State {
    /// Reads the table mounted at `mount`.
    pub fn read(mount: &Path) -> Result<Self, Problem> {
        // The directory exists without a mount, so `register` tells, which every mount has.
        if !mount.join("register").exists() {
            return Err(Problem::NotMounted { mount: mount.to_owned() });
        }
        let unreadable = |path: &Path, error: io::Error| Problem::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let status = mount.join("status");
        let enabled = read(&status).map_err(|error| unreadable(&status, error))?.starts_with(b"enabled");
        let mut entries = Vec::new();
        for item in fs::read_dir(mount).map_err(|error| unreadable(mount, error))? {
            let path = item.map_err(|error| unreadable(mount, error))?.path();
            if path.ends_with("register") || path.ends_with("status") {
                continue;
            }
            match read(&path) {
                Ok(text) => entries.extend(Entry::parse(&path, &text)),
                // Removed since the directory was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, error)),
            }
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { enabled, entries })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(MAX_ENTRY).read_to_end(&mut text)?;
    Ok(text)
}

impl Entry {
    /// Reads what the kernel shows of an entry; `None` if it is in no known form.
    pub fn parse(path: &Path, text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let enabled = match lines.next()? {
            b"enabled" => true,
            b"disabled" => false,
            _ => return None,
        };
        let (mut interpreter, mut flags, mut offset) = (None, String::new(), 0);
        let (mut magic, mut mask, mut extension) = (None, None, None);
        for line in lines {
            let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            let (key, value) = (line.get(..space)?, line.get(space + 1..).unwrap_or_default());
            let text = || String::from_utf8_lossy(value).into_owned();
            match key {
                b"interpreter" => interpreter = Some(PathBuf::from(OsStr::from_bytes(value))),
                b"flags:" => flags = text(),
                b"offset" => offset = text().parse().ok()?,
                b"magic" => magic = Some(unhex(value)?),
                b"mask" => mask = Some(unhex(value)?),
                b"extension" => extension = Some(text()),
                // A later kernel may tell more.
                _ => {}
            }
        }
        let rule = match (magic, extension) {
            (Some(magic), None) => {
                let mask = mask.unwrap_or_else(|| vec![0xff; magic.len()]);
                if mask.len() != magic.len() {
                    return None;
                }
                Rule::Magic { offset, magic, mask }
            }
            (None, Some(extension)) => Rule::Extension(extension),
            _ => return None,
        };
        Some(Self { path: path.to_owned(), enabled, interpreter: interpreter?, flags, rule })
    }

    /// A file that begins with `header` is handed to this entry, as the kernel compares it.
    pub fn matches(&self, header: &[u8]) -> bool {
        let Rule::Magic { offset, magic, mask } = &self.rule else { return false };
        let mut bytes = [0; HEADER];
        let length = header.len().min(HEADER);
        bytes[..length].copy_from_slice(&header[..length]);
        let Some(found) = bytes.get(*offset..).and_then(|rest| rest.get(..magic.len())) else { return false };
        found.iter().zip(magic).zip(mask).all(|((found, magic), mask)| (found ^ magic) & mask == 0)
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::binfmt::{Registration, program};
    use crate::platform::Platform;

    const DEBIAN: &[u8] =
        b"enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    #[test]
    fn debians_entry_is_the_registration_of_its_platform() {
        let entry = Entry::parse(Path::new("/m/qemu-aarch64"), DEBIAN).unwrap();
        let arm64 = Platform::parse("arm64").unwrap();
        let Registration { magic, mask, .. } = Registration::of(&arm64);
        assert_eq!(entry.rule, Rule::Magic { offset: 0, magic: magic.into(), mask: mask.into() });
        assert_eq!((entry.enabled, entry.flags.as_str()), (true, "POF"));
        for platform in Platform::all() {
            assert_eq!(entry.matches(&program::image(&platform).unwrap()), platform == arm64, "{platform}");
        }
    }

    #[test]
    fn other_kinds_of_entries_parse_and_do_not_match() {
        let python = b"disabled\ninterpreter /usr/bin/python3.11\nflags: \noffset 0\nmagic a70d0d0a\n";
        let entry = Entry::parse(Path::new("/m/python"), python).unwrap();
        assert!(!entry.enabled && entry.flags.is_empty() && !entry.matches(b"\x7fELF"));
        assert!(entry.matches(b"\xa7\x0d\x0d\x0a"));
        let jar = b"enabled\ninterpreter /bin/a b\nflags: F\nextension .jar\n";
        let entry = Entry::parse(Path::new("/m/jar"), jar).unwrap();
        assert_eq!(entry.rule, Rule::Extension(".jar".into()));
        assert_eq!(entry.interpreter, Path::new("/bin/a b"));
        assert!(!entry.matches(b""));
    }

    #[test]
    fn a_comparison_past_what_the_kernel_reads_is_no_match() {
        let text = format!("enabled\ninterpreter /i\nflags: \noffset {HEADER}\nmagic 00\n");
        assert!(!Entry::parse(Path::new("/m/x"), text.as_bytes()).unwrap().matches(&[0; 300]));
        let text = format!("enabled\ninterpreter /i\nflags: \noffset {}\nmagic 00\n", usize::MAX);
        assert!(!Entry::parse(Path::new("/m/x"), text.as_bytes()).unwrap().matches(&[0; 300]));
    }

    #[test]
    fn an_unmounted_directory_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(State::read(dir.path()), Err(Problem::NotMounted { mount: dir.path().to_owned() }));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: Vec<u8>, cut in 0..DEBIAN.len(), byte: u8) {
            let _ = Entry::parse(Path::new("/m/x"), &text);
            let mut near = DEBIAN.to_vec();
            near[cut] = byte;
            if let Some(entry) = Entry::parse(Path::new("/m/x"), &near) {
                entry.matches(&text);
            }
        }
    }
}
