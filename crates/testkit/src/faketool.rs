//! What the `faketool` binary does: record the call, then play the scripted reply.
//!
//! It is linked under the names of tools. The engine under test hands its children a short environment,
//! so the settings lie in a file `faketool.json` beside the link; `FAKETOOL_LOG` and `FAKETOOL_SCRIPT`
//! override it where they arrive.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::rule::{Call, Rule, WriteFile};

/// The file beside the links.
pub const SETTINGS: &str = "faketool.json";

/// Where a fake tool finds its script and leaves its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file that gets one line of JSON for each call, a [`Call`].
    pub log: PathBuf,
    /// The file with a JSON list of [`Rule`]; need not exist.
    pub script: PathBuf,
    /// How many calls in the log are older than the script, and do not count for [`Rule::times`].
    #[serde(default)]
    pub since: usize,
}

/// Records the call of this process and plays the reply to it.
///
/// # Errors
///
/// A sentence, when the settings, the log or the script cannot be used: a mistake of the test's set-up.
/// `Ok` is the exit code of the reply.
pub fn play() -> Result<u8, String> {
    let mut args = env::args_os();
    let name = args.next().unwrap_or_default();
    let settings = settings(&name)?;
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    let call = Call {
        tool: Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned(),
        argv: args.map(lossy).collect(),
        cwd: env::current_dir().unwrap_or_default(),
        env: env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect(),
        pid: process::id(),
    };
    record(&settings.log, &call)?;
    let rules: Vec<Rule> = match fs::read(&settings.script) {
        Ok(text) => serde_json::from_slice(&text).map_err(about(&settings.script))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(about(&settings.script)(error)),
    };
    // The log is all the memory there is between calls. This one is in it by now, and so may be later ones.
    let mut calls = calls(&settings.log)?;
    let own = calls.iter().rposition(|other| *other == call);
    calls.truncate(own.map_or(0, |own| own + 1));
    let counted = calls.get(settings.since..).unwrap_or_default();
    Rule::played(&rules, counted).map_or(Ok(0), |rule| reply(rule, &call))
}

/// From the environment, or from the folder of the link this process was started through. With a hard
/// link, the kernel knows which; a symbolic one must be found again by the name it was called by.
fn settings(name: &OsString) -> Result<Settings, String> {
    if let (Some(log), Some(script)) = (env::var_os("FAKETOOL_LOG"), env::var_os("FAKETOOL_SCRIPT")) {
        return Ok(Settings { log: log.into(), script: script.into(), since: 0 });
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let links = env::current_exe().ok().into_iter().chain([PathBuf::from(name)]);
    let file = links
        .chain(env::split_paths(&path).map(|dir| dir.join(name)))
        .filter(|link| link.components().count() > 1 && link.exists())
        .map(|link| link.with_file_name(SETTINGS))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("no `{SETTINGS}` beside the link `{}`", name.to_string_lossy()))?;
    let text = fs::read(&file).map_err(about(&file))?;
    serde_json::from_slice(&text).map_err(about(&file))
}

/// One write to a file opened for appending: calls at the same time do not mix their lines.
fn record(log: &Path, call: &Call) -> Result<(), String> {
    let mut line = serde_json::to_vec(call).map_err(about(log))?;
    line.push(b'\n');
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log).map_err(about(log))?;
    file.write_all(&line).map_err(about(log))
}

/// All calls in a log, oldest first; none where there is no log yet.
///
/// # Errors
///
/// A sentence, when a line is no call.
pub fn calls(log: &Path) -> Result<Vec<Call>, String> {
    let text = match fs::read_to_string(log) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(about(log)(error)),
    };
    text.lines().map(|line| serde_json::from_str(line).map_err(about(log))).collect()
}

fn reply(rule: &Rule, call: &Call) -> Result<u8, String> {
    thread::sleep(Duration::from_millis(rule.sleep_ms));
    for file in &rule.write_file {
        let path = target(file, call)?;
        match &file.contents_from {
            Some(from) => fs::copy(from, &path).map(drop).map_err(about(from))?,
            None => fs::write(&path, &file.contents).map_err(about(&path))?,
        }
    }
    for path in &rule.touch {
        fs::OpenOptions::new().create(true).append(true).open(path).map_err(about(path))?;
    }
    // A reader that has gone is no mistake of the set-up.
    let _ = io::stdout().write_all(rule.stdout.as_bytes()).and_then(|()| io::stdout().flush());
    let _ = io::stderr().write_all(rule.stderr.as_bytes());
    match &rule.exec {
        None => Ok(rule.exit),
        // Not the recorded arguments, which are lossy.
        Some(program) => {
            let error = Command::new(program).arg0(&call.tool).args(env::args_os().skip(1)).exec();
            Err(about(program)(error))
        }
    }
}

fn target(file: &WriteFile, call: &Call) -> Result<PathBuf, String> {
    let option = match (&file.path, &file.path_arg_after) {
        (Some(path), None) => return Ok(path.clone()),
        (None, Some(option)) => option,
        _ => return Err("a `write_file` takes either `path` or `path_arg_after`".into()),
    };
    let after = call.argv.iter().position(|arg| arg == option).and_then(|at| call.argv.get(at + 1));
    let joined = || call.argv.iter().find_map(|arg| arg.strip_prefix(option)?.strip_prefix('='));
    let path = after.map(String::as_str).or_else(joined);
    path.map(PathBuf::from).ok_or_else(|| format!("no argument after `{option}` in `{}`", call.line()))
}

/// Names the file in an error.
fn about<E: std::fmt::Display>(file: &Path) -> impl Fn(E) -> String {
    let file = file.display().to_string();
    move |error| format!("{file}: {error}")
}
