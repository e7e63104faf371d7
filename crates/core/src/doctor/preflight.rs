//! Before a run: what would certainly end it, and is quickly told.

use std::ffi::OsStr;

use super::{Finding, Level, Subject, builders, needs, nodes, tools};
use crate::exec::find;

/// Tools that the plan's commands call and that are not there, here or on a node, and nodes that do not answer: all of
/// them at once. Nothing is found when a run may begin.
///
/// It takes one session for each node,
/// side by side and 15 s at the most for each; without nodes it starts no process at all. What a step may do without, such
/// as the tools of its clean-up, is not looked at.
pub fn preflight(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(plan) = subject.plan else { return Vec::new() };
    let (here, env) = (subject.here, subject.env);
    let local = needs::local(plan, here);
    let mut findings: Vec<Finding> =
        local.paths.iter().map(|(path, need)| tools::at_path(path, *need, env)).collect();
    let absent = local.named.iter().filter(|(tool, _)| tool.find(here, env).is_none());
    findings.extend(absent.map(|(tool, need)| tools::not_installed(tool, *need)));
    let no_ssh =
        local.named.keys().any(|tool| tool.tool == "ssh") && find(OsStr::new("ssh"), here, env).is_none();
    if no_ssh {
        // Forty nodes that cannot be reached for want of ssh are one problem.
        findings.extend(nodes::reach(plan, subject).into_iter().filter(|f| f.name != "connection"));
    } else {
        findings.extend(nodes::reach(plan, subject));
    }
    if !no_ssh {
        findings.extend(builders::examine(subject));
    }
    findings.retain(|finding| finding.level == Level::Missing);
    findings
}
