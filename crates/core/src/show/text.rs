//! The plan for people: every instance with its commands, in an order in which they can run.

use std::fmt::Write as _;

use petgraph::Direction;

use super::describe::describe;
use super::{acts, shown_env, shown_line};
use crate::plan::{Action, Command, Instance, NodeIndex, Place, Plan};

/// The whole plan. Commands on nodes stand after `on NODE:`; what that means is said at the end.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let targets: std::collections::BTreeSet<_> =
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
    for node in plan.order() {
        out.push('\n');
        instance(&mut out, plan, node);
    }
    legend(&mut out, plan);
    // Commands are quoted; sentences hold what the recipe says as it is.
    out.chars().map(|c| if acts(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn instance(out: &mut String, plan: &Plan, node: NodeIndex) {
    let instance = &plan.graph[node];
    let _ = write!(out, "{}  ({}", instance.id, instance.kind);
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
    if !before.is_empty() {
        let _ = write!(out, "  after {}", before.join(", "));
    }
    out.push('\n');
    limits(out, instance);
    for action in &instance.actions {
        let _ = writeln!(out, "    {}", line(action));
    }
    for action in &instance.cleanup {
        let _ = writeln!(out, "    finally {}", line(action));
    }
}

fn limits(out: &mut String, instance: &Instance) {
    let mut limits = Vec::new();
    if let Some(timeout) = instance.timeout {
        limits.push(format!("timeout {timeout:?}"));
    }
    if let Some(retry) = instance.retry {
        limits.push(format!("{} attempts, {:?} apart", retry.attempts, retry.delay));
    }
    if let Some(mutex) = &instance.mutex {
        limits.push(format!("mutex {mutex}"));
    }
    if instance.allow_failure {
        limits.push("may fail".into());
    }
    if !limits.is_empty() {
        let _ = writeln!(out, "    ({})", limits.join("; "));
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::Command(command) => command_line(command),
        other => format!("* {}", describe(other)),
    }
}

fn command_line(command: &Command) -> String {
    let place = match &command.place {
        Place::Here => String::new(),
        Place::Node(node) => format!("on {node}: "),
    };
    let dir = command.dir.as_ref().map(|dir| format!("in {dir}: ")).unwrap_or_default();
    let capture =
        command.capture.as_ref().map(|capture| format!("  > {}", capture.output)).unwrap_or_default();
    format!("{place}{dir}{}{}{capture}", shown_env(command, super::shown_word), shown_line(&command.argv))
}

/// What stands around the commands on nodes: exactly what is executed, once for each node.
fn legend(out: &mut String, plan: &Plan) {
    if plan.nodes.is_empty() {
        return;
    }
    out.push('\n');
    for node in plan.nodes.values() {
        let around = node.wrap(&["…".into()]);
        if node.ssh.is_some() {
            let _ = writeln!(out, "on {}:  {}", node.name, shown_line(&around));
        } else {
            let _ = writeln!(
                out,
                "on {}:  this machine{}",
                node.name,
                if node.sudo { ", through sudo -n" } else { "" }
            );
        }
    }
}
