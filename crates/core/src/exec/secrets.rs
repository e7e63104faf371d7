//! What builds are handed and nobody sees: read once, when a run begins, and held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::event::{Failure, FailureKind};
use crate::output::{MIN_SECRET, Redactor};
use crate::plan::SecretFrom;

/// `BuildKit` takes no larger one.
const MOST: u64 = 500 * 1024;

/// The secrets of a run. The default holds none.
#[derive(Debug, Default)]
pub struct Secrets {
    /// Files without a name, each with the value of one.
    held: BTreeMap<SecretFrom, File>,
    /// The variables among them, which only the recipe's own commands find in their environment.
    pub own_env: BTreeMap<OsString, OsString>,
}

impl Secrets {
    /// Reads them: variables from `env`, files that start at `here`. Also yields their values, which are to be hidden.
    pub fn read(
        wanted: &BTreeSet<&SecretFrom>,
        env: &BTreeMap<OsString, OsString>,
        here: &Path,
    ) -> Result<(Self, Vec<Vec<u8>>), Failure> {
        let (mut held, mut values) = (BTreeMap::new(), Vec::new());
        for from in wanted {
            let value = match from {
                SecretFrom::Env(name) => variable(name, env)?,
                SecretFrom::File(path) => file(&here.join(path), path)?,
            };
            if Redactor::is_too_short(&value) {
                return Err(refused(
                    from,
                    &format!("is shorter than {MIN_SECRET} bytes: hiding it would hide half of every log"),
                    "give it a longer value",
                ));
            }
            let memory = keep(&value).map_err(|error| {
                Failure::new(FailureKind::Io, format!("no memory can be had for secrets: {error}"))
            })?;
            held.insert((*from).clone(), memory);
            values.push(value);
        }
        let own_env = env.clone();
        Ok((Self { held, own_env }, values))
    }

    /// Where this process holds it, for whoever may look into this process.
    pub(super) fn path(&self, from: &SecretFrom) -> Option<PathBuf> {
        let file = self.held.get(from)?;
        Some(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into())
    }
}

fn refused(from: &SecretFrom, problem: &str, help: &str) -> Failure {
    Failure::new(FailureKind::Input, format!("the secret `{from}` {problem}")).help(help)
}

fn variable(name: &str, env: &BTreeMap<OsString, OsString>) -> Result<Vec<u8>, Failure> {
    let value = env.get(std::ffi::OsStr::new(name)).map(|value| value.as_bytes().to_vec());
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let from = SecretFrom::Env(name.into());
        refused(&from, "is not set", &format!("set `{name}` in the environment of `pipeline`"))
    })
}

fn file(path: &Path, shown: &str) -> Result<Vec<u8>, Failure> {
    let from = SecretFrom::File(shown.into());
    let io = |error: io::Error| {
        refused(&from, &format!("cannot be read: {error}"), "it must be there before the run begins")
    };
    // Looked at before it is opened: a FIFO would let us wait for ever.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(refused(&from, "is not a file", "name a file with `file = \"…\"`"));
    }
    let mut value = Vec::new();
    File::open(path).map_err(io)?.take(MOST + 1).read_to_end(&mut value).map_err(io)?;
    if value.len() as u64 > MOST {
        return Err(refused(&from, "is larger than 500 KiB, which no engine takes", "name the secret alone"));
    }
    Ok(value)
}

/// A file without a name, which nobody can write to any more.
fn keep(value: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("pipeline-secret", flags)?);
    file.write_all(value)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &SecretFrom, here: &Path) -> Result<(Secrets, Vec<Vec<u8>>), Failure> {
        let env = [("TOKEN", "s3cret"), ("EMPTY", ""), ("SHORT", "abc")];
        let env = env.map(|(name, value)| (name.into(), value.into())).into();
        Secrets::read(&[from].into(), &env, here)
    }

    #[test]
    fn what_is_read_is_held_and_can_be_opened() {
        let space = tempfile::tempdir().unwrap();
        std::fs::write(space.path().join("key"), "of the house\n").unwrap();
        std::os::unix::fs::symlink("key", space.path().join("link")).unwrap();
        for (from, value) in [
            (SecretFrom::Env("TOKEN".into()), "s3cret"),
            (SecretFrom::File("link".into()), "of the house\n"),
            (SecretFrom::File(space.path().join("key").display().to_string()), "of the house\n"),
        ] {
            let (secrets, values) = read(&from, space.path()).unwrap();
            assert_eq!(values, [value.as_bytes()]);
            let path = secrets.path(&from).unwrap();
            for _ in 0..2 {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), value);
            }
            std::fs::write(&path, "x").unwrap_err();
            assert_eq!(secrets.path(&SecretFrom::Env("OTHER".into())), None);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_told_without_its_value() {
        let space = tempfile::tempdir().unwrap();
        std::fs::write(space.path().join("short"), "abc\n").unwrap();
        std::fs::write(space.path().join("large"), vec![b'x'; 500 * 1024 + 1]).unwrap();
        let file = |path: &str| SecretFrom::File(path.into());
        let env = |name: &str| SecretFrom::Env(name.into());
        for (from, words) in [
            (env("UNSET"), "`$UNSET` is not set"),
            (env("EMPTY"), "`$EMPTY` is not set"),
            (env("SHORT"), "`$SHORT` is shorter than 4 bytes"),
            (file("missing"), "`missing` cannot be read: No such file"),
            (file("."), "`.` is not a file"),
            (file("/dev/zero"), "`/dev/zero` is not a file"),
            (file("short"), "`short` is shorter than 4 bytes"),
            (file("large"), "`large` is larger than 500 KiB"),
        ] {
            let failure = read(&from, space.path()).unwrap_err();
            assert!(failure.message.contains(words), "{failure:?}");
            assert!(!failure.message.contains("abc") && failure.help.is_some());
        }
    }
}
