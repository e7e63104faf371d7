//! What can be wrong with a registration: what, where, and what to do.

use std::path::PathBuf;

/// Why a platform's programs would not run, or not safely, or not in a container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The kernel's table is not there.
    #[error("binfmt_misc is not mounted at {0}; mount it: mount -t binfmt_misc binfmt_misc {0}", mount.display())]
    NotMounted {
        /// Where it was looked for.
        mount: PathBuf,
    },
    /// The table is there and switched off as a whole.
    #[error("binfmt_misc is disabled as a whole; enable it: echo 1 > {0}", status.display())]
    Disabled {
        /// The file that says so.
        status: PathBuf,
    },
    /// The platform's entry is there and switched off.
    #[error("{0} is registered but disabled; enable it: echo 1 > {0}", entry.display())]
    EntryDisabled {
        /// The entry.
        entry: PathBuf,
    },
    /// The interpreter is looked up when a program starts, in the container, where it does not exist.
    #[error(
        "{entry} lacks the flag F, so containers cannot see {interpreter} (`No such file or directory`); \
         remove it: echo -1 > {entry}, and register again, for example with systemd-binfmt",
        entry = entry.display(),
        interpreter = interpreter.display()
    )]
    NoFixFlag {
        /// The entry.
        entry: PathBuf,
        /// What it names.
        interpreter: PathBuf,
    },
    /// The entry names a file that is not there, and without `F` nothing else holds it.
    #[error(
        "{entry} names {interpreter}, which does not exist; install it: apt-get install qemu-user-static, \
         or remove the entry: echo -1 > {entry}",
        entry = entry.display(),
        interpreter = interpreter.display()
    )]
    InterpreterMissing {
        /// The entry.
        entry: PathBuf,
        /// What it names.
        interpreter: PathBuf,
    },
    /// The interpreter needs a loader and libraries, which containers of another architecture do not have.
    #[error(
        "{0} is dynamically linked, so it cannot start in a container; \
         install a static one: apt-get install qemu-user-static",
        interpreter.display()
    )]
    NotStatic {
        /// The interpreter.
        interpreter: PathBuf,
    },
    /// The interpreter is not a program of this machine.
    #[error(
        "{0} is not a program for this machine but {found}; install one for {host}: apt-get install qemu-user-static",
        interpreter.display()
    )]
    WrongMachine {
        /// The interpreter.
        interpreter: PathBuf,
        /// What it is.
        found: String,
        /// What it should be for.
        host: String,
    },
    /// Somebody other than root can change what every foreign program of the machine runs through.
    #[error(
        "{0} belongs to user {owner} with mode {mode:04o}, so others than root can replace it; \
         repair it: chown root {0} && chmod go-w {0}",
        interpreter.display()
    )]
    NotTrusted {
        /// The interpreter.
        interpreter: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
    /// The name is taken by something that does not match the platform's programs.
    #[error(
        "{0} exists but does not match programs of {platform}; look at it: cat {0}, \
         and remove it if nothing needs it: echo -1 > {0}",
        entry.display()
    )]
    NameTaken {
        /// The entry.
        entry: PathBuf,
        /// The platform it is named after.
        platform: String,
    },
    /// Magic and mask match some programs of the platform and not others.
    #[error(
        "{0} matches only some programs of {platform} (position independent ones or an OS ABI are left out); \
         remove it: echo -1 > {0}, and register again",
        entry.display()
    )]
    TooNarrow {
        /// The entry.
        entry: PathBuf,
        /// The platform it matches in part.
        platform: String,
    },
    /// Magic and mask match programs of the machine itself.
    #[error("{0} matches this machine's own programs ({host}); remove it: echo -1 > {0}", entry.display())]
    TooWide {
        /// The entry.
        entry: PathBuf,
        /// The machine.
        host: String,
    },
    /// A file that should tell could not be read or understood.
    #[error("{0}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}
