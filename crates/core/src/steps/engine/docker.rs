//! docker: dockerd by its own builder or BuildKit, and `docker buildx`. podman's `run` takes the same flags.

use super::{Build, Smoke, SmokeCommands, common};
use crate::plan::{Command, Grammar, Text};

pub(super) fn build(build: &Build<'_>) -> Command {
    let mut command = common(Command::new(["docker", "build"]), build);
    if let Some(buildkit) = build.buildkit {
        command = command.env("DOCKER_BUILDKIT", if buildkit { "1" } else { "0" });
    }
    // The classic builder's cache does not know platforms: of two targets that copy the same files onto `scratch`, the
    // second would get the first one's layers and platform. So each has only what it built itself before.
    if build.buildkit != Some(true) && !build.no_cache {
        command = command.args(["--cache-from", build.tag]);
    }
    epoch(command, build).arg("--").arg(build.context.clone())
}

pub(super) fn buildx(build: &Build<'_>) -> Command {
    // What `--load` is short for, with the layers' times as the image's.
    let output = ["--output", "type=docker,rewrite-timestamp=true", "--provenance=false"];
    let command = common(Command::new(["docker", "buildx", "build"]).args(output), build);
    epoch(command, build).arg("--").arg(build.context.clone())
}

/// BuildKit takes the time from its client's environment; the classic builder ignores it.
fn epoch(command: Command, build: &Build<'_>) -> Command {
    command.env("SOURCE_DATE_EPOCH", build.epoch.clone())
}

/// The container outlives a killed client, so it is removed by name before and after.
pub(super) fn smoke(tool: &str, smoke: &Smoke<'_>) -> SmokeCommands {
    let remove = || Command::new([tool, "rm", "--force", "--", smoke.name]);
    let mut argv = smoke.argv.iter().cloned();
    let entrypoint = argv.next().unwrap_or_default();
    let mut run = Command::new([tool, "run", "--rm", "--name", smoke.name, "--pull", "never", "--platform"])
        .arg(smoke.platform.to_string())
        .args(["--network", smoke.network.unwrap_or("none")])
        .arg(Text::from("--entrypoint=").then(&entrypoint));
    run = run.arg("--").arg(smoke.handle.clone()).args(argv).capture("stdout", Grammar::Any);
    // docker exits with 1 when there is nothing to remove, podman with 0.
    let before = Command { ok: (&[0, 1]).into(), ..remove() };
    SmokeCommands { before: vec![before.clone().into()], run, after: vec![before.into()] }
}
