//! Nodes: one session each, side by side.

mod closely;
mod cri;
mod judge;
mod refusal;
mod runtime;
mod script;
mod session;

pub use runtime::{RuntimeThere, find_runtime};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::needs::{self, OnNode};
use super::{Finding, Level, Subject};
use crate::plan::{Node, Plan, Runtime};
use script::Questions;

/// Sessions at once. sshd takes ten connections that have not authenticated yet and then begins to drop some
/// (`MaxStartups`), and all these nodes may be names of one host.
const AT_ONCE: usize = 10;

/// The longest that an examination may take. Connecting has 10 s of it.
const LIMIT: Duration = Duration::from_secs(30);

/// The same before a run.
const QUICK: Duration = Duration::from_secs(15);

/// Everything about the plan's nodes.
pub(super) fn examine(plan: &Plan, subject: &Subject<'_>) -> Vec<Finding> {
    ask_all(plan, subject, LIMIT, everything)
}

/// Everything about a node that no plan needs.
pub(super) fn examine_one(node: &Node, subject: &Subject<'_>) -> Vec<Finding> {
    let needs = OnNode { certain: true, ..OnNode::default() };
    look(node, &needs, subject, LIMIT, everything)
}

/// Whether they answer, with the tools that the plan uses there.
pub(super) fn reach(plan: &Plan, subject: &Subject<'_>) -> Vec<Finding> {
    ask_all(plan, subject, QUICK, essentials)
}

fn ask_all(
    plan: &Plan,
    subject: &Subject<'_>,
    within: Duration,
    questions: fn(&Node, &OnNode) -> Questions,
) -> Vec<Finding> {
    let nodes = needs::nodes(plan);
    let next = AtomicUsize::new(0);
    let found: Mutex<BTreeMap<usize, Vec<Finding>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..nodes.len().min(AT_ONCE) {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((node, needs)) = nodes.get(index)
                {
                    let mut findings = look(node, needs, subject, within, questions);
                    // Steps that may fail there fail no run.
                    if !needs.certain {
                        for finding in &mut findings {
                            finding.level = finding.level.min(Level::Warning);
                        }
                    }
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(index, findings);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().flatten().collect()
}

fn look(
    node: &Node,
    needs: &OnNode,
    subject: &Subject<'_>,
    within: Duration,
    questions: fn(&Node, &OnNode) -> Questions,
) -> Vec<Finding> {
    match session::ask_node(node, &questions(node, needs), subject, within) {
        Ok(facts) => judge::judge(node, needs, &facts),
        Err(finding) => vec![finding],
    }
}

fn essentials(node: &Node, needs: &OnNode) -> Questions {
    let mut questions = Questions::default();
    if needs.cri {
        for socket in cri::sockets(node) {
            questions.as_login(format!("socket:{socket}"));
            questions.as_worker(format!("cri:{socket}"));
        }
        questions.as_worker("tool:crictl");
    }
    for tool in needs.tools.keys() {
        questions.as_worker(format!("tool:{tool}"));
    }
    questions
}

fn everything(node: &Node, needs: &OnNode) -> Questions {
    let mut questions = essentials(node, needs);
    questions.as_login("machine:");
    questions.as_login("user:");
    if needs.files {
        questions.as_login(format!("folder:{}", node.dir));
        questions.as_worker(format!("space:{}", node.dir));
    }
    questions.as_worker(format!("space:{}", storage_root(node)));
    for tool in judge::runtime_tools(node) {
        questions.as_worker(format!("tool:{tool}"));
    }
    if matches!(node.runtime, Runtime::CriO | Runtime::Podman) {
        questions.as_worker("policy:");
    }
    closely::ask(node, &mut questions);
    questions
}

/// Where the runtime's images lie.
fn storage_root(node: &Node) -> &str {
    match (&node.storage, node.runtime) {
        (Some(storage), Runtime::CriO | Runtime::Podman) => &storage.root,
        (_, Runtime::CriO | Runtime::Podman) => closely::STORAGE,
        (_, Runtime::Containerd) => "/var/lib/containerd",
        (_, Runtime::Docker) => "/var/lib/docker",
    }
}

/// A command for a person to type here that is carried out on the node.
fn by_hand(node: &Node, command: &str) -> String {
    let command = if node.sudo { format!("sudo {command}") } else { command.to_owned() };
    match &node.ssh {
        Some(_) => {
            let mut words = ssh_words(node);
            // sudo may want to ask for a password.
            if node.sudo {
                words.insert(1, "-t".to_owned());
            }
            words.push(command);
            super::shell(words)
        }
        None => command,
    }
}

/// `ssh` and the node, without the options that keep it from asking a person.
fn ssh_words(node: &Node) -> Vec<String> {
    let mut words = vec!["ssh".to_owned()];
    if let Some(ssh) = &node.ssh {
        let (config, identity, jump) = (&ssh.config, &ssh.identity, &ssh.jump);
        for (flag, value) in
            [("-F", config), ("-i", identity), ("-J", jump)].map(|(flag, value)| (flag, value.clone()))
        {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        words.extend(ssh.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        words.push(ssh.destination.clone());
    }
    words
}
