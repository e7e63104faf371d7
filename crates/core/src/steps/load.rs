//! `load`: the archive into a node's image store, by the node's runtime.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Claim, Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Check, Command, CriVerify, Expect, Grammar, Node, Probe, Runtime, Storage, Text};
use crate::platform::Platform;
use crate::spec::{Scope, Str};

pub(super) struct Load;

impl StepKind for Load {
    const NAME: &'static str = "load";
    const SUMMARY: &'static str = "Import the archive into each node's docker, podman or containerd";
    const FLOW: &'static str = "NodeFile or Archive → NodeImage (reference, id)";
    const TOOLS: &'static [&'static str] = &["ssh"];
    type Spec = Spec;
}

/// `docker load`, `podman load` or `ctr --namespace k8s.io images import`, as the node's `runtime` says. CRI-O has no import:
/// use `skopeo-copy` there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The step that brought the archive; found by itself where there is one.
    archive: Option<Str>,
}

/// The archive must be where the step runs.
pub(super) fn local_archive(cx: &mut Lower<'_>, node: &Node) -> Result<(), Refused> {
    let local = cx.inputs.get("archive").is_some_and(|input| input.artifact != Artifact::NodeFile);
    if local && node.ssh.is_some() {
        return Err(cx.refuse(
            Diagnostic::error("plan::type-mismatch", format!("the archive is here and the node `{}` is not", node.name))
                .at(&cx.span.clone(), "this step")
                .help("add a step with `uses = \"scp\"`"),
        ));
    }
    Ok(())
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input {
            key: "archive",
            named: self.archive.as_ref(),
            accepts: &[Artifact::NodeFile, Artifact::Archive],
            required: true,
        }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::NodeImage]
    }

    fn role(&self) -> Role {
        Role::Delivery
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let node = cx.node()?;
        let platform = cx.platform()?;
        local_archive(cx, node)?;
        let path = cx.need("archive", "path")?;
        let reference = cx.need("archive", "reference")?.to_string();
        let mut lowered = Lowered::default();
        let load = match node.runtime {
            Runtime::CriO => {
                return Err(cx.refuse(
                    Diagnostic::error("plan::runtime", format!("node `{}` runs CRI-O, which imports no archives", node.name))
                        .at(&cx.span.clone(), "this step")
                        .help(format!(
                            "use `skopeo-copy` with `dest = \"containers-storage:{reference}\"`, or set the node's `runtime`"
                        )),
                ));
            }
            Runtime::Docker => Command::new(["docker", "load", "--input"]).arg(path),
            Runtime::Podman => podman(node).args(["load", "--quiet", "--input"]).arg(path),
            Runtime::Containerd => {
                let mut command = Command::new(["ctr"]);
                if let Some(socket) = node.cri.as_deref().and_then(|cri| cri.strip_prefix("unix://")) {
                    command = command.args(["--address", socket]);
                }
                command
                    .args(["--namespace", "k8s.io", "images", "import", "--platform", &platform.to_string()])
                    .arg(path)
            }
        };
        lowered.push(load.on_node(&node.name));
        let id = cx.need("archive", "id")?;
        if let Some((inspect, _)) = inspected(node) {
            let what = format!("the platform of `{reference}` on node `{}`", node.name);
            let asked = inspect.args(["--format", "{{.Os}}/{{.Architecture}}", "--", &reference]).on_node(&node.name);
            lowered.push(asked.capture("loaded", Grammar::Any));
            lowered.push(Action::Check(Check {
                what,
                value: Text::late(cx.id.as_str(), "loaded", Grammar::Any),
                expect: Expect::Text(format!("{}/{}", platform.os(), platform.arch()).into()),
            }));
            lowered.late("loaded", Grammar::Any);
        }
        let probe = present(cx, node, &reference, &id, platform);
        lowered.known("reference", reference.as_str());
        lowered.known("id", id);
        let more = cx.input("archive", "tags").and_then(Text::as_literal).unwrap_or_default();
        for reference in more.split_whitespace().chain([reference.as_str()]) {
            lowered.claims.push(Claim::NodeImage {
                node: node.name.clone(),
                store: format!("{:?}", node.runtime),
                reference: reference.to_owned(),
            });
        }
        lowered.probe = Some(Probe::Actions(probe));
        Ok(lowered)
    }
}

/// `podman` on the node's storage.
fn podman(node: &Node) -> Command {
    let command = Command::new(["podman"]);
    let Some(storage) = &node.storage else { return command };
    let command = command.args(["--root", &storage.root]);
    let command = match &storage.runroot {
        Some(runroot) => command.args(["--runroot", runroot]),
        None => command,
    };
    match &storage.driver {
        Some(driver) => command.args(["--storage-driver", driver]),
        None => command,
    }
}

/// How docker and podman show an image, and its id.
fn inspected(node: &Node) -> Option<(Command, &'static str)> {
    match node.runtime {
        Runtime::Docker => Some((Command::new(["docker", "image", "inspect"]), "{{.Id}}")),
        Runtime::Podman => Some((podman(node).args(["image", "inspect"]), "sha256:{{.Id}}")),
        Runtime::CriO | Runtime::Containerd => None,
    }
}

/// Finds out whether the node's runtime has the image of that id under the reference.
pub(super) fn present(cx: &Lower<'_>, node: &Node, reference: &str, id: &Text, platform: Platform) -> Vec<Action> {
    let own = |output: &str| Text::late(cx.id.as_str(), output, Grammar::Any);
    let what = format!("`{reference}` on node `{}`", node.name);
    let check = |output: &str, expect: Expect| {
        Action::Check(Check { what: what.clone(), value: own(output), expect })
    };
    if let Some((inspect, format)) = inspected(node) {
        let asked = inspect.args(["--format", format, "--", reference]).on_node(&node.name);
        return vec![asked.capture("there", Grammar::Any).into(), check("there", Expect::Text(id.clone()))];
    }
    if node.runtime == Runtime::CriO {
        let storage = node.storage.as_ref().map(Storage::specifier).unwrap_or_default();
        let asked = Command::new(["skopeo", "inspect", "--raw"])
            .arg(format!("containers-storage:{storage}{reference}"))
            .on_node(&node.name);
        let expect = Expect::ManifestConfig(id.clone());
        return vec![asked.capture("there", Grammar::Any).into(), check("there", expect)];
    }
    vec![Action::CriVerify(CriVerify {
        node: node.name.clone(),
        endpoint: node.cri.clone(),
        reference: reference.to_owned(),
        id: id.clone(),
        platform,
        emulates: node.emulates.clone(),
        node_platform: node.platform.clone(),
        report: None,
    })]
}
