//! buildah, in a store of the recipe's own: no daemon, and nothing of the user's is touched.

use super::{Build, Smoke, SmokeCommands, containers};
use crate::plan::{Command, Grammar, Text};

pub(super) const ROOT: &str = ".pipeline/store/root";
pub(super) const RUNROOT: &str = ".pipeline/store/run";

/// `buildah` on the private store.
pub(super) fn command(args: &[&str]) -> Command {
    Command::new(["buildah", "--root"])
        .arg(Text::here(ROOT))
        .arg("--runroot")
        .arg(Text::here(RUNROOT))
        .args(args.iter().copied())
}

pub(super) fn build(build: &Build<'_>) -> Command {
    let command = containers(command(&["build", "--layers"]), build);
    // chroot works without a container runtime, as root and in containers.
    command.args(["--isolation", build.isolation.unwrap_or("chroot")]).arg("--").arg(build.context.clone())
}

pub(super) fn smoke(smoke: &Smoke<'_>) -> SmokeCommands {
    let remove = || Command { ok: (&[0, 1, 125]).into(), ..command(&["rm", smoke.name]) };
    let from = command(&["from", "--pull-never", "--name", smoke.name, "--platform"])
        .arg(smoke.platform.to_string())
        .arg("--")
        .arg(smoke.handle.clone());
    let run = command(&["run", "--isolation", smoke.isolation.unwrap_or("chroot")]);
    let run = match smoke.network {
        Some(network) => run.args(["--network", network]),
        None => run,
    };
    let mut run =
        run.args(["--", smoke.name]).args(smoke.argv.iter().cloned()).capture("stdout", Grammar::Any);
    // With `chroot`, buildah does not wait for the copier of the output: on a busy machine, about one in 200 is lost.
    if let Some(capture) = &mut run.capture {
        capture.again = smoke.talks && smoke.isolation.is_none_or(|isolation| isolation == "chroot");
    }
    SmokeCommands { before: vec![remove().into(), from.into()], run, after: vec![remove().into()] }
}
