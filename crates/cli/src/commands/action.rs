//! `pipeline action`: one action of a plan, for scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline_core::event::{Event, EventKind, FailureKind, Stream};
use pipeline_core::exec::{Connections, Host, Secrets, perform_one};
use pipeline_core::lock::Lock;
use pipeline_core::plan::{Action, Builder, Node, Plan};
use serde::Deserialize;

use crate::contain::{self, Side};
use crate::{environment, exit_code, prepare, terminal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    action: Action,
    #[serde(default)]
    nodes: BTreeMap<String, Node>,
    #[serde(default)]
    builders: BTreeMap<String, Builder>,
    #[serde(default)]
    lock: Lock,
    /// What the recipe's `[env]` passes.
    #[serde(default)]
    env: Vec<String>,
    /// What of it nobody may see.
    #[serde(default)]
    secret: Vec<String>,
}

pub(super) fn action(json: &str, values: &[String], allow_privileged: bool) -> u8 {
    let request: Request = match serde_json::from_str(json) {
        Ok(request) => request,
        Err(error) => {
            terminal::error(
                "usage::bad-value",
                &format!("this is no action: {error}"),
                Some("`pipeline plan --format sh` writes scripts with actions of this version"),
            );
            return exit_code::USAGE;
        }
    };
    let mut known = BTreeMap::new();
    for pair in values {
        // Instance names hold no `=`, outputs no `.`.
        let Some((name, value)) = pair.split_once('=') else {
            terminal::error("usage::bad-value", &format!("`{pair}` is no `INSTANCE.OUTPUT=VALUE`"), None);
            return exit_code::USAGE;
        };
        let Some((instance, output)) = name.rsplit_once('.') else {
            terminal::error("usage::bad-value", &format!("`{name}` is no `INSTANCE.OUTPUT`"), None);
            return exit_code::USAGE;
        };
        known.insert((instance.to_owned(), output.to_owned()), value.to_owned());
    }
    let here = match std::env::current_dir() {
        Ok(here) => here,
        Err(error) => {
            terminal::error(
                "place::unreadable",
                &format!("the current folder cannot be read: {error}"),
                None,
            );
            return exit_code::PREFLIGHT_FAILED;
        }
    };
    let performer = prepare::performer(allow_privileged);
    if let Err(code) = super::run::hidden(&request.secret) {
        return code;
    }
    let redactor = environment::redactor(&request.secret, &[]);
    terminal::hide(redactor.clone());
    let passed = [request.env, request.secret].concat();
    let host = Host {
        here,
        env: environment::for_steps(&passed),
        redactor,
        secrets: Secrets::default(),
        actions: &performer,
    };
    let signals = match contain::engine() {
        Ok(Side::Engine(signals)) => signals,
        Ok(Side::Parent(code)) => return code,
        Err(error) => {
            terminal::error("run::engine", &format!("the engine cannot be started: {error}"), None);
            return exit_code::PREFLIGHT_FAILED;
        }
    };
    let mut show = |event: &Event| match &event.kind {
        EventKind::Line { stream, text, .. } => {
            let mark = if *stream == Stream::Engine { "* " } else { "" };
            terminal::note(&format!("{mark}{}\n", terminal::clean(text)));
        }
        EventKind::Pinned { key, pin, .. } => terminal::note(&format!("* {key} is {pin}\n")),
        EventKind::Delivered { traffic, .. } => terminal::note(&format!("* sent {traffic}\n")),
        _ => {}
    };
    let (folder, connections) = if request.builders.is_empty() { (None, None) } else { connections() };
    let plan =
        Plan { nodes: request.nodes, builders: request.builders, lock: request.lock, ..Plan::default() };
    let done = perform_one(&request.action, plan, connections, &host, &known, Some(&signals), &mut show);
    drop(folder);
    match done {
        Ok(value) => {
            if let Some(value) = value {
                terminal::out(&format!("{value}\n"));
            }
            exit_code::DONE
        }
        Err(failure) => {
            terminal::error(failure.kind.code(), &failure.message, failure.help.as_deref());
            match failure.kind {
                FailureKind::Mismatch => exit_code::MISMATCH,
                FailureKind::Lock => exit_code::LOCK_STALE,
                _ => exit_code::STEP_FAILED,
            }
        }
    }
}

/// Connections to builders, and the folder of their sockets. Where there can be none, the action says so.
fn connections() -> (Option<tempfile::TempDir>, Option<Arc<Connections>>) {
    let Ok(folder) = tempfile::Builder::new().prefix("pipeline-").tempdir() else { return (None, None) };
    let connections = Connections::new(folder.path().to_owned()).ok().map(Arc::new);
    (Some(folder), connections)
}
