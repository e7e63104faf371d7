//! Tools on this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::needs::{self, Named, Need};
use super::{Area, Finding, Level, Subject, one_line};
use crate::exec::tools::{install_help, tool_named};
use crate::exec::{NoAnswer, Question, ask, find};
use crate::plan::Engine;
use crate::steps::KINDS;

/// The longest that a tool may think about its version.
const LIMIT: Duration = Duration::from_secs(5);

/// Exit codes of a shell, or of the loader of programs, for what is there and does not start.
const BROKEN: [i32; 2] = [126, 127];

/// Every tool that is needed. `works`: the engine that the others need not be there for.
pub(super) fn examine(subject: &Subject<'_>, works: Option<Engine>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = match subject.plan {
        Some(plan) => {
            let local = needs::local(plan, subject.here);
            for (path, need) in local.paths {
                findings.push(at_path(&path, need, subject.env));
            }
            local.named
        }
        None => of_all_kinds(works.is_some()),
    };
    findings.extend(named.into_iter().map(|(name, need)| named_tool(&name, need, subject)));
    findings
}

/// What any recipe might need. Of the engines one is enough.
fn of_all_kinds(have_engine: bool) -> BTreeMap<Named, Need> {
    let is_engine = |tool: &str| Engine::ALL.iter().any(|engine| engine.name() == tool);
    KINDS
        .iter()
        .flat_map(|kind| kind.tools())
        .map(|tool| {
            let need = if have_engine && is_engine(tool) { Need::Perhaps } else { Need::Certain };
            (Named::from(*tool), need)
        })
        .collect()
}

/// What a missing tool of that need is.
fn absent(need: Need) -> Level {
    match need {
        Need::Certain => Level::Missing,
        Need::Perhaps => Level::Warning,
    }
}

/// A tool that a recipe names by its path. The remedy is the recipe's author's.
pub(super) fn at_path(path: &Path, need: Need, env: &BTreeMap<OsString, OsString>) -> Finding {
    let name = path.display().to_string();
    if find(path.as_os_str(), Path::new("/"), env).is_some() {
        return Finding::ok(&Area::Tools, name, "is there");
    }
    if path.exists() {
        let remedy = super::shell(["chmod", "+x", &name]);
        return Finding::new(&Area::Tools, name, absent(need), "is not an executable file").remedy(remedy);
    }
    Finding::new(&Area::Tools, name, absent(need), "is not there, and no earlier step makes it")
}

/// The finding on a tool that is not on PATH.
pub(super) fn not_installed(tool: &Named, need: Need) -> Finding {
    let name = tool.tool.as_str();
    let detail = match &tool.path {
        Some(path) => format!("is not installed (not found on the step's own PATH, {path})"),
        None => "is not installed (not found on PATH)".into(),
    };
    let finding = Finding::new(&Area::Tools, name, absent(need), detail);
    match tool_named(name) {
        Some(tool) => finding.remedy(tool.install),
        None => finding.remedy(install_help(name, None)),
    }
}

fn named_tool(named: &Named, need: Need, subject: &Subject<'_>) -> Finding {
    let name = named.tool.as_str();
    let Some(path) = named.find(subject.here, subject.env) else {
        return not_installed(named, need);
    };
    let env = named.env(subject.env);
    let found = path.display().to_string();
    // Whatever else a recipe calls is not ours to try out.
    let Some(tool) = tool_named(name).filter(|tool| !tool.version.is_empty()) else {
        return Finding::ok(&Area::Tools, name, found);
    };
    let argv: Vec<OsString> =
        std::iter::once(name).chain(tool.version.iter().copied()).map(OsString::from).collect();
    let question = Question { argv: &argv, dir: subject.here, env: &env, hold_stdin: false, within: LIMIT };
    let broken = |why: String| {
        Finding::new(&Area::Tools, name, absent(need), format!("{found} does not start: {why}"))
            .remedy(tool.install)
    };
    match ask(&question) {
        Ok(answer) => {
            let said = answer.stdout.lines().find(|line| !line.trim().is_empty());
            let said = said.or(answer.stderr.first().map(String::as_str)).unwrap_or_default();
            match answer.status.code() {
                // ssh tells its version on stderr.
                Some(0) => Finding::ok(&Area::Tools, name, format!("{} ({found})", one_line(said))),
                Some(code) if !BROKEN.contains(&code) => {
                    // busybox knows no `--version`, and does the work all the same.
                    Finding::ok(&Area::Tools, name, format!("{found}, of a version that it does not tell"))
                }
                _ => broken(if said.is_empty() { answer.status.to_string() } else { said.to_owned() }),
            }
        }
        Err(NoAnswer::TooLate(_)) => Finding::warning(
            &Area::Tools,
            name,
            format!("{found} did not tell its version within {} s", LIMIT.as_secs()),
        ),
        Err(NoAnswer::Io(error)) => broken(error.to_string()),
        Err(NoAnswer::NotFound) => not_installed(named, need),
    }
}
