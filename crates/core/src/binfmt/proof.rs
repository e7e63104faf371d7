//! Proof by execution: a tiny foreign program is started and must tell that it ran as it was started.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::problem::Problem;
use super::{interpreter, program, run};
use crate::platform::Platform;

/// `argv[0]` of the program, 40, chosen so that with one argument more it exits with 42.
const ARGV0: &str = "(";
const PROVEN: i32 = 42;
/// The first byte of the path instead of `argv[0]`: QEMU ran it without the flag `P`.
const PATH_AS_ARGV0: i32 = '/' as i32 + 2;
/// The same and one argument too many: QEMU was not told of the flag `P`.
const P_UNKNOWN: i32 = '/' as i32 + 3;

/// A foreign program ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// It was given its own `argv[0]`, not its path.
    pub argv0_kept: bool,
    /// What ran it; `None` if the processor did, or if `/proc` does not tell.
    pub emulator: Option<Emulator>,
}

/// The interpreter as the kernel holds it, which may be another file than the one now at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    /// Where it was when it was registered.
    pub path: PathBuf,
    /// Its version, if it is QEMU.
    pub version: Option<String>,
    /// The file at the path is gone or another one, for example since an upgrade.
    pub replaced: bool,
    /// What is wrong with it, although it ran here.
    pub problem: Option<Problem>,
}

/// A foreign program did not run, or not as it was started.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// There is no program to prove the platform with.
    #[error("there is no test program for it")]
    NoProgram,
    /// The program could not be written.
    #[error("no test program could be written to {0}: {source}", path.display())]
    Scratch {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nothing takes such programs.
    #[error("the kernel has nothing to run it with (exec format error)")]
    NotExecutable,
    /// Neither the program nor its interpreter may be executed.
    #[error("the test program in {0} may not be executed; is that file system mounted with `noexec`?", path.display())]
    NoExec {
        /// Where it was.
        path: PathBuf,
    },
    /// It could not be started for another reason.
    #[error("the test program could not be started: {0}")]
    Start(#[source] io::Error),
    /// The interpreter took `argv[0]` for an argument.
    #[error(
        "the interpreter does not understand the flag P of its entry (kernel before 5.12, or QEMU before 5.2)"
    )]
    ArgumentsShifted,
    /// It ended in some other way.
    #[error("the test program ended with {status} instead of exit status 42{}", said(stderr))]
    WrongStatus {
        /// How it ended.
        status: ExitStatus,
        /// What the interpreter said.
        stderr: String,
    },
    /// It did not end.
    #[error("the test program did not end within {} s", after.as_secs())]
    Timeout {
        /// How long it was given.
        after: Duration,
    },
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

/// Runs a tiny program of `platform` and compares how it ends. Nothing else proves a registration.
pub fn prove(
    platform: &Platform,
    host: &Platform,
    scratch: &Path,
    timeout: Duration,
) -> Result<Proof, ProofError> {
    let image = program::image(platform).ok_or(ProofError::NoProgram)?;
    let unwritten = |source| ProofError::Scratch { path: scratch.to_owned(), source };
    // The directory is created with mode 0700, so nobody can exchange the program.
    let dir = tempfile::Builder::new().prefix("binfmt-").tempdir_in(scratch).map_err(unwritten)?;
    // The exit status tells `argv[0]` from the path by the slash.
    let path = std::path::absolute(dir.path()).map_err(unwritten)?.join(platform.qemu());
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path);
    written.and_then(|mut file| file.write_all(&image)).map_err(unwritten)?;
    let said = dir.path().join("stderr");
    let stderr = File::create(&said).map_err(unwritten)?;

    let mut command = Command::new(&path);
    // Not the caller's environment: variables such as QEMU_CPU do not reach the containers either.
    command.arg0(ARGV0).arg("x").env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr);
    let mut child =
        run::spawn(&mut command, Instant::now() + timeout).map_err(|error| match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::NOEXEC.raw_os_error() => ProofError::NotExecutable,
            Some(code) if code == rustix::io::Errno::ACCESS.raw_os_error() => {
                ProofError::NoExec { path: path.clone() }
            }
            _ => ProofError::Start(error),
        })?;
    // The program waits for the end of its input, so its process can be looked at.
    let emulator = emulator(child.id(), &path, host, scratch);
    drop(child.stdin.take());
    let status = run::wait(&mut child, Instant::now() + timeout).map_err(ProofError::Start)?;
    match status.map(|status| (status, status.code())) {
        None => Err(ProofError::Timeout { after: timeout }),
        Some((_, Some(PROVEN))) => Ok(Proof { argv0_kept: true, emulator }),
        Some((_, Some(PATH_AS_ARGV0))) => Ok(Proof { argv0_kept: false, emulator }),
        Some((_, Some(P_UNKNOWN))) => Err(ProofError::ArgumentsShifted),
        Some((status, _)) => Err(ProofError::WrongStatus { status, stderr: first_line(&said) }),
    }
}

/// What runs process `id`, unless it is `program` itself.
fn emulator(id: u32, program: &Path, host: &Platform, scratch: &Path) -> Option<Emulator> {
    let link = PathBuf::from(format!("/proc/{id}/exe"));
    let file = File::open(&link).ok()?;
    let same = |path: &Path| {
        let (one, other) = (file.metadata().ok()?, fs::metadata(path).ok()?);
        Some((one.dev(), one.ino()) == (other.dev(), other.ino()))
    };
    if same(program)? {
        return None;
    }
    let shown = fs::read_link(&link).ok()?;
    // The kernel marks a removed file so.
    let path = match shown.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => PathBuf::from(text),
        None => shown,
    };
    let problem = interpreter::inspect(&file, &path, host).err();
    let replaced = same(&path) != Some(true);
    Some(Emulator { version: interpreter::version(&link, scratch), path, replaced, problem })
}

fn first_line(path: &Path) -> String {
    let mut text = Vec::new();
    // What the interpreter said is extra information; its absence is no failure of its own.
    let _ = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut text));
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
