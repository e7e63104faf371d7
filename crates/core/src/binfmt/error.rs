//! Why a platform's programs do not run here, and what to do.

use std::io;
use std::path::PathBuf;

use super::problem::Problem;
use super::proof::ProofError;
use crate::platform::Platform;

/// A platform's programs do not run here.
#[derive(Debug, thiserror::Error)]
pub enum BinfmtError {
    /// What is there would not do, and it is not ours to overwrite.
    #[error("{platform} cannot be emulated: {problem}")]
    Broken {
        /// Which platform.
        platform: Platform,
        /// What is wrong and what to do.
        problem: Problem,
    },
    /// Nothing is registered, and this was only a check.
    #[error("{platform} cannot be emulated: nothing is registered for it; register it as root: {command}")]
    NotRegistered {
        /// Which platform.
        platform: Platform,
        /// What a shell would do: register the interpreter that is there, or install one.
        command: String,
    },
    /// There is nothing to register.
    #[error(
        "{platform} cannot be emulated: no {file} in {}; install it: apt-get install qemu-user-static",
        list(dirs)
    )]
    NoInterpreter {
        /// Which platform.
        platform: Platform,
        /// What was looked for.
        file: String,
        /// Where.
        dirs: Vec<PathBuf>,
    },
    /// The kernel refused the registration.
    #[error("{platform} cannot be registered: {0}: {source}; {1}", register.display(), advice(source))]
    Refused {
        /// Which platform.
        platform: Platform,
        /// The file that was written to.
        register: PathBuf,
        /// What it answered.
        source: io::Error,
    },
    /// Everything looks right and the test program says otherwise.
    #[error("{platform} is registered, but its programs do not run: {source}{}", undone(*removed))]
    NotProven {
        /// Which platform.
        platform: Platform,
        /// How the test program failed.
        source: ProofError,
        /// The entry was made in this call and has been removed again.
        removed: bool,
    },
}

fn list(dirs: &[PathBuf]) -> String {
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn undone(removed: bool) -> &'static str {
    if removed { "; the new entry was removed again" } else { "" }
}

/// What to do about an error of `register`.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "an entry of that name appeared meanwhile: run it again",
        io::ErrorKind::PermissionDenied => {
            "only root may register: run it as root, or let an administrator do it once"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the table is read-only here, as in most containers: register on the host"
        }
        io::ErrorKind::NotFound => {
            "the table or the interpreter is gone: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc, \
             apt-get install qemu-user-static"
        }
        io::ErrorKind::InvalidInput => {
            "the kernel does not know the format: the flag F needs Linux 4.8 or later"
        }
        _ => "look at the kernel's messages: dmesg",
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn every_error_of_register_has_an_advice() {
        for (errno, advice) in [
            (Errno::EXIST, "run it again"),
            (Errno::ACCESS, "run it as root"),
            (Errno::PERM, "run it as root"),
            (Errno::INVAL, "Linux 4.8"),
            (Errno::NOENT, "mount -t binfmt_misc"),
            (Errno::ROFS, "on the host"),
            (Errno::NOMEM, "dmesg"),
        ] {
            let platform = Platform::parse("arm64").unwrap();
            let error =
                BinfmtError::Refused { platform, register: "/m/register".into(), source: errno.into() };
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
