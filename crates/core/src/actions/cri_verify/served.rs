//! A container that serves: it answers an HTTP request on the node as it should.
//!
//! The request is made here and goes the way that ssh opens, so the node needs no tool for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::http::{self, Answer};
use super::reach;
use super::watch::{Started, Watched, first_pause};
use crate::event::{Failure, FailureKind};
use crate::plan::HttpExpect;

/// The longest that one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// Looks at the container go beside this many requests: they cost a command on the node.
const LOOKS: u32 = 4;

/// How to get to the container from here.
enum Way<'w> {
    Socket(&'w Path),
    Tcp(SocketAddr),
}

impl Way<'_> {
    fn get(&self, at: SocketAddr, path: &str) -> io::Result<Answer> {
        let host = at.to_string();
        match self {
            Self::Socket(socket) => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(REQUEST))?;
                stream.set_write_timeout(Some(REQUEST))?;
                http::get(stream, &host, path)
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, REQUEST)?;
                stream.set_read_timeout(Some(REQUEST))?;
                stream.set_write_timeout(Some(REQUEST))?;
                http::get(stream, &host, path)
            }
        }
    }
}

/// Starts it and asks until it answers.
pub(super) fn serves(watched: &Watched<'_>, http: &HttpExpect) -> Result<(), Failure> {
    if watched.wanted.host_network {
        let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), http.port);
        return with_way(watched, at, &|way| {
            // Else its answer would be taken for the container's.
            if let Ok(answer) = way.get(at, &http.path) {
                return Err(Failure::new(
                    FailureKind::Tool,
                    format!(
                        "something on node `{}` answers at port {} before the container is there, with {}",
                        watched.node.name, http.port, answer.status
                    ),
                )
                .help("end it, or let the image listen at another `port`, by its `env`; `network = \"pod\"` has ports of its own"));
            }
            let started = watched.start()?;
            answers(watched, http, &started, way, at)
        });
    }
    let started = watched.start()?;
    let address = watched.pods.address(&started.pod)?;
    let address: IpAddr = address.parse().map_err(|_| {
        Failure::new(FailureKind::Tool, format!("{} has no address: `{address}`", watched.what()))
            .help("its CNI gave it none: see the runtime's log, or use `network = \"host\"`")
    })?;
    let at = SocketAddr::new(address, http.port);
    with_way(watched, at, &|way| answers(watched, http, &started, way, at))
}

fn with_way(
    watched: &Watched<'_>,
    at: SocketAddr,
    ask: &dyn Fn(&Way<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match &watched.node.ssh {
        None => ask(&Way::Tcp(at)),
        Some(ssh) => reach::forwarded(ssh, &at.to_string(), watched.cx, &|socket| ask(&Way::Socket(socket))),
    }
}

/// Until it answers as it should, ends, or its time is up. Other answers may be those of a server that is not ready.
fn answers(
    watched: &Watched<'_>,
    http: &HttpExpect,
    started: &Started,
    way: &Way<'_>,
    at: SocketAddr,
) -> Result<(), Failure> {
    let body = http.body.as_deref().map(regex::Regex::new).transpose().map_err(|error| {
        Failure::new(FailureKind::Input, format!("`body` is no regular expression: {error}"))
    })?;
    let fits = |answer: &Answer| {
        answer.status == http.status && body.as_ref().is_none_or(|body| body.is_match(&answer.body))
    };
    let what = format!("`GET {}` at port {} of {}", http.path, http.port, watched.what());
    let mut pause = first_pause();
    let mut requests: u32 = 0;
    loop {
        let answer = way.get(at, &http.path);
        requests += 1;
        let good = answer.as_ref().is_ok_and(&fits);
        let late = watched.late();
        if (good || late || requests.is_multiple_of(LOOKS))
            && let Some((code, _)) = watched.exited(started)?
        {
            drop(watched.printed());
            return Err(Failure::new(
                FailureKind::Mismatch,
                format!(
                    "{what}: the container ended\nexpected: {}\nit is: ended with exit code {code}",
                    wanted(http)
                ),
            )
            .help("the log has what it printed last"));
        }
        if good {
            watched.cx.say(format!("{what} is {}, at request {}", wanted(http), requests));
            return Ok(());
        }
        if late {
            drop(watched.printed());
            let timeout = watched.wanted.timeout;
            let failure = Failure::new(
                FailureKind::Mismatch,
                format!(
                    "{what} does not answer as it should within {timeout:?}\nexpected: {}\nit is: {}",
                    wanted(http),
                    shown(&answer, watched)
                ),
            );
            return Err(match answer {
                Ok(_) => failure,
                Err(_) => failure.help(
                    "does the image listen at that port, on 127.0.0.1? Does the node's sshd allow forwarding \
                     (AllowTcpForwarding)? A slow start needs a longer `timeout`",
                ),
            });
        }
        watched.pause(&mut pause)?;
    }
}

fn wanted(http: &HttpExpect) -> String {
    match &http.body {
        None => format!("status {}", http.status),
        Some(body) => format!("status {} with a body that matches `{body}`", http.status),
    }
}

fn shown(answer: &io::Result<Answer>, watched: &Watched<'_>) -> String {
    match answer {
        Ok(Answer { status, body }) => {
            let body = watched.cx.hide(body.trim());
            let head: String = body.chars().take(200).collect();
            format!("status {status}, `{}`", head.escape_debug())
        }
        Err(error) => format!("no answer: {error}"),
    }
}
