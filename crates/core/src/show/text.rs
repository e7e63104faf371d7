//! The plan for people: every instance with its commands, in an order in which they can run.

use std::borrow::Cow;
use std::fmt::Write as _;

use petgraph::Direction;

use super::describe::describe;
use super::legend::Legend;
use super::visible;
use crate::plan::{Action, Cause, Command, Instance, NodeIndex, Plan};

/// The whole plan. What stands around many of its commands is said once, at the end.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let targets: std::collections::HashSet<_> =
        plan.graph.node_weights().filter_map(|i| i.target.as_deref()).collect();
    let _ = writeln!(
        out,
        "{}: {}, {}, {}",
        plan.recipe,
        count(plan.graph.node_count(), "step"),
        count(targets.len(), "target"),
        count(plan.nodes.len(), "node")
    );
    for note in &plan.notes {
        let _ = writeln!(out, "{note}");
    }
    let order = plan.order();
    let legend = Legend::new(plan, &order);
    for node in order {
        out.push('\n');
        instance(&mut out, plan, node, &legend);
    }
    legend.write(&mut out);
    // Commands are quoted; sentences hold what the recipe says as it is.
    match visible(&out) {
        Cow::Borrowed(_) => out,
        Cow::Owned(visible) => visible,
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn instance(out: &mut String, plan: &Plan, node: NodeIndex, legend: &Legend<'_>) {
    let instance = &plan.graph[node];
    for piece in [instance.id.as_str(), "  (", &instance.kind] {
        out.push_str(piece);
    }
    if let Some(platform) = &instance.platform {
        let _ = write!(out, ", {platform}");
    }
    out.push(')');
    let mut before: Vec<&str> = plan
        .graph
        .neighbors_directed(node, Direction::Incoming)
        .map(|other| plan.graph[other].id.as_str())
        .collect();
    before.sort_unstable();
    for (index, id) in before.into_iter().enumerate() {
        out.push_str(if index == 0 { "  after " } else { ", " });
        out.push_str(id);
    }
    out.push('\n');
    limits(out, instance);
    for key in &instance.basis.pins {
        let pin = plan.lock.get(key).map_or_else(|| "not in the lock yet".to_owned(), ToString::to_string);
        let _ = writeln!(out, "    (locked: {} is {pin})", key.name());
    }
    for action in &instance.actions {
        out.push_str("    ");
        line(out, instance, action, legend);
    }
    for action in &instance.cleanup {
        out.push_str("    finally ");
        line(out, instance, action, legend);
    }
}

fn limits(out: &mut String, instance: &Instance) {
    let mut limits = Vec::new();
    if let Some(timeout) = instance.timeout {
        limits.push(format!("timeout {timeout:?}"));
    }
    if let Some(silence) = instance.silent_timeout {
        limits.push(format!("{silence:?} of silence"));
    }
    if let Some(retry) = &instance.retry {
        let most = retry.max_delay.map(|most| format!(" to {most:?}")).unwrap_or_default();
        let mut text = format!("{} attempts, {:?}{most} apart", retry.attempts, retry.delay);
        if retry.on != Cause::usual() {
            let on: Vec<String> = retry.on.iter().map(ToString::to_string).collect();
            let _ = write!(text, ", after {}", on.join(", "));
        }
        limits.push(text);
    }
    if let Some(bytes) = instance.max_log {
        limits.push(format!("log of {} KiB", bytes >> 10));
    }
    if let Some(mutex) = &instance.mutex {
        limits.push(format!("mutex {mutex}"));
    }
    if let Some(share) = &instance.share {
        limits.push(format!("pool {} of {}", share.pool, share.at_once));
    }
    if let (Some(at_once), Some(node)) = (instance.node_bound, &instance.node) {
        limits.push(format!("{at_once} at once on {node}"));
    }
    if instance.allow_failure {
        limits.push("may fail".into());
    }
    if !limits.is_empty() {
        let _ = writeln!(out, "    ({})", limits.join("; "));
    }
}

fn line(out: &mut String, instance: &Instance, action: &Action, legend: &Legend<'_>) {
    match action {
        Action::Command(one) => command(out, instance, one, legend),
        Action::CopyFile(copy) => {
            for one in [&copy.enter, &copy.whole] {
                command(out, instance, one, legend);
                out.push_str("\n    ");
            }
            let _ = write!(out, "* {}\n    ", describe(action));
            command(out, instance, &copy.land, legend);
        }
        other => {
            let _ = write!(out, "* {}", describe(other));
        }
    }
    out.push('\n');
}

fn command(out: &mut String, instance: &Instance, command: &Command, legend: &Legend<'_>) {
    if let Some(dir) = &command.dir {
        let _ = write!(out, "in {dir}: ");
    }
    legend.command(out, instance, command);
    if let Some(capture) = &command.capture {
        let _ = write!(out, "  > {}", capture.output);
    }
}
