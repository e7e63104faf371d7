//! Brings the table into the state the platforms need, and proves it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::check::{self, Assessment};
use super::error::BinfmtError;
use super::problem::Problem;
use super::proof::{Proof, ProofError, prove};
use super::table::{FLAGS, FLAGS_OLD_KERNEL, Registration};
use super::{Binfmt, assess};
use crate::platform::Platform;

/// How long a test program may take; on a loaded machine QEMU needs a moment to start.
const PROOF_TIMEOUT: Duration = Duration::from_secs(10);

/// A platform whose programs were seen to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ensured {
    /// Which one.
    pub platform: Platform,
    /// What had to be done.
    pub status: Status,
    /// What runs it; `None` for the processor.
    pub interpreter: Option<PathBuf>,
    /// The version of QEMU that really runs, for the lock file.
    pub qemu_version: Option<String>,
    /// The kernel holds another file than the one now at the interpreter's path: an upgrade is not in use yet.
    pub replaced: bool,
    /// Programs are given their own `argv[0]`, not their path.
    pub argv0_kept: bool,
}

/// What had to be done for a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing: the processor runs it.
    Native,
    /// Nothing: the entry was there.
    AlreadyReady,
    /// The entry was made.
    Registered,
}

/// Makes every platform run on a machine that is a `host`, in the given order; stops at the first that cannot.
///
/// Registers only what is missing, only if `register` says so, and never what the processor runs by itself.
/// An entry that is there is not changed: one that would not do is an error that says what to do about it.
pub fn ensure(
    binfmt: &Binfmt,
    platforms: &[Platform],
    host: &Platform,
    register: bool,
) -> Result<Vec<Ensured>, BinfmtError> {
    platforms.iter().map(|platform| ensure_one(binfmt, platform, host, register)).collect()
}

fn ensure_one(
    binfmt: &Binfmt,
    platform: &Platform,
    host: &Platform,
    register: bool,
) -> Result<Ensured, BinfmtError> {
    match assess(binfmt, platform, host) {
        Assessment::Broken(problem) => Err(BinfmtError::Broken { platform: platform.clone(), problem }),
        // The machine's own architecture needs no proof: this program runs.
        Assessment::Native if platform.elf() == host.elf() => Ok(native(platform)),
        // Another one may have been left out of the kernel, such as 386 on amd64.
        Assessment::Native => {
            let proof = run(binfmt, platform, host).map_err(not_proven(platform, false))?;
            match proof.emulator.as_ref().map(|emulator| emulator.path.clone()) {
                None => Ok(native(platform)),
                // Somebody registered one all the same, which the kernel prefers to the processor.
                Some(path) => proven(platform, Status::AlreadyReady, path, proof),
            }
        }
        Assessment::Ready { interpreter, .. } => already(binfmt, platform, host, interpreter),
        Assessment::Missing => match run(binfmt, platform, host) {
            // Some processors run a second architecture, such as arm on arm64.
            Ok(Proof { emulator: None, argv0_kept: true }) => Ok(native(platform)),
            _ if register => add(binfmt, platform, host),
            _ => {
                let command = command(binfmt, platform, host);
                Err(BinfmtError::NotRegistered { platform: platform.clone(), command })
            }
        },
    }
}

fn already(
    binfmt: &Binfmt,
    platform: &Platform,
    host: &Platform,
    interpreter: PathBuf,
) -> Result<Ensured, BinfmtError> {
    let proof = run(binfmt, platform, host).map_err(not_proven(platform, false))?;
    proven(platform, Status::AlreadyReady, interpreter, proof)
}

/// How to register by hand. The package registers as it is installed, but not where it is installed already.
fn command(binfmt: &Binfmt, platform: &Platform, host: &Platform) -> String {
    let by_hand = || {
        let interpreter = check::find_interpreter(binfmt, platform, host).ok()??;
        let line = String::from_utf8(Registration::of(platform).line(&interpreter, FLAGS)?).ok()?;
        let register = binfmt.mount.join("register");
        Some(format!(
            "printf %s {} > {}",
            shlex::try_quote(&line).ok()?,
            shlex::try_quote(register.to_str()?).ok()?
        ))
    };
    by_hand().unwrap_or_else(|| "apt-get install qemu-user-static".to_owned())
}

/// Registers a platform that nothing is registered for.
fn add(binfmt: &Binfmt, platform: &Platform, host: &Platform) -> Result<Ensured, BinfmtError> {
    let registration = Registration::of(platform);
    let broken = |problem| BinfmtError::Broken { platform: platform.clone(), problem };
    let found = check::find_interpreter(binfmt, platform, host).map_err(broken)?;
    let Some(interpreter) = found else {
        let [file, _] = registration.interpreter_files();
        return Err(BinfmtError::NoInterpreter {
            platform: platform.clone(),
            file,
            dirs: binfmt.interpreter_dirs.clone(),
        });
    };
    let entry = binfmt.mount.join(&registration.name);
    let mut flags = FLAGS;
    loop {
        let Some(line) = registration.line(&interpreter, flags) else {
            let reason = "the kernel takes only absolute paths without `:`".to_owned();
            return Err(broken(Problem::Unreadable { path: interpreter, reason }));
        };
        let register = binfmt.mount.join("register");
        match write(&register, &line) {
            Ok(()) => {}
            // Another run was faster. What it made is judged like any entry that was there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return match assess(binfmt, platform, host) {
                    Assessment::Ready { interpreter, .. } => already(binfmt, platform, host, interpreter),
                    Assessment::Broken(problem) => Err(broken(problem)),
                    _ => Err(BinfmtError::Refused { platform: platform.clone(), register, source: error }),
                };
            }
            Err(source) => return Err(BinfmtError::Refused { platform: platform.clone(), register, source }),
        }
        // The kernel's answer to the write is not believed: the entry is read again, then used.
        if let Assessment::Broken(problem) = assess(binfmt, platform, host) {
            remove(&entry);
            return Err(broken(problem));
        }
        match run(binfmt, platform, host) {
            Ok(proof) => return proven(platform, Status::Registered, interpreter, proof),
            Err(error) => {
                // An entry that does not work must not be left behind, and this one was made a moment ago.
                let removed = remove(&entry);
                if removed && flags == FLAGS && matches!(error, ProofError::ArgumentsShifted) {
                    flags = FLAGS_OLD_KERNEL;
                    continue;
                }
                return Err(not_proven(platform, removed)(error));
            }
        }
    }
}

/// One `write`, as the kernel asks for: a registration in two pieces would be two registrations.
fn write(register: &Path, line: &[u8]) -> io::Result<()> {
    let written = fs::OpenOptions::new().write(true).open(register)?.write(line)?;
    if written == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn remove(entry: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(entry).and_then(|mut file| file.write_all(b"-1")).is_ok()
}

fn run(binfmt: &Binfmt, platform: &Platform, host: &Platform) -> Result<Proof, ProofError> {
    prove(platform, host, &binfmt.scratch, PROOF_TIMEOUT)
}

fn not_proven(platform: &Platform, removed: bool) -> impl FnOnce(ProofError) -> BinfmtError {
    let platform = platform.clone();
    move |source| BinfmtError::NotProven { platform, source, removed }
}

fn native(platform: &Platform) -> Ensured {
    Ensured {
        platform: platform.clone(),
        status: Status::Native,
        interpreter: None,
        qemu_version: None,
        replaced: false,
        argv0_kept: true,
    }
}

fn proven(
    platform: &Platform,
    status: Status,
    interpreter: PathBuf,
    proof: Proof,
) -> Result<Ensured, BinfmtError> {
    let (qemu_version, replaced) = match proof.emulator {
        // What runs is judged too: with the flag `F` it need not be the file that was looked at.
        Some(emulator) => match emulator.problem {
            Some(problem) => return Err(BinfmtError::Broken { platform: platform.clone(), problem }),
            None => (emulator.version, emulator.replaced),
        },
        None => (None, false),
    };
    Ok(Ensured {
        platform: platform.clone(),
        status,
        interpreter: Some(interpreter),
        qemu_version,
        replaced,
        argv0_kept: proof.argv0_kept,
    })
}
