//! The socket of a builder's engine, brought here by our own ssh.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use super::look::{self, Found};
use crate::event::{Failure, FailureKind};
use crate::exec::cancel::Cancel;
use crate::exec::connection::{Connections, Refused, Start};
use crate::exec::failure::SSH_FAILED;
use crate::exec::process::{self, Background, Request, Stdin};
use crate::exec::refusal::cause;
use crate::exec::{Answer, NoAnswer, Question, ask, lifeline};
use crate::output::{self, Redactor};
use crate::plan::{Builder, Engine, Node, Text};

/// Watches from the other end, and for podman starts the service that we speak to. When we fall silent it ends the connection:
/// what sshd holds open to a daemon is closed, and the daemon gives up what it builds. sshd itself would wait for as long as
/// its TCP does. Containers that it was told of are removed, however we end.
const GUARD: &str = include_str!("guard.sh");

/// The longest that a question may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks whether the socket is there.
const LOOK: Duration = Duration::from_millis(5);

/// From the end of an engine's client to that of the connection that it went through.
const LOST: Duration = Duration::from_secs(3);

/// A socket's path has at most 107 bytes.
const LONGEST: usize = 107;

/// Variables that would lead the engine's client elsewhere.
const ELSEWHERE: [&str; 7] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "CONTAINER_SSHKEY",
];

/// What it takes to get there.
pub(crate) struct Ask<'a> {
    pub(crate) builder: &'a Builder,
    /// Whose socket.
    pub(crate) engine: Engine,
    /// The recipe's folder.
    pub(crate) here: &'a Path,
    pub(crate) env: &'a BTreeMap<OsString, OsString>,
    /// Whoever wants it does not want it any more.
    pub(crate) over: &'a dyn Fn() -> bool,
}

/// The way to a builder's engine, for as long as this lives.
pub(crate) struct Bridge {
    socket: PathBuf,
    engine: Engine,
    forward: Background,
    /// Its end ends what says that we are there.
    _speaks: Sender<()>,
    /// `docker 20.10.24`
    version: String,
    machine: String,
}

impl Bridge {
    /// Goes there, looks around and opens the way. The failure says what is wrong there.
    pub(super) fn open(
        ask: &Ask<'_>,
        connections: &Connections,
        socket: PathBuf,
        groups: &Arc<Cancel>,
    ) -> Result<Self, Failure> {
        let Ask { builder, here, env, .. } = *ask;
        if socket.as_os_str().len() > LONGEST {
            return Err(Failure::new(
                FailureKind::Io,
                format!("{} is too long for a socket", socket.display()),
            )
            .help("set `TMPDIR` to a folder with a shorter name"));
        }
        pin(builder, here)?;
        let resolve = |argv: Vec<Text>| -> Result<Vec<OsString>, Failure> {
            let argv = argv.iter().map(|arg| arg.resolve(here, &|_| None)).collect::<Result<_, _>>();
            argv.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))
        };
        let name = builder.platform.to_string();
        let key = format!("builder {name}");
        let start =
            Start { node: &key, argv: &resolve(builder.ssh.ssh(&[]))?, dir: here, env, over: ask.over };
        let options = connections.options(&start).map_err(|Refused(said)| unreachable(builder, &said))?;
        let node = Node { ssh: Some(builder.ssh.clone()), ..Node::new(key.as_str()) };
        let found = look(ask, &options, resolve(node.wrap(&questions(ask)))?)?;

        let Found { machine, socket: daemons } = found;
        let own = daemons
            .is_none()
            .then(|| format!("/var/tmp/pipeline-{:016x}", RandomState::new().hash_one(&name)));
        let there = daemons.unwrap_or_else(|| format!("{}/podman.sock", own.as_deref().unwrap_or_default()));
        let guard = ["sh", "-c", GUARD, "sh", ask.engine.tool(), own.as_deref().unwrap_or_default()];
        let argv = resolve(node.wrap_fed(&guard.map(Text::from)))?;
        let forward = forward(ask, argv, &options, (&socket, &there), groups)?;
        let (speaks, over) = mpsc::channel();
        if let Some(held) = forward.lifeline() {
            std::thread::Builder::new()
                .spawn(move || lifeline::speak(&held, &over))
                .map_err(|error| no_ssh(&error))?;
        }
        let begun = Instant::now();
        let given_up =
            |forward: &Background| forward.has_ended() || begun.elapsed() >= PATIENCE || (ask.over)();
        while UnixStream::connect(&socket).is_err() {
            if given_up(&forward) {
                return Err(not_forwarded(builder, &words(&log_of(&socket))));
            }
            std::thread::sleep(LOOK);
        }
        let mut bridge =
            Self { socket, engine: ask.engine, forward, _speaks: speaks, version: String::new(), machine };
        // A service that has just been started may not listen yet.
        bridge.version = loop {
            match bridge.ask_version(ask, &there) {
                Err(_) if own.is_some() && !given_up(&bridge.forward) => std::thread::sleep(20 * LOOK),
                told => break told?,
            }
        };
        Ok(bridge)
    }

    /// `docker 20.10.24`, as the engine there tells it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// `Linux aarch64`
    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// Makes the engine's client speak to the engine there.
    pub(crate) fn put_env(&self, env: &mut BTreeMap<OsString, OsString>) {
        for name in ELSEWHERE {
            env.remove(OsStr::new(name));
        }
        let mut host = OsString::from("unix://");
        host.push(&self.socket);
        let name = if self.engine == Engine::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
        env.insert(name.into(), host);
    }

    /// A container of that name will be there, which the engine does not remove by itself when we are lost.
    pub(in crate::exec) fn will_leave(&self, container: &str) {
        if let Some(lifeline) = self.forward.lifeline().and_then(|held| held.upgrade()) {
            lifeline.tell(container);
        }
    }

    /// It is there no longer.
    pub(super) fn has_ended(&self) -> bool {
        self.forward.has_ended()
    }

    /// Whether it is there no longer, or will not be in a moment; ssh's last words.
    pub(in crate::exec) fn lost(&self) -> Option<Vec<String>> {
        let begun = Instant::now();
        while !self.has_ended() {
            // Whoever the connection still takes to the engine has lost nothing.
            if begun.elapsed() >= LOST
                || UnixStream::connect(&self.socket).is_ok() && begun.elapsed() >= LOST / 6
            {
                return None;
            }
            std::thread::sleep(LOOK);
        }
        Some(words(&log_of(&self.socket)))
    }

    fn ask_version(&self, ask_: &Ask<'_>, there: &str) -> Result<String, Failure> {
        let tool = self.engine.tool();
        let argv = [tool, "version", "--format", "{{.Server.Version}}"].map(OsString::from);
        let mut env = ask_.env.clone();
        self.put_env(&mut env);
        let question =
            Question { argv: &argv, dir: ask_.here, env: &env, hold_stdin: false, within: PATIENCE };
        let name = ask_.builder.name();
        let why = match ask(&question) {
            Ok(Answer { status, stdout, .. })
                if status.success() && stdout.trim().starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return Ok(format!("{tool} {}", stdout.trim()));
            }
            Ok(Answer { stderr, status, .. }) => {
                stderr.last().map_or_else(|| status.to_string(), |line| output::plain(line).trim().to_owned())
            }
            Err(NoAnswer::NotFound) => {
                let failure = Failure::new(
                    FailureKind::Tool,
                    format!(
                        "`{tool}` is not installed (not found on PATH): its client here speaks to builder `{name}`"
                    ),
                );
                return Err(failure.help(crate::exec::tools::install_help(tool, None)));
            }
            Err(NoAnswer::TooLate(_)) => format!("no answer within {} s", PATIENCE.as_secs()),
            Err(NoAnswer::Io(error)) => error.to_string(),
        };
        Err(Failure::new(
            FailureKind::Tool,
            format!("builder `{name}`: {tool} does not answer at {there}: {why}"),
        )
        .help(format!(
            "`{tool} version` must work there, and sshd allow it: `AllowStreamLocalForwarding yes`"
        )))
    }
}

/// Starts the ssh that holds the way, from the socket here to the one there. It runs `argv` there.
fn forward(
    ask: &Ask<'_>,
    mut argv: Vec<OsString>,
    options: &[OsString],
    (socket, there): (&Path, &str),
    groups: &Arc<Cancel>,
) -> Result<Background, Failure> {
    let log = log_of(socket);
    for old in [socket, &log] {
        let _ = fs::remove_file(old);
    }
    let mut way: OsString = socket.into();
    way.push(":");
    way.push(there);
    let mut more = options.to_vec();
    more.extend(["-o", "ClearAllForwardings=no", "-E"].map(OsString::from));
    more.extend([log.into(), "-L".into(), way]);
    argv.splice(1..1, more);
    let program = process::find(&argv[0], ask.here, ask.env).ok_or_else(no_such_ssh)?;
    let request = Request {
        argv: &argv,
        program: &program,
        dir: ask.here,
        env: ask.env,
        stdin: Stdin::Held,
        keep_stdout: false,
        redactor: &Redactor::default(),
    };
    Background::start(&request, groups).map_err(|error| no_ssh(&error))
}

fn log_of(socket: &Path) -> PathBuf {
    socket.with_extension("log")
}

fn no_ssh(error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Io, format!("ssh cannot be started: {error}"))
}

fn no_such_ssh() -> Failure {
    Failure::new(FailureKind::Tool, "`ssh` is not installed (not found on PATH)")
        .help("apt-get install openssh-client")
}

fn questions(ask: &Ask<'_>) -> Vec<Text> {
    let socket = ask.builder.socket.as_deref().unwrap_or_default();
    ["sh", "-c", look::SCRIPT, "sh", ask.engine.tool(), socket].map(Text::from).into()
}

fn look(ask_: &Ask<'_>, options: &[OsString], mut argv: Vec<OsString>) -> Result<Found, Failure> {
    argv.splice(1..1, options.iter().cloned());
    let question =
        Question { argv: &argv, dir: ask_.here, env: ask_.env, hold_stdin: true, within: PATIENCE };
    match ask(&question) {
        Ok(answer) if answer.status.code() == Some(SSH_FAILED) => {
            Err(unreachable(ask_.builder, &answer.stderr))
        }
        Ok(answer) => look::judge(ask_.builder, ask_.engine, &answer.stdout),
        Err(NoAnswer::NotFound) => {
            Err(Failure::new(FailureKind::Tool, "`ssh` is not installed (not found on PATH)")
                .help("apt-get install openssh-client"))
        }
        Err(NoAnswer::TooLate(said)) => {
            let late = format!("timed out: no answer within {} s", PATIENCE.as_secs());
            Err(unreachable(ask_.builder, &[said, vec![late]].concat()))
        }
        Err(NoAnswer::Io(error)) => Err(no_ssh(&error)),
    }
}

/// A pinned host key stands in a file of its own before the first connection is made.
fn pin(builder: &Builder, here: &Path) -> Result<(), Failure> {
    let (Some(file), Some(key)) = (&builder.ssh.known_hosts, &builder.ssh.host_key) else { return Ok(()) };
    let path = file.resolve(here, &|_| None).map(PathBuf::from);
    let path = path.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&path, format!("* {key}\n")));
    written.map_err(|error| Failure::new(FailureKind::Io, format!("{}: {error}", path.display())))
}

pub(super) fn unreachable(builder: &Builder, said: &[String]) -> Failure {
    let cause = cause(said);
    let words =
        said.last().map_or_else(String::new, |last| format!("ssh says: {}\n", output::plain(last).trim()));
    Failure::new(
        cause.kind(),
        format!("builder `{}` of {} could not be reached", builder.name(), builder.platform),
    )
    .help(format!("{words}{}", cause.remedy(said)))
}

fn not_forwarded(builder: &Builder, said: &[String]) -> Failure {
    let words = said.last().map_or_else(String::new, |last| format!("ssh says: {}\n", last.trim()));
    let message = format!("builder `{}`: its engine's socket cannot be brought here", builder.name());
    Failure::new(FailureKind::Tool, message).help(format!(
        "{words}sshd there must allow it: `AllowStreamLocalForwarding yes`, and no `DisableForwarding`"
    ))
}

/// What ssh printed last.
fn words(log: &Path) -> Vec<String> {
    let bytes = fs::read(log).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(64 << 10)..];
    let text = String::from_utf8_lossy(tail);
    let lines = text.lines().map(|line| output::plain(line).trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}
