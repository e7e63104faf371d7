//! What only `pipeline doctor` asks of a node: versions, whether the runtime answers, and whether it looks where we import to.

use super::super::{Area, Finding};
use super::by_hand;
use super::cri::start;
use super::judge::runtime_tools;
use super::script::{Facts, Questions};
use crate::exec::tools::tool_named;
use crate::plan::{Node, Runtime};

/// Tools that one step or another calls on nodes.
const TOOLS: [&str; 8] = ["skopeo", "podman", "ctr", "docker", "crictl", "zstd", "sha256sum", "flock"];

/// Those of them that delivering does better with, whatever the runtime.
const HELPERS: [&str; 3] = ["zstd", "sha256sum", "flock"];

/// Where skopeo and podman put what they unpack.
const UNPACKED: &str = "/var/tmp";

/// Where CRI-O and podman keep images when nobody says otherwise.
pub(super) const STORAGE: &str = "/var/lib/containers/storage";

pub(super) fn ask(node: &Node, questions: &mut Questions) {
    for tool in TOOLS {
        questions.as_worker(format!("version:{tool}"));
    }
    questions.as_worker("worker:");
    let endpoint = node.cri.as_deref().unwrap_or_default();
    match node.runtime {
        Runtime::Docker => questions.as_worker("answers:docker"),
        Runtime::Podman => questions.as_worker("answers:podman"),
        // ctr would answer for a containerd.
        Runtime::CriO => questions.as_worker(format!("answers:crictl:{endpoint}")),
        Runtime::Containerd => questions.as_worker(format!("answers:{endpoint}")),
    }
    if matches!(node.runtime, Runtime::CriO | Runtime::Podman) {
        questions.as_worker(format!("space:{UNPACKED}"));
    }
    if node.runtime == Runtime::CriO {
        questions.as_worker(format!("images:{endpoint}"));
        questions.as_worker("graphroot:");
    }
}

/// The version that a tool prints, in front of nothing where it prints none.
pub(super) fn version(facts: &Facts, tool: &str) -> String {
    facts
        .get("version", tool)
        .filter(|said| !said.is_empty())
        .map(|said| format!(" ({said})"))
        .unwrap_or_default()
}

pub(super) fn judge(node: &Node, facts: &Facts, area: &Area) -> Vec<Finding> {
    let mut findings = tools(node, facts, area);
    findings.extend(facts.get("worker", "").and_then(|user| permissions(node, user, area)));
    findings.extend(facts.all("answers").map(|(_, answer)| runtime(node, answer, area)));
    findings.extend(storage(node, facts, area));
    findings
}

fn tools(node: &Node, facts: &Facts, area: &Area) -> Vec<Finding> {
    let told = |tool: &str| facts.get("tool", tool).is_some();
    let mut findings = Vec::new();
    for (tool, said) in facts.all("version").filter(|(tool, _)| !told(tool)) {
        if said != "none" {
            findings.push(Finding::ok(area, tool, if said.is_empty() { "is there" } else { said }));
        } else if HELPERS.contains(&tool) {
            let finding =
                Finding::warning(area, tool, "is not installed there: deliveries are slower or refused");
            findings.push(finding.maybe(tool_named(tool).map(|tool| by_hand(node, tool.install))));
        }
    }
    findings
}

/// The stores of CRI-O, containerd and dockerd are root's.
fn permissions(node: &Node, user: &str, area: &Area) -> Option<Finding> {
    if user == "0" {
        return Some(Finding::ok(area, "permissions", "commands run as root"));
    }
    let remedy = format!("sudo = true in [nodes.{}], or log in as root", node.name);
    match node.runtime {
        Runtime::CriO | Runtime::Containerd => Some(
            Finding::warning(
                area,
                "permissions",
                format!("commands run as the user {user}, and its images are root's"),
            )
            .remedy(remedy),
        ),
        Runtime::Docker | Runtime::Podman => None,
    }
}

fn runtime(node: &Node, answer: &str, area: &Area) -> Finding {
    let name = "runtime";
    let tool = runtime_tools(node).first().copied().unwrap_or_default();
    match answer.split_once(' ').unwrap_or((answer, "")) {
        ("yes", said) => Finding::ok(area, name, format!("answers: {said}")),
        ("none", _) => {
            let nobody = match node.runtime {
                Runtime::CriO => "there is no crictl".to_owned(),
                _ => format!("neither crictl nor {tool} is there"),
            };
            Finding::warning(area, name, format!("nobody can ask it: {nobody}"))
        }
        (_, said) => Finding::missing(area, name, format!("does not answer: {said}"))
            .remedy(by_hand(node, start(node.runtime))),
    }
}

/// What is imported must lie where CRI-O looks.
fn storage(node: &Node, facts: &Facts, area: &Area) -> Option<Finding> {
    let used =
        facts.get("images", node.cri.as_deref().unwrap_or_default()).filter(|used| !used.is_empty())?;
    let configured = facts.get("graphroot", "").filter(|root| !root.is_empty()).unwrap_or(STORAGE);
    let ours = node.storage.as_ref().map_or(configured, |storage| storage.root.as_str());
    let root = used
        .rsplit_once('/')
        .filter(|(_, folder)| folder.ends_with("-images"))
        .map_or(used, |(root, _)| root);
    Some(if root.trim_end_matches('/') == ours.trim_end_matches('/') {
        Finding::ok(area, "storage", format!("{ours}, as the runtime says"))
    } else {
        Finding::missing(
            area,
            "storage",
            format!("we import to {ours}, and the runtime keeps its images in {root}"),
        )
        .remedy(format!("storage = {{ root = \"{root}\" }} in [nodes.{}]", node.name))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Level;
    use super::*;

    fn judged(node: &Node, answers: &[(&str, &str)]) -> Vec<Finding> {
        let mut lines: Vec<String> = answers.iter().map(|(q, a)| format!("pipeline\t{q}\t{a}")).collect();
        lines.push("pipeline\tend:\tyes".into());
        judge(node, &Facts::parse(&lines.join("\n")).unwrap(), &Area::Node(node.name.clone()))
    }

    #[test]
    fn an_import_must_go_where_the_runtime_looks() {
        let node = Node::new("n");
        let used = ("images:", "/srv/crio/root/overlay-images");
        let found = judged(&node, &[used, ("graphroot:", "")]);
        assert_eq!((found.len(), found[0].level), (1, Level::Missing));
        assert_eq!(found[0].remedy.as_deref(), Some("storage = { root = \"/srv/crio/root\" } in [nodes.n]"));
        assert_eq!(judged(&node, &[used, ("graphroot:", "/srv/crio/root/")])[0].level, Level::Ok);
        let usual = judged(&node, &[("images:", "/var/lib/containers/storage/overlay-images")]);
        assert_eq!(usual[0].level, Level::Ok);
        assert!(judged(&node, &[("images:", "")]).is_empty(), "nobody says where");
    }

    #[test]
    fn a_runtime_that_is_down_a_user_without_rights_and_a_tool_that_helps() {
        let node = Node::new("n");
        let found = judged(
            &node,
            &[("answers:", "no connection refused"), ("worker:", "1000"), ("version:zstd", "none")],
        );
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Warning, Level::Warning, Level::Missing], "{found:#?}");
        assert!(found[1].remedy.as_ref().unwrap().starts_with("sudo = true in [nodes.n]"));
        assert_eq!(found[2].remedy.as_deref(), Some("systemctl start crio"));
        let found = judged(&node, &[("answers:crictl:", "none")]);
        assert_eq!((found.len(), found[0].level), (1, Level::Warning));
        assert!(found[0].detail.ends_with("there is no crictl"), "{found:#?}");
        let found = judged(
            &node,
            &[("answers:", "yes RuntimeVersion: 1.36"), ("worker:", "0"), ("version:podman", "none")],
        );
        assert!(found.iter().all(|finding| finding.level == Level::Ok), "{found:#?}");
    }
}
