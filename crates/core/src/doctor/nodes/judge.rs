//! What a node's answers mean.

use super::super::needs::{Need, OnNode};
use super::super::{Area, Finding, Level, workspace};
use super::script::{Facts, free};
use super::{by_hand, closely, cri};
use crate::exec::tools::tool_named;
use crate::plan::{Node, Runtime};
use crate::platform::Platform;

/// Tools that belong to the node's runtime, apart from crictl.
pub(super) fn runtime_tools(node: &Node) -> &'static [&'static str] {
    match node.runtime {
        Runtime::CriO => &["skopeo"],
        Runtime::Containerd => &["ctr"],
        Runtime::Docker => &["docker"],
        Runtime::Podman => &["podman"],
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
        findings.extend(cri::cri(node, facts, &area));
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
        findings.push(folder(node, answer, &area));
    }
    findings.extend(closely::judge(node, facts, &area));
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
                findings.push(Finding::ok(area, tool, format!("{path}{}", closely::version(facts, tool))));
                continue;
            }
        };
        findings.push(finding.maybe(tool_named(tool).map(|tool| by_hand(node, tool.install))));
    }
    findings
}

/// Judged for the user that logs in; behind sudo, root makes what scp needs there.
fn folder(node: &Node, answer: &str, area: &Area) -> Finding {
    let name = format!("folder {}", node.dir);
    let take = |detail: String| {
        let user = node.ssh.as_ref().and_then(|ssh| ssh.destination.rsplit_once('@')).map(|(user, _)| user);
        let made = super::super::shell(["install", "-d", "-o", user.unwrap_or("$USER"), &node.dir]);
        Finding::missing(area, name.clone(), detail).remedy(by_hand(node, &made))
    };
    match answer {
        "file" => Finding::missing(area, name, "is not a folder")
            .remedy(format!("another `dir` in [nodes.{}]", node.name)),
        "yes" => Finding::ok(area, name, "can be written to"),
        _ if node.sudo => Finding::ok(area, name, "is entered through sudo"),
        "new" => Finding::ok(area, name, "can be made"),
        "closed" => take("cannot be written to by the user that logs in".into()),
        // `under` and the nearest folder.
        other => take(format!("is not there and cannot be made {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Ssh;

    fn remote(sudo: bool, cri: Option<&str>) -> Node {
        let ssh = Ssh { port: Some(2222), ..Ssh::to("ops@n1") };
        Node {
            ssh: Some(ssh),
            sudo,
            platform: Some(Platform::parse("arm64").unwrap()),
            cri: cri.map(Into::into),
            dir: "/srv/files".into(),
            ..Node::new("n")
        }
    }

    /// The one finding that is not in order.
    fn wrong(node: &Node, cri: bool, answers: &[(&str, &str)]) -> Finding {
        let mut lines: Vec<String> = answers.iter().map(|(q, a)| format!("pipeline\t{q}\t{a}")).collect();
        lines.push("pipeline\tend:\tyes".into());
        let facts = Facts::parse(&lines.join("\n")).unwrap();
        let mut findings = judge(node, &OnNode { cri, ..OnNode::default() }, &facts);
        findings.retain(|finding| finding.level != Level::Ok);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }

    #[test]
    fn a_folder_must_be_open_to_the_user_unless_sudo_helps() {
        let lines = "pipeline\tuser:\t1000\npipeline\tfolder:/srv/files\tnew\npipeline\tend:\tyes";
        let facts = Facts::parse(lines).unwrap();
        let findings = judge(&remote(true, None), &OnNode::default(), &facts);
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
        let closed = wrong(&remote(false, None), false, &[("folder:/srv/files", "under /srv")]);
        assert_eq!(
            (closed.level, closed.detail.as_str()),
            (Level::Missing, "is not there and cannot be made under /srv")
        );
    }

    #[test]
    fn a_socket_helps_when_the_recipe_names_it_and_we_may_use_it() {
        let socket = "/run/crio/crio.sock";
        let no_crictl = |login: &'static str| {
            [("tool:crictl", ""), ("cri:/run/crio/crio.sock", "yes"), ("socket:/run/crio/crio.sock", login)]
        };
        let finding = wrong(&remote(true, Some("unix:///run/crio/crio.sock")), true, &no_crictl("closed"));
        assert!(finding.detail.contains(&format!("{socket} is closed to us")), "{finding:?}");
        let finding = wrong(&remote(false, None), true, &no_crictl("yes"));
        let remedy = "cri = \"unix:///run/crio/crio.sock\" in [nodes.n]";
        assert_eq!(finding.remedy.as_deref(), Some(remedy));
    }

    #[test]
    fn another_machine_than_the_recipe_says() {
        let finding = wrong(&remote(false, None), false, &[("machine:", "x86_64")]);
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(finding.remedy.as_deref(), Some("platform = \"linux/amd64\" in [nodes.n]"));
    }
}
