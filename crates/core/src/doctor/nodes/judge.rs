//! What a node's answers mean.

use super::super::needs::{Need, OnNode};
use super::super::{Area, Finding, Level, workspace};
use super::by_hand;
use super::script::{Facts, free};
use crate::exec::tools::tool_named;
use crate::plan::{Node, Runtime};
use crate::platform::Platform;

/// Where runtimes listen when nobody says otherwise.
const SOCKETS: [&str; 2] = ["/run/crio/crio.sock", "/run/containerd/containerd.sock"];

/// Tools that belong to the node's runtime, apart from crictl.
pub(super) fn runtime_tools(node: &Node) -> &'static [&'static str] {
    match node.runtime {
        Runtime::CriO => &["skopeo"],
        Runtime::Containerd => &["ctr"],
        Runtime::Docker => &["docker"],
        Runtime::Podman => &["podman"],
    }
}

/// The CRI sockets to look for: the recipe's, or else the usual ones.
pub(super) fn sockets(node: &Node) -> Vec<&str> {
    match &node.cri {
        Some(cri) => vec![cri.strip_prefix("unix://").unwrap_or(cri)],
        None => SOCKETS.to_vec(),
    }
}

/// Findings on all that was asked and answered.
pub(super) fn judge(node: &Node, needs: &OnNode, facts: &Facts) -> Vec<Finding> {
    let area = Area::Node(node.name.clone());
    let mut findings = machine(node, needs, facts, &area);
    if let Some(answer) = facts.get("sudo", "") {
        findings.push(match answer.strip_prefix("no") {
            None => Finding::ok(&area, "sudo", "needs no password"),
            Some(said) => {
                let who = node.ssh.as_ref().map_or("you", |ssh| ssh.destination.as_str());
                let detail = format!("does not let {who} in without a password (it says:{said})");
                let finding = Finding::missing(&area, "sudo", detail);
                finding.remedy(by_hand(node, "visudo -f /etc/sudoers.d/pipeline"))
            }
        });
    }
    findings.extend(tools(node, needs, facts, &area));
    if needs.cri {
        findings.extend(cri(node, facts, &area));
    }
    if let Some(answer) = facts.get("policy", "") {
        let used = needs.tools.get("skopeo").is_some_and(|need| *need == Need::Certain);
        let name = "policy.json";
        findings.push(if answer == "yes" {
            Finding::ok(&area, name, "is there")
        } else {
            let level = if used { Level::Missing } else { Level::Warning };
            Finding::new(
                &area,
                name,
                level,
                "there is no /etc/containers/policy.json: skopeo refuses every image without it",
            )
            .remedy(by_hand(node, "apt-get install golang-github-containers-common"))
        });
    }
    if let Some(answer) = facts.get("folder", &node.dir) {
        findings.push(folder(node, answer, facts.get("user", ""), &area));
    }
    for (place, answer) in facts.all("space") {
        let name = format!("free space at {place}");
        findings.push(match free(answer) {
            Some(free) => {
                workspace::room(&area, name, free, by_hand(node, &super::super::shell(["df", "-h", place])))
            }
            None => Finding::warning(&area, name, "df does not tell"),
        });
    }
    findings
}

/// The machine is what the recipe says, and runs what is sent to it.
fn machine(node: &Node, needs: &OnNode, facts: &Facts, area: &Area) -> Vec<Finding> {
    let Some(answer) = facts.get("machine", "") else { return Vec::new() };
    let place = node.ssh.as_ref().map_or("this machine", |ssh| ssh.destination.as_str());
    let mut findings = vec![Finding::ok(area, "connection", format!("{place} answers: {answer}"))];
    let Some(is) = Platform::from_uname(answer) else {
        findings.push(Finding::warning(
            area,
            "machine",
            format!("`{answer}` is of no platform that we know"),
        ));
        return findings;
    };
    if let Some(said) = node.platform.as_ref().filter(|said| said.arch() != is.arch()) {
        findings.push(
            Finding::warning(area, "machine", format!("is {is}, and the recipe says {said}"))
                .remedy(format!("platform = \"{is}\" in [nodes.{}]", node.name)),
        );
    }
    let is = node.platform.as_ref().unwrap_or(&is);
    for platform in needs.platforms.iter().filter(|platform| !is.runs_natively(platform)) {
        if !node.emulates.contains(platform) {
            // crictl-verify refuses this; other steps deliver it all the same.
            let level = if needs.cri { Level::Missing } else { Level::Warning };
            let detail = format!("is {is}, and does not run the images for {platform} that it gets");
            let finding = Finding::new(area, "machine", level, detail);
            findings.push(
                finding.remedy(format!("emulates = [\"{platform}\"] in [nodes.{}], if it does", node.name)),
            );
        }
    }
    findings
}

fn tools(node: &Node, needs: &OnNode, facts: &Facts, area: &Area) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (tool, path) in facts.all("tool") {
        // It has a socket beside it.
        if tool == "crictl" {
            continue;
        }
        let finding = match (path, needs.tools.get(tool)) {
            ("", Some(Need::Certain)) => Finding::missing(area, tool, "is not installed there"),
            ("", Some(Need::Perhaps)) => Finding::warning(area, tool, "is not installed there"),
            ("", None) => {
                Finding::warning(area, tool, "is not installed there; this recipe does not need it")
            }
            (path, _) => {
                findings.push(Finding::ok(area, tool, path));
                continue;
            }
        };
        findings.push(finding.maybe(tool_named(tool).map(|tool| by_hand(node, tool.install))));
    }
    findings
}

/// crictl, or the socket itself. crictl asks as the user that commands run as, ssh forwards as the one that logs in.
fn cri(node: &Node, facts: &Facts, area: &Area) -> Option<Finding> {
    let crictl = facts.get("tool", "crictl")?;
    let there = |kind: &'static str| facts.all(kind).find(|(_, answer)| *answer != "no");
    let finding = match (&node.cri, crictl, there("cri"), there("socket")) {
        (Some(_), _, None, None) => {
            let detail = format!("there is no socket at {}: is the runtime up?", sockets(node).join(", "));
            Finding::missing(area, "CRI", detail).remedy(by_hand(node, start(node.runtime)))
        }
        (_, crictl, cri, _) if !crictl.is_empty() => {
            let at = cri.map(|(socket, _)| format!(", and a socket at {socket}")).unwrap_or_default();
            Finding::ok(area, "CRI", format!("{crictl}{at}"))
        }
        (Some(_), _, _, Some((socket, "yes"))) => {
            Finding::ok(area, "CRI", format!("no crictl, but {socket}, which will do"))
        }
        (Some(_), ..) => {
            let detail = format!("there is no crictl, and {} is closed to us", sockets(node).join(", "));
            install(Finding::missing(area, "CRI", detail), node)
        }
        (None, _, Some((socket, _)), _) | (None, _, _, Some((socket, _))) => {
            let detail = format!("there is no crictl, and the recipe does not name the socket {socket}");
            Finding::missing(area, "CRI", detail)
                .remedy(format!("cri = \"unix://{socket}\" in [nodes.{}]", node.name))
        }
        (None, ..) => install(Finding::missing(area, "CRI", "there is neither crictl nor a socket"), node),
    };
    Some(finding)
}

fn install(finding: Finding, node: &Node) -> Finding {
    finding.maybe(tool_named("crictl").map(|tool| by_hand(node, tool.install)))
}

fn start(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::CriO => "systemctl start crio",
        Runtime::Containerd => "systemctl start containerd",
        Runtime::Docker => "systemctl start docker",
        Runtime::Podman => "systemctl start podman.socket",
    }
}

/// scp writes as the user that logs in; the folder is made by the one that commands run as.
fn folder(node: &Node, answer: &str, user: Option<&str>, area: &Area) -> Finding {
    let name = format!("folder {}", node.dir);
    let owned = node.sudo && user.is_some_and(|user| user != "0");
    let take = |detail: String| {
        let user = node.ssh.as_ref().and_then(|ssh| ssh.destination.rsplit_once('@')).map(|(user, _)| user);
        let made = super::super::shell(["install", "-d", "-o", user.unwrap_or("$USER"), &node.dir]);
        Finding::missing(area, name.clone(), detail).remedy(by_hand(node, &made))
    };
    match answer {
        "yes" => Finding::ok(area, name, "can be written to"),
        "new" if owned => {
            take("is not there; sudo would make it root's, and scp could not write to it".into())
        }
        "new" => Finding::ok(area, name, "can be made"),
        "closed" => take("cannot be written to by the user that logs in".into()),
        "file" => Finding::missing(area, name, "is not a folder")
            .remedy(format!("another `dir` in [nodes.{}]", node.name)),
        // `under` and the nearest folder.
        other => take(format!("is not there and cannot be made {other}")),
    }
}
