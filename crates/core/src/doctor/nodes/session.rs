//! One session with a node.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{Area, Finding, Subject};
use super::refusal::{self, SSH_FAILED};
use super::script::{Facts, LOOK, Questions};
use crate::exec::{NoAnswer, Question, Start, ask};
use crate::plan::{Node, Text};

/// Asks a node everything at once. Where that fails, there is one finding: why.
pub(super) fn ask_node(
    node: &Node,
    questions: &Questions,
    subject: &Subject<'_>,
    within: Duration,
) -> Result<Facts, Finding> {
    let Subject { here, env, connections, .. } = *subject;
    let failed = |why: String| Finding::missing(&Area::Node(node.name.clone()), "connection", why);
    // The script calls sudo itself, to tell a node without it from one that is not reached.
    let mut plain = Node { sudo: false, ..node.clone() };
    let pinned =
        pin(&mut plain, env).map_err(|error| failed(format!("no room for its host key: {error}")))?;
    let words = ["sh", "-c", LOOK, "sh", LOOK].into_iter().chain(questions.list(node.sudo));
    let argv = plain.wrap(&words.map(Text::from).collect::<Vec<_>>());
    let resolve = |argv: Vec<Text>| -> Result<Vec<OsString>, Finding> {
        let argv = argv.iter().map(|arg| arg.resolve(here, &|_| None)).collect::<Result<_, _>>();
        argv.map_err(|error| failed(error.to_string()))
    };
    let mut argv = resolve(argv)?;
    if let (Some(ssh), Some(connections)) = (&plain.ssh, connections) {
        let until = Instant::now() + within;
        let over = || Instant::now() >= until;
        let start = Start { node: &node.name, argv: &resolve(ssh.ssh(&[]))?, dir: here, env, over: &over };
        let options = connections.options(&start);
        let options = options.map_err(|refused| refusal::finding(node, Some(SSH_FAILED), &refused.0))?;
        argv.splice(1..1, options);
    }
    let question = Question { argv: &argv, dir: here, env, hold_stdin: node.ssh.is_some(), within };
    let answer = ask(&question);
    drop(pinned);
    match answer {
        Ok(answer) => {
            let facts = Facts::parse(&answer.stdout).filter(|_| answer.status.success());
            facts.ok_or_else(|| refusal::finding(node, answer.status.code(), &answer.stderr))
        }
        Err(NoAnswer::TooLate(stderr)) => Err(refusal::too_late(node, within, &stderr)),
        Err(NoAnswer::Io(error)) => Err(failed(format!("could not be asked: {error}"))),
        Err(NoAnswer::NotFound) => {
            let tool = if node.ssh.is_some() { "ssh" } else { "sh" };
            let finding = failed(format!("cannot be reached: `{tool}` is not installed here"));
            let install = crate::exec::tools::tool_named(tool).map(|tool| tool.install.to_owned());
            Err(finding.maybe(install))
        }
    }
}

/// A pinned key is written to its file by the plan's own steps, which may not have run: ssh gets a file for this session.
fn pin(node: &mut Node, env: &BTreeMap<OsString, OsString>) -> std::io::Result<Option<tempfile::TempDir>> {
    let Some(ssh) = &mut node.ssh else { return Ok(None) };
    let Some(key) = ssh.known_hosts.as_ref().and(ssh.host_key.as_ref()) else { return Ok(None) };
    let temporary = env.get(OsStr::new("TMPDIR")).filter(|dir| !dir.is_empty());
    let temporary = temporary.map_or(Path::new("/tmp"), Path::new);
    let folder = tempfile::Builder::new().prefix("pipeline-").tempdir_in(temporary)?;
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, format!("* {key}\n"))?;
    let file = file.to_str().ok_or_else(|| std::io::Error::other("TMPDIR is not UTF-8"))?;
    ssh.known_hosts = Some(file.into());
    Ok(Some(folder))
}
