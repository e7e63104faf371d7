//! One ssh connection for each node and run: a master that the run's commands go through.
//!
//! Connecting costs a second of a slow network and more than most of what is asked. The master is a child of the run and
//! ends with it. Where there can be none, or it has ended, commands connect for themselves: ssh does so when nobody
//! answers at the socket, or the node takes no further session.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::Host;
use super::builder::{Ask, Bridge, Bridges};
use super::cancel::Cancel;
use super::failure::SSH_FAILED;
use super::process::{self, Background, Request, Stdin};
use super::refusal::{Cause, cause};
use crate::event::Failure;
use crate::output::{self, Redactor};
use crate::plan::Node;

/// A path of a socket has at most 108 bytes, and ssh appends 17 while it makes one.
const LONGEST: usize = 108 - 1 - 17;

/// ssh itself gives up connecting after 10 s, but not a node that stops in the middle of letting us in.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks whether the node has let us in, or whether somebody else has got an answer.
const LOOK: Duration = Duration::from_millis(5);

/// More of what a master printed is not read.
const WORDS: u64 = 64 << 10;

/// The connections of a run, by node. They end when this is closed or dropped.
pub struct Connections {
    /// Where sockets go.
    folder: PathBuf,
    /// A group of their own: clean-up after a signal still goes through them.
    groups: Arc<Cancel>,
    nodes: Mutex<BTreeMap<String, Way>>,
    /// To builders' engines: they go through these connections, and so end first.
    bridges: Bridges,
}

#[derive(Clone)]
struct Way {
    socket: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

#[derive(Default)]
struct Connection {
    master: Option<Background>,
    /// How the last attempt ended: the answer also for those who waited for it.
    refused: Option<Refused>,
    /// Commands connect for themselves.
    alone: bool,
}

/// What a master needs to be started.
pub(crate) struct Start<'s> {
    /// The node, by its name.
    pub(crate) node: &'s str,
    /// `ssh`, its options and the destination, with values put in.
    pub(crate) argv: &'s [OsString],
    pub(crate) dir: &'s Path,
    pub(crate) env: &'s BTreeMap<OsString, OsString>,
    /// Whoever wants it does not want it any more.
    pub(crate) over: &'s dyn Fn() -> bool,
}

/// The node did not let us in: ssh's last words.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Vec<String>);

impl Connections {
    /// None yet. Sockets go to `folder`, which nobody else may write to.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        Ok(Self {
            folder,
            groups: Arc::new(Cancel::new()?),
            nodes: Mutex::default(),
            bridges: Bridges::default(),
        })
    }

    /// Opens the connection to a node that will be needed, while something else is done. Who needs it is told what is wrong.
    pub fn reach(&self, node: &Node, host: &Host<'_>, over: &dyn Fn() -> bool) {
        let argv = node.ssh.iter().flat_map(|ssh| ssh.ssh(&[])).map(|arg| arg.resolve(&host.here, &|_| None));
        if let Ok(argv) = argv.collect::<Result<Vec<_>, _>>()
            && !argv.is_empty()
        {
            let start = Start { node: &node.name, argv: &argv, dir: &host.here, env: &host.env, over };
            let _ = self.options(&start);
        }
    }

    /// The options by which ssh and scp go through the node's master. Whoever comes first starts it, and the others wait.
    pub(crate) fn options(&self, start: &Start<'_>) -> Result<Vec<OsString>, Refused> {
        let Way { socket, connection } = self.way(start.node);
        if socket.as_os_str().len() > LONGEST {
            return Ok(alone());
        }
        let mut waited = false;
        let mut connection = loop {
            match connection.try_lock() {
                Ok(connection) => break connection,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                // Whoever makes it may wait for longer than we do.
                Err(TryLockError::WouldBlock) if (start.over)() => return Ok(alone()),
                Err(TryLockError::WouldBlock) => {
                    waited = true;
                    std::thread::sleep(LOOK);
                }
            }
        };
        if let Some(refused) = connection.refused.as_ref().filter(|_| waited) {
            return Err(refused.clone());
        }
        if !connection.alone && connection.master.as_ref().is_none_or(Background::has_ended) {
            // Reaped before another one takes the socket's name.
            drop(connection.master.take());
            match open(start, &socket, &self.groups) {
                Ok(master) => {
                    connection.alone = master.is_none() && !(start.over)();
                    (connection.master, connection.refused) = (master, None);
                }
                // What ssh_config says of connections that are shared may still let commands in; and what is wrong with
                // ssh itself, they say best.
                Err(Refused(said)) if said.is_empty() || cause(&said) == Cause::Denied => {
                    connection.alone = true;
                }
                Err(refused) => {
                    connection.refused = Some(refused.clone());
                    return Err(refused);
                }
            }
        }
        Ok(if connection.master.is_some() { through(&socket) } else { alone() })
    }

    /// The way to a builder's engine, opened when it is asked for first.
    pub(crate) fn bridge(&self, ask: &Ask<'_>) -> Result<Arc<Bridge>, Failure> {
        self.bridges.get(ask, self, &self.folder, &self.groups)
    }

    /// The last words of a node's master, where it has ended.
    pub(crate) fn last_words(&self, node: &str) -> Option<Vec<String>> {
        let Way { socket, connection } =
            self.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(node)?.clone();
        let connection = connection.try_lock().ok()?;
        let ended = connection.master.as_ref().is_some_and(Background::has_ended);
        ended.then(|| words(&socket)).filter(|words| !words.is_empty())
    }

    /// Ends all.
    pub(super) fn close(&self) {
        self.bridges.close();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sockets have numbers: names of nodes may be long.
    fn way(&self, node: &str) -> Way {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let number = nodes.len();
        let new = || Way { socket: self.folder.join(format!("ssh-{number}")), connection: Arc::default() };
        nodes.entry(node.to_owned()).or_insert_with(new).clone()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Whatever ssh_config says: a master that a command leaves behind would outlive the run.
fn alone() -> Vec<OsString> {
    ["-o", "ControlMaster=no"].map(OsString::from).into()
}

fn through(socket: &Path) -> Vec<OsString> {
    let mut options = alone();
    options.extend(["-o".into(), control_path(socket)]);
    options
}

fn control_path(socket: &Path) -> OsString {
    // ssh puts values in for `%`, and splits at spaces what is not in quotes.
    let path = socket.to_string_lossy().replace('%', "%%");
    format!("ControlPath=\"{path}\"").into()
}

/// None where there can be no master, for reasons of this machine.
fn open(start: &Start<'_>, socket: &Path, groups: &Arc<Cancel>) -> Result<Option<Background>, Refused> {
    let log = log_of(socket);
    for old in [socket, &log] {
        let _ = fs::remove_file(old);
    }
    let mut argv: Vec<OsString> =
        ["ssh", "-M", "-N", "-o", "ControlPersist=no", "-o"].map(OsString::from).into();
    // Its words go to a file: nobody reads a pipe for as long as it lives.
    argv.extend([control_path(socket), "-E".into(), log.into()]);
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
    let Ok(child) = Background::start(&request, groups) else { return Ok(None) };
    let begun = Instant::now();
    while !child.has_ended() {
        if UnixStream::connect(socket).is_ok() {
            return Ok(Some(child));
        }
        if (start.over)() {
            return Ok(None);
        }
        if begun.elapsed() >= PATIENCE {
            return Err(Refused(vec![format!("timed out: not let in within {} s", PATIENCE.as_secs())]));
        }
        std::thread::sleep(LOOK);
    }
    // Another code is not of an ssh that can do this.
    if child.end() == Some(SSH_FAILED) { Err(Refused(words(socket))) } else { Ok(None) }
}

fn log_of(socket: &Path) -> PathBuf {
    socket.with_extension("log")
}

/// What a master printed: the last lines that say something.
fn words(socket: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    if let Ok(mut log) = File::open(log_of(socket)) {
        let length = log.metadata().map(|meta| meta.len()).unwrap_or_default();
        let _ = log.seek(SeekFrom::Start(length.saturating_sub(WORDS)));
        let _ = log.take(WORDS).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| output::plain(line).trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}
