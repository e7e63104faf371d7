//! What an action may use while it is carried out: values, the nodes, child processes under supervision.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::asked::Asked;
use super::builder::Decided;
use super::cancel::Cancel;
use super::connection::{Connections, Refused, Start};
use super::emulation::Signs;
use super::failure::{self, Shown};
use super::pace::Paces;
use super::process::{self, Limits, Request, Stdin, Why};
use super::round::Rounds;
use super::{Host, Message, Port, Values};
use crate::event::{EventKind, Failure, FailureKind, Part, Stream, Traffic};
use crate::lock::{Key, Lock, Pin};
use crate::output::{self, Cap, Finder, Line};
use crate::plan::{Command, Instance, Node, Place, Plan, SecretFrom, Text};
use crate::platform::Platform;

/// How often it is told how far data has come.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// So many lines tell why a command failed: ssh's warning of a changed host key has a dozen.
const LAST_WORDS: usize = 16;

/// What all workers of a run share.
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan,
    pub(super) host: &'a Host<'a>,
    pub(super) cancel: &'a Arc<Cancel>,
    pub(super) grace: Duration,
    pub(super) port: Port,
    values: Mutex<Values>,
    /// The versions of build engines, as they are asked for.
    pub(super) asked: Asked,
    /// Where images are built that a builder is named for.
    pub(super) decided: Decided,
    /// What is asked of nodes before anything runs there.
    pub(super) rounds: Rounds,
    paces: Paces,
    /// See [`Options::connections`](super::Options::connections).
    pub(super) connections: Option<&'a Connections>,
    /// See [`Options::scratch`](super::Options::scratch).
    pub(super) scratch: Option<&'a Path>,
    /// The plan's lock, and what this run adds to it.
    lock: Mutex<Lock>,
    /// See [`Options::locked`](super::Options::locked).
    pub(super) locked: bool,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        host: &'a Host<'a>,
        cancel: &'a Arc<Cancel>,
        grace: Duration,
        port: Port,
        values: Values,
    ) -> Self {
        let (asked, rounds, paces) = (Asked::default(), Rounds::default(), Paces::default());
        let values = Mutex::new(values);
        Self {
            plan,
            host,
            cancel,
            grace,
            port,
            values,
            asked,
            decided: Decided::default(),
            rounds,
            paces,
            connections: None,
            scratch: None,
            lock: Mutex::new(plan.lock.clone()),
            locked: false,
        }
    }

    pub(super) fn pins(&self) -> MutexGuard<'_, Lock> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a child printed, and the code it exited with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// The exit code.
    pub code: i32,
}

/// What an action may use. One for each attempt of an instance.
pub struct ActionCx<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) instance: &'a Instance,
    pub(super) deadline: Option<Instant>,
    /// The longest that a command may print nothing.
    pub(super) silence: Option<Duration>,
    /// Clean-up goes on after the first signal.
    pub(super) heed_stop: bool,
    /// The bound on the instance's log, over all attempts. None where something is only to be found out: that is no news.
    pub(super) log: Option<&'a RefCell<Cap<Stream>>>,
    /// The names that were asked for, and what they stood for.
    pub(super) used: RefCell<BTreeMap<Key, Pin>>,
}

impl ActionCx<'_> {
    /// The text with the values of this run put in.
    pub fn resolve(&self, text: &Text) -> Result<OsString, Failure> {
        let values = self.shared.values();
        let value = |late: &crate::plan::Late| {
            values.get(&(late.instance.clone(), late.output.clone())).map(String::as_str)
        };
        text.resolve(self.here(), &value).map_err(|error| {
            let kind = match error {
                crate::plan::LateError::Unknown(_) => FailureKind::Internal,
                crate::plan::LateError::Malformed { .. } => FailureKind::Input,
            };
            Failure::new(kind, error.to_string())
        })
    }

    /// The same as a path; a relative one starts at the recipe's folder.
    pub fn resolve_path(&self, text: &Text) -> Result<PathBuf, Failure> {
        Ok(self.here().join(self.resolve(text)?))
    }

    /// The recipe's folder, absolute.
    pub fn here(&self) -> &Path {
        &self.shared.host.here
    }

    /// The nodes of the plan, by name.
    pub fn nodes(&self) -> &BTreeMap<String, Node> {
        &self.shared.plan.nodes
    }

    /// The environment that every child gets.
    pub fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.shared.host.env
    }

    /// Where a secret of the run's can be read by its name.
    pub fn secret(&self, from: &SecretFrom) -> Option<PathBuf> {
        self.shared.host.secrets.path(from)
    }

    /// The run is being stopped: begin nothing that takes long.
    pub fn cancelled(&self) -> bool {
        if self.heed_stop { self.shared.cancel.requested() } else { self.shared.cancel.kill_requested() }
    }

    /// The folder for temporary files, absolute.
    pub fn scratch(&self) -> PathBuf {
        match self.shared.scratch {
            Some(scratch) => scratch.to_owned(),
            None => self.env().get(OsStr::new("TMPDIR")).map_or_else(std::env::temp_dir, PathBuf::from),
        }
    }

    /// Waits, unless the run is being stopped.
    pub fn pause(&self, time: Duration) -> Result<(), Failure> {
        if self.shared.cancel.wait(time) {
            let message = format!("{} was stopped", self.instance.id);
            return Err(Failure::new(
                FailureKind::Signal { signal: rustix::process::Signal::TERM.as_raw() },
                message,
            ));
        }
        Ok(())
    }

    /// The time of the run, which stands still while it is paused.
    pub fn now(&self) -> Instant {
        self.shared.cancel.now()
    }

    /// Waits; whether the run was stopped meanwhile.
    pub fn wait(&self, pause: Duration) -> bool {
        self.shared.cancel.wait(pause)
    }

    /// Says something about this instance: a line in its log.
    pub fn say(&self, line: impl Into<String>) {
        let text = output::plain(&line.into()).into_owned();
        self.line(Stream::Engine, Line { text, painted: None });
    }

    /// The text without secrets: for what is cut to a part of itself before it is told, as nobody finds half a secret.
    pub fn hide(&self, text: &str) -> String {
        self.shared.host.redactor.redact(text).into_owned()
    }

    /// Keeps a file in the instance's own folder, as long as there is room.
    pub fn keep(&self, name: &str, bytes: &[u8]) {
        let folder = self.here().join(".pipeline/work").join(self.instance.id.as_str());
        let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), bytes));
        if let Err(error) = kept {
            self.say(format!("{name} cannot be kept in {}: {error}", folder.display()));
        }
    }

    /// What looks for the run's secrets in data.
    pub fn finder(&self) -> Finder {
        self.shared.host.redactor.finder()
    }

    /// The absolute path of a tool on the children's PATH, or the failure that says how to install it.
    pub fn tool(&self, name: &str) -> Result<PathBuf, Failure> {
        process::find(OsStr::new(name), self.here(), self.env()).ok_or_else(|| failure::missing_tool(name))
    }

    /// Tells which emulator runs a platform's programs.
    pub fn emulator(&self, platform: &Platform, interpreter: &Path, version: Option<String>) {
        let interpreter = interpreter.display().to_string();
        self.event(EventKind::Emulator { platform: platform.clone(), interpreter, version });
    }

    /// Runs a command and keeps its stdout. Exit codes other than those in `ok` are failures.
    pub fn run(&self, command: &Command) -> Result<Captured, Failure> {
        self.execute(command, Keep::Stdout, Codes::Ok, None)
    }

    /// The same for a command that reads `input`, from where the file stands to its end; on a node no faster than the
    /// node's `bandwidth` allows.
    pub fn feed(&self, command: &Command, input: &File) -> Result<Captured, Failure> {
        self.execute(command, Keep::Stdout, Codes::Ok, Some(input))
    }

    /// The same, and tells before, meanwhile and afterwards how far the command has read.
    pub fn feed_telling(&self, command: &Command, input: &File, part: Part) -> Result<Captured, Failure> {
        let total = input.metadata().map(|meta| meta.len()).unwrap_or_default();
        let (port, id) = (&self.shared.port, &self.instance.id);
        let tell = || {
            // The child shares the position.
            let sent = (&mut &*input).stream_position().unwrap_or_default();
            port.send(Message::Event(EventKind::Transfer { instance: id.clone(), sent, total, part }));
        };
        tell();
        let (ended, over) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while over.recv_timeout(TELL_EVERY) == Err(RecvTimeoutError::Timeout) {
                    tell();
                }
                tell();
            });
            let captured = self.feed(command, input);
            drop(ended);
            captured
        })
    }

    /// What the lock says that a name stands for, if it says something; it must where only what is locked may be used.
    pub fn pin(&self, key: &Key) -> Result<Option<Pin>, Failure> {
        let pin = self.shared.pins().get(key).cloned();
        match &pin {
            Some(pin) => self.tell_pin(key, pin, false),
            None if self.shared.locked => {
                let message =
                    format!("the lock does not say what {key} stands for, and `--locked` takes nothing else");
                return Err(Failure::new(FailureKind::Lock, message)
                    .help("`pipeline lock` asks and writes it down; commit the file"));
            }
            None => {}
        }
        Ok(pin)
    }

    /// A name was found to stand for something. Of two that ask at once the first is right; what counts from now on.
    pub fn pinned(&self, key: &Key, pin: Pin) -> Pin {
        let mut lock = self.shared.pins();
        let new = lock.get(key).is_none();
        let pin = lock.keep(key, pin).clone();
        drop(lock);
        self.tell_pin(key, &pin, new);
        pin
    }

    fn tell_pin(&self, key: &Key, pin: &Pin, new: bool) {
        let (instance, key, pin) = (self.instance.id.clone(), key.clone(), pin.clone());
        self.used.borrow_mut().insert(key.clone(), pin.clone());
        self.event(EventKind::Pinned { instance, key, pin, new });
    }

    /// The names that were asked for, for the record.
    pub(super) fn used_pins(&self) -> BTreeMap<String, String> {
        self.used.borrow().iter().map(|(key, pin)| (key.to_string(), pin.to_string())).collect()
    }

    /// Tells what it took to bring an image to a node.
    pub fn delivered(&self, traffic: Traffic) {
        self.event(EventKind::Delivered { instance: self.instance.id.clone(), traffic });
    }

    /// Runs a command and keeps its stdout, whatever the exit code. A tool that does not start, an end by a signal and an
    /// unreachable node are failures all the same.
    pub fn run_any(&self, command: &Command) -> Result<Captured, Failure> {
        self.execute(command, Keep::Stdout, Codes::Any, None)
    }

    pub(super) fn execute(
        &self,
        command: &Command,
        keep: Keep,
        codes: Codes,
        input: Option<&File>,
    ) -> Result<Captured, Failure> {
        let (node, remote) = match &command.place {
            Place::Here | Place::Builder(_) => (None, false),
            Place::Node(name) => match self.nodes().get(name) {
                Some(node) => (Some(name.as_str()), node.ssh.is_some()),
                // What is meant for a node must never run here.
                None => {
                    return Err(Failure::new(
                        FailureKind::Internal,
                        format!("the plan has no node `{name}`"),
                    ));
                }
            },
        };
        let bridge = self.bridge_for(command)?;
        let to = node.and_then(|name| self.nodes().get(name));
        let bandwidth = to.filter(|_| remote).and_then(|node| Some((&node.name, node.bandwidth?)));
        let pace = bandwidth.map(|(node, bytes)| self.shared.paces.of(node, bytes));
        let (argv, stdin) = match (input, to) {
            (None, _) => {
                let (argv, hold) = self.shared.plan.command_line(command);
                (argv, Stdin::held(hold))
            }
            (Some(file), Some(node)) => {
                let stdin = pace.as_deref().map_or(Stdin::File(file), |pace| Stdin::Paced(file, pace));
                (node.wrap_fed(&command.argv), stdin)
            }
            (Some(file), None) => (command.argv.clone(), Stdin::File(file)),
        };
        let mut argv: Vec<OsString> = argv.iter().map(|arg| self.resolve(arg)).collect::<Result<_, _>>()?;
        let inner: Vec<OsString> =
            command.argv.iter().map(|arg| self.resolve(arg)).collect::<Result<_, _>>()?;
        let about = self.instance.node.as_deref();
        if let Some(node) = node.filter(|_| remote && self.log.is_none())
            && let Some(captured) = self.shared.rounds.answer(self, node, &inner)?
        {
            // It is the tool's own code: the connection stood.
            let shown = Shown { argv: &inner, node: Some(node), remote: false, about };
            failure::outcome(command, codes, &shown, captured.code, &[])?;
            return Ok(captured);
        }
        let inner: Vec<OsString> = inner.iter().map(|arg| self.hide(&arg.to_string_lossy()).into()).collect();
        let shown = Shown { argv: &inner, node, remote, about };
        let mut env = self.env().clone();
        if self.instance.is_own_command() {
            env.extend(self.shared.host.secrets.own_env.clone());
        } else if let Some(scratch) = self.shared.scratch {
            env.insert("TMPDIR".into(), scratch.into());
        }
        for (name, value) in &command.env {
            env.insert(name.into(), self.resolve(value)?);
        }
        if let Some((_, bridge)) = &bridge {
            bridge.put_env(&mut env);
            let mut words = command.argv.iter().filter_map(Text::as_literal);
            if let (true, Some(name)) = (words.any(|word| word == "--name"), words.next()) {
                bridge.will_leave(name);
            }
        }
        let dir = match &command.dir {
            Some(dir) => self.resolve_path(dir)?,
            None => self.here().to_owned(),
        };
        let Some(tool) = argv.first().cloned() else {
            return Err(Failure::new(FailureKind::Internal, "the plan has a command without a tool"));
        };
        if self.cancelled() {
            return Err(failure::stopped(&shown));
        }
        if !dir.is_dir() {
            return Err(Failure::new(
                FailureKind::Io,
                format!("{shown} cannot run in {}: there is no such folder", dir.display()),
            ));
        }
        let program =
            process::find(&tool, &dir, &env).ok_or_else(|| failure::missing_tool(&tool.to_string_lossy()))?;
        let begun = Instant::now();
        // As the plan has it: the way to the node is no part of what is done there.
        self.event(EventKind::Command {
            instance: self.instance.id.clone(),
            argv: argv.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        });
        let copies = tool.to_str().is_some_and(failure::copies);
        let to = if remote { node } else { about.filter(|_| copies) };
        if let Some(node) = to {
            match self.connected(node, &dir, &env)? {
                Ok(options) => drop(argv.splice(1..1, options)),
                Err(Refused(said)) => return Err(failure::unreachable(&shown, &self.hidden(&said))),
            }
            // The way was not open in time.
            if self.cancelled() {
                return Err(failure::stopped(&shown));
            }
            if self.late() {
                return Err(failure::timed_out(&shown, begun.elapsed()));
            }
        }
        let request = Request {
            argv: &argv,
            program: &program,
            dir: &dir,
            env: &env,
            stdin,
            keep_stdout: keep == Keep::Stdout,
            redactor: &self.shared.host.redactor,
        };
        let limits = Limits {
            cancel: self.shared.cancel,
            heed_stop: self.heed_stop,
            deadline: self.deadline,
            silence: self.silence,
            grace: self.shared.grace,
            release: None,
        };
        // Where the instance's platform is emulated, that may be why.
        let foreign = self.instance.platform.as_ref().filter(|platform| {
            !remote
                && bridge.is_none()
                && self.instance.runs_its_programs()
                && self.shared.host.actions.is_foreign(platform)
        });
        let mut signs = Signs::default();
        let mut said = VecDeque::new();
        // What a tool says about a full disk is not always the last that it says.
        let mut full = None;
        let ended = process::run(&request, &limits, &mut |stream, line| {
            if !line.text.trim().is_empty() {
                said.truncate(LAST_WORDS - 1);
                said.push_front(self.hide(&line.text));
            }
            if foreign.is_some() {
                signs.see(&line.text);
            }
            if full.is_none() && failure::says_full(&line.text) {
                full = Some(self.hide(&line.text));
            }
            self.printed(stream, line);
        });
        self.end_of_output();
        let ended = ended.map_err(|error| failure::not_started(&shown, &error))?;
        if ended.leaked {
            self.say(format!(
                "{shown} leaked its output pipe: a process that it left behind holds it open; it ends with the run"
            ));
        }
        match ended.why {
            Some(Why::Cancelled) => return Err(failure::stopped(&shown)),
            Some(Why::Silence) => {
                return Err(failure::silent(&shown, self.silence.unwrap_or_default()));
            }
            Some(Why::Timeout) => return Err(failure::timed_out(&shown, begun.elapsed())),
            Some(Why::TooMuch) => return Err(failure::too_much(&shown)),
            None => {}
        }
        if let Some((name, bridge)) = bridge.filter(|_| !ended.status.success())
            && let Some(said) = bridge.lost()
        {
            return Err(self.lost(&name, &shown, &said));
        }
        let mut said: Vec<String> = said.into_iter().rev().collect();
        let own = self.instance.is_own_command();
        signs.see_last(said.iter().map(String::as_str).filter(|_| foreign.is_some()), own);
        let explained = |failure| match foreign {
            Some(platform) => signs.explain(failure, platform, own),
            None => failure,
        };
        let code = failure::exit_code(&shown, ended.status).map_err(explained)?;
        let lost = code == failure::SSH_FAILED || copies;
        if let Some(words) = to.filter(|_| lost).and_then(|node| self.shared.connections?.last_words(node)) {
            said.extend(self.hidden(&words));
        }
        said.extend(full.clone());
        let judged = failure::outcome(command, codes, &shown, code, &said);
        judged.map_err(|failure| if full.is_some() { failure::full(failure) } else { explained(failure) })?;
        Ok(Captured { stdout: ended.stdout, code })
    }

    /// The options by which ssh or scp goes through the one connection to the node.
    fn connected(
        &self,
        node: &str,
        dir: &Path,
        env: &BTreeMap<OsString, OsString>,
    ) -> Result<Result<Vec<OsString>, Refused>, Failure> {
        let ssh = self.nodes().get(node).and_then(|node| node.ssh.as_ref());
        let (Some(ssh), Some(connections)) = (ssh, self.shared.connections) else {
            return Ok(Ok(Vec::new()));
        };
        let argv: Vec<_> = ssh.ssh(&[]).iter().map(|arg| self.resolve(arg)).collect::<Result<_, _>>()?;
        let start = Start { node, argv: &argv, dir, env, over: &|| self.cancelled() || self.late() };
        Ok(connections.options(&start))
    }

    pub(super) fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.shared.cancel.now() >= deadline)
    }

    fn hidden(&self, lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| self.hide(line)).collect()
    }

    pub(super) fn event(&self, kind: EventKind) {
        if self.log.is_some() {
            self.shared.port.send(Message::Event(kind));
        }
    }

    fn line(&self, stream: Stream, line: Line) {
        let Line { text, painted } = line;
        self.event(EventKind::Line { instance: self.instance.id.clone(), stream, text, painted });
    }

    /// A line that a tool printed: told at once, as long as there is room in the log.
    pub(super) fn printed(&self, stream: Stream, line: Line) {
        let kept = self.log.and_then(|log| log.borrow_mut().take(stream, line));
        if let Some((stream, line)) = kept {
            self.line(stream, line);
        }
    }

    /// A tool prints no more: the end of what had no room is told.
    pub(super) fn end_of_output(&self) {
        let Some(log) = self.log else { return };
        let (left_out, tail) = log.borrow_mut().end();
        if left_out.lines > 0 {
            self.say(format!(
                "{} bytes in {} lines are left out here: `max-log` bounds the log",
                left_out.bytes, left_out.lines
            ));
        }
        for (stream, line) in tail {
            self.line(stream, line);
        }
    }
}

/// Which outputs a command's stdout goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Lines, with stderr.
    Nothing,
    /// The value.
    Stdout,
}

/// Which exit codes are no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    /// Those that the command names.
    Ok,
    /// All that the tool itself can have meant.
    Any,
}
