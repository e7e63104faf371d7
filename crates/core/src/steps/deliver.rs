//! `deliver`: the image in each node's store, by what is missing there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::load;
use super::smoke::engine_of_image;
use super::{Claim, Input, Lower, Lowered, Refused, Role, Rollout, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Grammar, Probe, ShipFrom, ShipMissing, Shipment};
use crate::spec::{Scope, Str};

pub(super) struct Deliver;

impl StepKind for Deliver {
    const NAME: &'static str = "deliver";
    const SUMMARY: &'static str = "Bring the image into each node's store: only missing layers travel";
    const FLOW: &'static str = "Image or Archive → NodeImage (reference, id, sent)";
    const TOOLS: &'static [&'static str] = &["ssh"];
    type Spec = Spec;
}

/// Asks the store of the node's runtime which layers it has, sends the others compressed, each once and resumed where a
/// connection broke, imports the image under its full name, and compares configuration and layers there with what was
/// built. Nothing is exported that does not travel, and nothing is left behind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The step that built the image or wrote its archive; found by itself where there is one.
    image: Option<Str>,
    /// The name on the node; the one that the image was built with when absent.
    reference: Option<Str>,
    /// In which order many nodes go, such as `{ canary = 1, max-parallel = 4, on-failure = "stop" }`.
    rollout: Option<Rollout>,
    /// How many images that had the name before stay on the node, as `TAG.previous`, `TAG.previous-2` and so on, for
    /// `pipeline rollback`; 1 when absent, at most 9. What has lost its last name is removed where no container uses it.
    keep: Option<u8>,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input {
            key: "image",
            named: self.image.as_ref(),
            accepts: &[Artifact::Image, Artifact::Archive],
            required: true,
        }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::NodeImage]
    }

    fn rollout(&self) -> Option<&Rollout> {
        self.rollout.as_ref()
    }

    fn role(&self) -> Role {
        Role::Delivery
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let node = cx.node()?;
        let platform = cx.platform()?;
        let reference = match &self.reference {
            Some(text) => {
                let full = cx.reference(text)?;
                if full.tag().is_none() || full.digest().is_some() {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-reference", "a node keeps images under a name with a tag")
                            .at(&text.span, "this reference")
                            .help("write it like `docker.io/library/registry:2`"),
                    ));
                }
                full.to_string()
            }
            None => cx.need("image", "reference")?.to_string(),
        };
        let keep = self.keep.unwrap_or(1);
        if keep > 9 {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", format!("`keep = {keep}` is more than 9"))
                    .at(&cx.span.clone(), "in this step")
                    .help("each image that is kept takes room on the node"),
            ));
        }
        let id = cx.need("image", "id")?;
        let from = if cx.inputs.get("image").is_some_and(|input| input.artifact == Artifact::Archive) {
            ShipFrom::Archive(cx.need("image", "path")?)
        } else {
            let engine = engine_of_image(cx);
            engine::origin(engine, cx.need("image", "handle")?, cx.input("image", "store").is_some())
        };
        let shipment = Shipment { node: node.name.clone(), name: format!("{}-{}", cx.recipe, cx.id) };
        let mut lowered = Lowered::default();
        lowered.push(Action::ShipMissing(ShipMissing {
            shipment: shipment.clone(),
            from,
            reference: reference.clone(),
            id: id.clone(),
            platform: platform.clone(),
            keep,
            output: "sent".into(),
        }));
        lowered.cleanup.push(Action::EndShipment(shipment));
        lowered.late("sent", Grammar::Number);
        lowered.known("reference", reference.as_str());
        lowered.known("id", id.clone());
        lowered.claims.push(Claim::NodeImage {
            node: node.name.clone(),
            store: format!("{:?}", node.runtime),
            reference: reference.clone(),
        });
        lowered.probe = Some(Probe::Actions(load::present(cx, node, &reference, &id, platform)));
        Ok(lowered)
    }
}
