//! Whether a commit is signed by somebody who may.

use std::fs;
use std::path::Path;

use super::git::Git;
use super::io;
use super::mirror::Mirror;
use crate::event::{Failure, FailureKind};
use crate::plan::{Command, Signature, Signed};

/// Fails unless the signature is good and by one of the keys. `work` is a folder for a keyring of its own.
pub(super) fn check(
    git: &Git<'_>,
    mirror: &Mirror,
    signed: &Signed,
    commit: &str,
    work: &Path,
) -> Result<(), Failure> {
    let keyring = git.cx.resolve_path(&signed.keyring)?;
    if !keyring.is_file() {
        return Err(Failure::new(FailureKind::Input, format!("there is no keyring {}", keyring.display()))
            .help("`keyring` is a path relative to the recipe"));
    }
    let verified = match signed.with {
        Signature::Ssh => {
            let allowed = format!("gpg.ssh.allowedSignersFile={}", keyring.display());
            let args = ["-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen", "-c", &allowed];
            let command = git.command(&mirror.args(&[&args[..], &["verify-commit", commit]].concat()));
            git.cx.run_any(&command)?.code == 0
        }
        Signature::Gpg => with_gpg(git, mirror, &keyring, commit, work)?,
    };
    if verified {
        git.cx.say(format!("the signature of {commit} is good"));
        return Ok(());
    }
    let message = format!("the commit {commit} has no signature by a key of {}", signed.keyring);
    Err(Failure::new(FailureKind::Mismatch, message)
        .help("git's words above say more; do not build from it until somebody whom you trust has signed it"))
}

/// With a keyring that holds only what the recipe names. Its path is short: gpg makes sockets there.
fn with_gpg(
    git: &Git<'_>,
    mirror: &Mirror,
    keyring: &Path,
    commit: &str,
    work: &Path,
) -> Result<bool, Failure> {
    let home = tempfile::Builder::new()
        .prefix("gpg")
        .tempdir_in(git.cx.scratch())
        .map_err(|error| io(work, &error))?;
    let shown = home.path().display().to_string();
    let gpg = |args: &[&str]| {
        Command::new(["gpg", "--homedir", &shown, "--batch", "--quiet", "--no-autostart"])
            .args(args.iter().copied())
    };
    git.cx.run(&gpg(&["--import", "--", &keyring.display().to_string()]))?;
    // Whose key is in the keyring is trusted; git asks for no more than that.
    fs::write(home.path().join("gpg.conf"), "trust-model always\nno-autostart\nno-auto-key-retrieve\n")
        .map_err(|error| io(home.path(), &error))?;
    let command = git.command(&mirror.args(&[
        "-c",
        "gpg.format=openpgp",
        "-c",
        "gpg.program=gpg",
        "verify-commit",
        commit,
    ]));
    Ok(git.cx.run_any(&command.env("GNUPGHOME", shown))?.code == 0)
}
