//! One ssh connection for each node and run: a master that the run's commands go through.
//!
//! Connecting costs a second of a slow network and more than most of what is asked. The master is a child like all others,
//! and ends with the run. Where there can be none, or it has ended, commands connect for themselves: ssh does so when it
//! finds no socket.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::process::{self, Background, Request, Stdin};
use crate::output::Redactor;
use crate::plan::Node;

/// A path of a socket has at most 108 bytes, and ssh appends 17 while it makes one.
const LONGEST: usize = 108 - 1 - 17;

/// Connecting has 10 s, and then there is a key to be agreed on.
const PATIENCE: Duration = Duration::from_secs(20);

/// The masters of a run, by node.
#[derive(Default)]
pub(super) struct Connections {
    masters: Mutex<BTreeMap<String, Slot>>,
}

type Slot = Arc<Mutex<Option<Master>>>;

struct Master {
    child: Background,
    socket: PathBuf,
}

/// What a master needs to be started.
pub(super) struct Start<'s> {
    pub(super) node: &'s Node,
    /// The words of `ssh` before the destination's command, with values put in.
    pub(super) argv: Vec<OsString>,
    /// Where its socket goes.
    pub(super) folder: &'s Path,
    pub(super) dir: &'s Path,
    pub(super) env: &'s BTreeMap<OsString, OsString>,
}

/// The master did not come to be, and ssh said why: its exit code and last words.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) code: i32,
    pub(super) said: String,
}

impl Connections {
    /// The options by which ssh and scp go through the node's master; none where they are to connect for themselves.
    /// Whoever comes first starts it, and the others wait.
    pub(super) fn options(&self, start: &Start<'_>, cancel: &Arc<Cancel>) -> Result<Vec<OsString>, Refused> {
        let socket = start.folder.join(format!("ssh-{}", short(&start.node.name)));
        if socket.as_os_str().len() > LONGEST {
            return Ok(Vec::new());
        }
        let slot = {
            let mut masters = self.masters.lock().unwrap_or_else(PoisonError::into_inner);
            masters.entry(start.node.name.clone()).or_default().clone()
        };
        let mut master = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if master.as_ref().is_none_or(|master| master.child.has_ended()) {
            // Reaped before another one takes the socket's name.
            drop(master.take());
            let _ = std::fs::remove_file(&socket);
            *master = open(start, socket, cancel)?;
        }
        Ok(master.as_ref().map(|master| through(&master.socket)).unwrap_or_default())
    }
}

fn through(socket: &Path) -> Vec<OsString> {
    let mut path = OsString::from("ControlPath=");
    path.push(socket);
    ["-o".into(), path, "-o".into(), "ControlMaster=no".into()].into()
}

fn open(start: &Start<'_>, socket: PathBuf, cancel: &Arc<Cancel>) -> Result<Option<Master>, Refused> {
    let mut path = OsString::from("ControlPath=");
    path.push(&socket);
    let mut argv: Vec<OsString> = vec!["ssh".into(), "-M".into(), "-N".into(), "-o".into(), path];
    argv.extend(["-o", "ControlPersist=no"].map(OsString::from));
    argv.extend(start.argv.iter().skip(1).cloned());
    let Some(program) = process::find(&argv[0], start.dir, start.env) else { return Ok(None) };
    let request = Request {
        argv: &argv,
        program: &program,
        dir: start.dir,
        env: start.env,
        stdin: Stdin::Null,
        keep_stdout: false,
        redactor: &Redactor::default(),
    };
    let Ok(child) = Background::start(&request, cancel) else { return Ok(None) };
    let deadline = Instant::now() + PATIENCE;
    while !child.has_ended() {
        if UnixStream::connect(&socket).is_ok() {
            return Ok(Some(Master { child, socket }));
        }
        if Instant::now() >= deadline || cancel.kill_requested() {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (code, said) = child.end();
    match code {
        Some(code @ 255) => Err(Refused { code, said }),
        _ => Ok(None),
    }
}

/// Names of nodes may be long.
fn short(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The last line that says something.
pub(super) fn last_line(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = from.by_ref().take(64 << 10).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    crate::output::plain(line).trim().to_owned()
}
