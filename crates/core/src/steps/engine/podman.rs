//! podman, in the user's own storage.

use super::{Build, containers};
use crate::plan::Command;

pub(super) fn build(build: &Build<'_>) -> Command {
    let mut command = containers(Command::new(["podman", "build", "--layers"]), build);
    if let Some(isolation) = build.isolation {
        command = command.args(["--isolation", isolation]);
    }
    command.arg("--").arg(build.context.clone())
}
