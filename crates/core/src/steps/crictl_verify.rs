//! `crictl-verify`: the node's CRI runtime has exactly the image that was built.

use schemars::JsonSchema;
use serde::Deserialize;

use super::verify_run::Run;
use super::{Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, CriReport, CriVerify, Grammar, Probe};
use crate::spec::{Scope, Str};

pub(super) struct CrictlVerify;

impl StepKind for CrictlVerify {
    const NAME: &'static str = "crictl-verify";
    const SUMMARY: &'static str = "Ask each node's CRI runtime whether it has exactly the image that was built";
    const FLOW: &'static str = "NodeImage → a check (size)";
    const TOOLS: &'static [&'static str] = &["ssh"];
    type Spec = Spec;
}

/// Compares the exact reference, the image id with the config digest that was built, and the architecture with the
/// target's; the node must be of it or declare that it emulates it. Through `crictl` on the node, and through the CRI
/// socket where there is no crictl. A difference ends the run with exit code 6. Says the image's size, whether the kubelet
/// may remove it and how to prevent that, and when another image keeps the node from listing its images. The output `size`
/// is in bytes, as the runtime counts them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The full reference, as pods name it; the delivered one when absent.
    image: Option<Str>,
    /// The step that put the image on the node; found by itself where there is one.
    source: Option<Str>,
    /// `true`: an image that is not pinned, so that the kubelet may remove it, is a difference. Else it is a warning.
    #[serde(default)]
    pinned: bool,
    /// Runs the image on the node too, and checks how that ends: `{}` for its own command and exit code 0.
    run: Option<Run>,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input { key: "image", named: self.source.as_ref(), accepts: &[Artifact::NodeImage], required: true }]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let node = cx.node()?;
        let platform = cx.platform()?;
        let reference = match &self.image {
            Some(image) => {
                let full = cx.reference(image)?;
                let word = cx.word(image)?;
                if !word.starts_with(&format!("{}/", full.registry())) {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::short-name", format!("`{word}` does not name its registry"))
                            .at(&image.span, "a short name")
                            .help(format!("write `{full}`")),
                    ));
                }
                if full.tag().is_none() || full.digest().is_some() {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-reference", "a node is asked for a tag, not for a digest")
                            .at(&image.span, "this reference")
                            .help("leave the `@sha256:…` out: the image id is compared anyway"),
                    ));
                }
                full.to_string()
            }
            None => cx.need("image", "reference")?.to_string(),
        };
        let mut lowered = Lowered::default();
        lowered.push(Action::CriVerify(CriVerify {
            node: node.name.clone(),
            endpoint: node.cri.clone(),
            reference: reference.clone(),
            id: cx.need("image", "id")?,
            platform,
            emulates: node.emulates.clone(),
            node_platform: node.platform.clone(),
            report: Some(CriReport { pinned: self.pinned, output: "size".into() }),
        }));
        lowered.late("size", Grammar::Number);
        if let Some(run) = &self.run {
            let run = run.lower(cx, node, reference)?;
            lowered.cleanup.push(Action::EndCriRun(run.pod.clone()));
            lowered.push(Action::CriRun(run));
        }
        lowered.probe = Some(Probe::Nothing);
        // What it says is how the node is now.
        lowered.basis.always = true;
        Ok(lowered)
    }
}
