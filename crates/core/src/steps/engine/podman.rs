//! podman, in the user's own storage.

use super::{Build, common};
use crate::plan::Command;

pub(super) fn build(build: &Build<'_>) -> Command {
    // The docker format keeps the configuration byte for byte in a docker-archive.
    let mut command = common(Command::new(["podman", "build", "--format", "docker", "--layers"]), build)
        .arg("--timestamp")
        .arg(build.epoch.clone());
    if let Some(isolation) = build.isolation {
        command = command.args(["--isolation", isolation]);
    }
    command.arg("--").arg(build.context.clone())
}
