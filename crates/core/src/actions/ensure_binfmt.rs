//! Sees to it that this machine executes programs of other architectures, and says how it does.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Performer;
use crate::binfmt::{self, Assessment, BinfmtError, Status};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{EnsureBinfmt, NativeBy, Register};
use crate::platform::Platform;

pub(super) fn perform(
    ensure: &EnsureBinfmt,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    if let Some(NativeBy { builder, engine }) = &ensure.builder
        && cx.builds_there(builder, *engine)?
    {
        cx.say(format!("{builder}: runs natively on its builder"));
        return Ok(());
    }
    let missing = ensure.platforms.iter().any(|platform| {
        matches!(binfmt::assess(&performer.binfmt, platform, &performer.platform), Assessment::Missing)
    });
    if missing && !performer.allow_privileged && ensure.register != Register::Never {
        return Err(Failure::new(
            FailureKind::Input,
            "an emulator is missing in the kernel's table, and changing it is privileged",
        )
        .help("run again with `--allow-privileged`"));
    }
    if let (Register::Container(command), true) = (&ensure.register, missing) {
        cx.run(command)?;
    }
    let register = ensure.register == Register::Host && performer.allow_privileged;
    let ensured = binfmt::ensure(&performer.binfmt, &ensure.platforms, &performer.platform, register)
        .map_err(|error| failure(&error))?;
    for one in ensured {
        if let Some(interpreter) = one.interpreter.as_ref().filter(|_| one.status != Status::Native)
            && performer.emulators.is_new(&one.platform)
        {
            cx.emulator(&one.platform, interpreter, one.qemu_version.clone());
        }
        let how = match one.status {
            Status::Native => "runs natively".to_owned(),
            Status::AlreadyReady | Status::Registered => {
                let interpreter = one.interpreter.map(|path| path.display().to_string()).unwrap_or_default();
                let version =
                    one.qemu_version.map(|version| format!(" (QEMU {version})")).unwrap_or_default();
                let verb = if one.status == Status::Registered { "registered" } else { "was registered" };
                format!("{verb}: {interpreter}{version}, and a program of it was executed")
            }
        };
        cx.say(format!("{}: {how}", one.platform));
    }
    Ok(())
}

/// The platforms whose emulators have been told of: each is told once in a run.
#[derive(Debug, Default)]
pub struct Emulators(Mutex<BTreeSet<Platform>>);

impl Emulators {
    fn is_new(&self, platform: &Platform) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(platform.clone())
    }
}

fn failure(error: &BinfmtError) -> Failure {
    let failure = Failure::new(FailureKind::Tool, error.to_string());
    match error {
        BinfmtError::NotRegistered { .. } => failure.help("or add a step with `uses = \"binfmt-register\"`"),
        _ => failure,
    }
}
