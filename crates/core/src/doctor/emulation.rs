//! Programs of other architectures on this machine.

use super::{Area, Finding, Level, Subject, shell};
use crate::binfmt::{self, BinfmtError, Problem, Status};
use crate::plan::{Action, Plan, Register};
use crate::platform::Platform;

/// What a plan wants of a platform.
struct Want {
    platform: Platform,
    /// A step runs its programs here.
    runs: bool,
    /// A step registers an emulator where there is none.
    registers: bool,
}

/// Each platform of the plan, or else of the table.
pub(super) fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    // Nobody has asked for those of the table yet.
    let all = || Platform::all().map(|platform| Want { platform, runs: false, registers: false }).collect();
    let wants = subject.plan.map_or_else(all, wants);
    wants.iter().map(|want| finding(want, subject)).collect()
}

fn wants(plan: &Plan) -> Vec<Want> {
    let mut wants: Vec<Want> = Vec::new();
    let mut want = |platform: &Platform, runs: bool, registers: bool| match wants
        .iter_mut()
        .find(|want| want.platform == *platform)
    {
        Some(want) => {
            want.runs |= runs;
            want.registers |= registers;
        }
        None => wants.push(Want { platform: platform.clone(), runs, registers }),
    };
    for instance in plan.graph.node_weights() {
        if let Some(platform) = &instance.platform {
            let there = instance.builders().any(|name| plan.is_certain(name));
            want(platform, matches!(&*instance.kind, "build" | "smoke") && !there, false);
        }
        for action in &instance.actions {
            if let Action::EnsureBinfmt(ensure) = action
                && !action.builder().is_some_and(|name| plan.is_certain(name))
            {
                let registers = ensure.register != Register::Never;
                ensure.platforms.iter().for_each(|platform| want(platform, true, registers));
            }
        }
    }
    wants
}

fn finding(want: &Want, subject: &Subject<'_>) -> Finding {
    let name = want.platform.to_string();
    let platforms = std::slice::from_ref(&want.platform);
    // Only asked: nothing is registered. What is registered is tried out, as files alone prove nothing.
    let error = match binfmt::ensure(subject.binfmt, platforms, subject.platform, false) {
        Ok(done) => {
            let detail = match done.first() {
                Some(done) if done.status != Status::Native => {
                    let path = done.interpreter.as_ref().map(|path| format!(" by {}", path.display()));
                    let version = done.qemu_version.as_ref().map(|version| format!(", QEMU {version}"));
                    format!("is emulated{}{}", path.unwrap_or_default(), version.unwrap_or_default())
                }
                _ => "runs natively".into(),
            };
            return Finding::ok(&Area::Emulation, name, detail);
        }
        Err(error) => error,
    };
    let level = if want.runs { Level::Missing } else { Level::Warning };
    match &error {
        BinfmtError::NotRegistered { command, .. } => {
            let (level, detail) = if want.registers && !command.starts_with("apt-get") {
                (Level::Warning, "nothing is registered yet; the recipe does that, when it is allowed to")
            } else {
                (level, "nothing is registered for it")
            };
            Finding::new(&Area::Emulation, name, level, detail).remedy(command.as_str())
        }
        BinfmtError::Broken { problem, .. } => {
            Finding::new(&Area::Emulation, name, level, problem.to_string()).maybe(remedy(problem))
        }
        BinfmtError::NoInterpreter { .. } => {
            Finding::new(&Area::Emulation, name, level, error.to_string()).remedy(INSTALL)
        }
        BinfmtError::Refused { .. } | BinfmtError::NotProven { .. } => {
            Finding::new(&Area::Emulation, name, level, error.to_string())
        }
    }
}

const INSTALL: &str = "apt-get install qemu-user-static";

/// The command that the problem's text ends with, for those that have just one.
fn remedy(problem: &Problem) -> Option<String> {
    let echo = |value: &str, path: &std::path::Path| {
        Some(format!("echo {value} > {}", shell([path.to_string_lossy()])))
    };
    match problem {
        Problem::NotMounted { mount } => {
            Some(format!("mount -t binfmt_misc binfmt_misc {}", shell([mount.to_string_lossy()])))
        }
        Problem::Disabled { status: file } | Problem::EntryDisabled { entry: file } => echo("1", file),
        Problem::NoFixFlag { entry, .. }
        | Problem::TooNarrow { entry, .. }
        | Problem::TooWide { entry, .. } => echo("-1", entry),
        Problem::InterpreterMissing { .. } | Problem::NotStatic { .. } | Problem::WrongMachine { .. } => {
            Some(INSTALL.into())
        }
        Problem::NotTrusted { interpreter, .. } => {
            let path = interpreter.to_string_lossy();
            Some(format!("{} && {}", shell(["chown", "root", &path]), shell(["chmod", "go-w", &path])))
        }
        Problem::NameTaken { entry, .. } => Some(shell(["cat", &entry.to_string_lossy()])),
        Problem::Unreadable { .. } => None,
    }
}
