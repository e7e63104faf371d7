//! podman, in the user's own storage.

use super::{Build, common};
use crate::plan::Command;

pub(super) fn build(build: &Build<'_>) -> Command {
    let mut command = common(Command::new(["podman", "build", "--layers"]), build)
        .args(["--format", build.format])
        .arg("--timestamp")
        .arg(build.epoch.clone());
    if let Some(isolation) = build.isolation {
        command = command.args(["--isolation", isolation]);
    }
    command.arg("--").arg(build.context.clone())
}
