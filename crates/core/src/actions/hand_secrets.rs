//! Holds secrets ready for a build engine: as links to memory of this process, so that no disk ever has them, and nothing is
//! left of them however the run ends.

use std::os::unix::fs::{DirBuilderExt, symlink};

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::HandSecrets;

pub(super) fn perform(hand: &HandSecrets, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let agent = cx.env().get(std::ffi::OsStr::new("SSH_AUTH_SOCK")).filter(|socket| !socket.is_empty());
    if hand.agent && agent.is_none() {
        return Err(Failure::new(
            FailureKind::Input,
            "the build asks for an ssh agent, and `SSH_AUTH_SOCK` names none",
        )
        .help("start one: `eval $(ssh-agent)` and `ssh-add`"));
    }
    let dir = cx.resolve_path(&hand.dir)?;
    let io = |error: std::io::Error| Failure::new(FailureKind::Io, format!("{}: {error}", dir.display()));
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(io)?;
    for (id, from) in &hand.from {
        let memory = cx.secret(from).ok_or_else(|| {
            Failure::new(FailureKind::Internal, format!("the run has not read the secret `{id}` ({from})"))
        })?;
        symlink(memory, dir.join(id)).map_err(io)?;
    }
    if !hand.from.is_empty() {
        let ids: Vec<&str> = hand.from.keys().map(String::as_str).collect();
        cx.say(format!("secrets held ready: {}", ids.join(", ")));
    }
    Ok(())
}
