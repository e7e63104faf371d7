//! `load`: the archive into a node's image store, by the node's runtime.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Claim, Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Check, Command, CriVerify, Expect, Grammar, Node, Probe, Runtime, Text};
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
        let (load, inspect) = match node.runtime {
            Runtime::CriO => {
                return Err(cx.refuse(
                    Diagnostic::error("plan::runtime", format!("node `{}` runs CRI-O, which imports no archives", node.name))
                        .at(&cx.span.clone(), "this step")
                        .help(format!(
                            "use `skopeo-copy` with `dest = \"containers-storage:{reference}\"`, or set the node's `runtime`"
                        )),
                ));
            }
            Runtime::Docker => (
                Command::new(["docker", "load", "--input"]).arg(path),
                Some((Command::new(["docker", "image", "inspect"]), "{{.Id}}")),
            ),
            Runtime::Podman => (
                Command::new(["podman", "load", "--quiet", "--input"]).arg(path),
                Some((Command::new(["podman", "image", "inspect"]), "sha256:{{.Id}}")),
            ),
            Runtime::Containerd => {
                let mut command = Command::new(["ctr"]);
                if let Some(socket) = node.cri.as_deref().and_then(|cri| cri.strip_prefix("unix://")) {
                    command = command.args(["--address", socket]);
                }
                let command = command
                    .args(["--namespace", "k8s.io", "images", "import", "--platform", &platform.to_string()])
                    .arg(path);
                (command, None)
            }
        };
        lowered.push(load.on_node(&node.name));
        let own = |output: &str| Text::late(cx.id.as_str(), output, Grammar::Any);
        let ask = |inspect: Command, format: &str, output: &str| {
            let command = inspect.args(["--format", format, "--", &reference]).on_node(&node.name);
            Action::from(command.capture(output, Grammar::Any))
        };
        let id = cx.need("archive", "id")?;
        let probe = match inspect {
            Some((inspect, format)) => {
                lowered.push(ask(inspect.clone(), "{{.Os}}/{{.Architecture}}", "loaded"));
                lowered.push(Action::Check(Check {
                    what: format!("the platform of `{reference}` on node `{}`", node.name),
                    value: own("loaded"),
                    expect: Expect::Text(format!("{}/{}", platform.os(), platform.arch()).into()),
                }));
                lowered.late("loaded", Grammar::Any);
                let check = Check {
                    what: format!("`{reference}` on node `{}`", node.name),
                    value: own("there"),
                    expect: Expect::Text(id.clone()),
                };
                vec![ask(inspect, format, "there"), Action::Check(check)]
            }
            None => vec![Action::CriVerify(CriVerify {
                node: node.name.clone(),
                endpoint: node.cri.clone(),
                reference: reference.clone(),
                id: id.clone(),
                platform,
                emulates: node.emulates.clone(),
                node_platform: node.platform.clone(),
            })],
        };
        lowered.known("reference", reference.as_str());
        lowered.known("id", id);
        lowered.claims.push(Claim::NodeImage {
            node: node.name.clone(),
            store: format!("{:?}", node.runtime),
            reference,
        });
        lowered.probe = Some(Probe::Actions(probe));
        Ok(lowered)
    }
}
