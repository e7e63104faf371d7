//! `skopeo-copy`: the image into containers-storage on a node, or into a registry.

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::smoke::engine_of_image;
use super::{Claim, Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::plan::{Action, Artifact, Check, Command, Expect, Grammar, Probe, Text};
use crate::spec::{Scope, Str};

pub(super) struct SkopeoCopy;

impl StepKind for SkopeoCopy {
    const NAME: &'static str = "skopeo-copy";
    const SUMMARY: &'static str = "Copy the image into CRI-O's storage on each node, or into a registry";
    const FLOW: &'static str = "NodeFile, Archive or Image → NodeImage or PushedImage (reference, id)";
    const TOOLS: &'static [&'static str] = &["skopeo", "ssh"];
    type Spec = Spec;
}

/// With `dest = "containers-storage:…"` it runs for each node, on the node when its input is a file there; with
/// `dest = "docker://…"` it pushes once for each target. The config digest at the destination is read back and
/// compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// `containers-storage:REGISTRY/NAME:TAG` or `docker://REGISTRY/NAME:TAG`, with the registry spelled out. The node's
    /// `storage` is put in where it is declared.
    dest: Str,
    /// The step that made the archive or brought it; found by itself where there is one.
    archive: Option<Str>,
    /// The step that built the image, to copy it without an archive.
    image: Option<Str>,
    /// `false` lets skopeo talk to a registry without TLS or with a certificate it does not know.
    tls_verify: Option<bool>,
}

const STORAGE: &str = "containers-storage:";
const REGISTRY: &str = "docker://";

impl Spec {
    fn to_storage(&self) -> bool {
        !self.dest.value.starts_with(REGISTRY)
    }

    /// The transport with storage specifier, and the full reference.
    fn dest(&self, cx: &mut Lower<'_>) -> Result<(String, ImageRef), Refused> {
        let dest = cx.word(&self.dest)?;
        let (prefix, reference) = if let Some(rest) = dest.strip_prefix(STORAGE) {
            let (specifier, reference) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((specifier, reference)) if specifier.contains(|c: char| c.is_control() || c.is_whitespace()) => {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-value", format!("the storage of `{reference}` holds spaces or control characters"))
                            .at(&self.dest.span, "between `[` and `]`")
                            .help("write `[driver@/root+/runroot]`, or declare the node's `storage`"),
                    ));
                }
                Some((specifier, reference)) => (format!("[{specifier}]"), reference),
                None => {
                    let storage = cx.node.and_then(|node| node.storage.as_ref());
                    (storage.map(crate::plan::Storage::specifier).unwrap_or_default(), rest)
                }
            };
            (format!("{STORAGE}{specifier}"), reference)
        } else if let Some(rest) = dest.strip_prefix(REGISTRY) {
            (REGISTRY.to_owned(), rest)
        } else {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`dest` is neither in containers-storage nor in a registry")
                    .at(&self.dest.span, "this transport")
                    .help("write `containers-storage:docker.io/library/NAME:TAG` or `docker://REGISTRY/NAME:TAG`; `save` writes files"),
            ));
        };
        let full = ImageRef::parse(reference).map_err(|error| {
            cx.refuse(
                Diagnostic::error("spec::bad-reference", error.to_string())
                    .at(&self.dest.span, "in this reference")
                    .help("write `registry/name:tag` in lower case, such as `docker.io/library/registry:2`"),
            )
        })?;
        // CRI-O looks for the name that the pod gives; a short one would land under `localhost/`.
        if !reference.starts_with(&format!("{}/", full.registry())) {
            return Err(cx.refuse(
                Diagnostic::error("spec::short-name", format!("`{reference}` does not name its registry"))
                    .at(&self.dest.span, "a short name")
                    .help(format!("write `{full}`")),
            ));
        }
        Ok((prefix, full))
    }
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        if self.to_storage() { Scope::Node } else { Scope::Target }
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let accepts: &[Artifact] = if self.to_storage() {
            &[Artifact::NodeFile, Artifact::Archive, Artifact::Image]
        } else {
            &[Artifact::Archive, Artifact::Image]
        };
        let named = self.archive.as_ref().or(self.image.as_ref());
        vec![Input { key: "archive", named, accepts, required: true }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![if self.to_storage() { Artifact::NodeImage } else { Artifact::PushedImage }]
    }

    fn role(&self) -> Role {
        Role::Delivery
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        if let (Some(archive), Some(image)) = (&self.archive, &self.image) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`archive` and `image` exclude each other")
                    .at(&image.span, "this one")
                    .at(&archive.span, "or this one"),
            ));
        }
        let (prefix, reference) = self.dest(cx)?;
        let dest = format!("{prefix}{reference}");
        let artifact = cx.inputs.get("archive").map(|input| input.artifact);
        let on_node = artifact == Some(Artifact::NodeFile);
        let node = if self.to_storage() { Some(cx.node()?) } else { None };
        if let Some(node) = node {
            super::load::local_archive(cx, node)?;
        }
        let source = if artifact == Some(Artifact::Image) {
            let name = cx.need("archive", "ref")?;
            let engine = cx.input("archive", "engine").and_then(Text::as_literal).map(str::to_owned);
            let engine = crate::plan::Engine::ALL
                .into_iter()
                .find(|known| Some(known.name()) == engine.as_deref())
                .unwrap_or_else(|| engine_of_image(cx));
            engine::skopeo_source(engine, &name).ok_or_else(|| {
                cx.refuse(
                    Diagnostic::error("plan::type-mismatch", "skopeo cannot be told where dockerd is")
                        .at(&cx.span.clone(), "this step copies from docker's store")
                        .help("add a step with `uses = \"save\"` before it"),
                )
            })?
        } else {
            let (format, path) = (cx.need("archive", "format")?, cx.need("archive", "path")?);
            format.lit(":").then(&path)
        };
        let id = cx.need("archive", "id")?;
        let place = |command: Command| match (on_node, node) {
            (true, Some(node)) => command.on_node(&node.name),
            _ => command,
        };
        let tls = |flag: &str, command: Command| match (self.to_storage(), self.tls_verify) {
            (false, Some(verify)) => command.arg(format!("{flag}={verify}")),
            _ => command,
        };
        let mut lowered = Lowered::default();
        lowered.push(place(tls("--dest-tls-verify", Command::new(["skopeo", "copy"])).arg(source).arg(dest.as_str())));
        let inspect = place(tls("--tls-verify", Command::new(["skopeo", "inspect", "--raw"])).arg(dest.as_str()));
        lowered.push(inspect.clone().capture("manifest", Grammar::Any));
        let check = Action::Check(Check {
            what: match node {
                Some(node) => format!("`{reference}` on node `{}`", node.name),
                None => format!("`{reference}` in its registry"),
            },
            value: Text::late(cx.id.as_str(), "manifest", Grammar::Any),
            expect: Expect::ManifestConfig(id.clone()),
        });
        lowered.push(check.clone());
        lowered.late("manifest", Grammar::Any);
        lowered.known("reference", reference.to_string());
        lowered.known("id", id);
        lowered.claims.push(match node {
            Some(node) => Claim::NodeImage {
                node: node.name.clone(),
                store: prefix.clone(),
                reference: reference.to_string(),
            },
            None => Claim::Pushed(reference.to_string()),
        });
        lowered.probe = Some(Probe::Actions(vec![inspect.capture("manifest", Grammar::Any).into(), check]));
        Ok(lowered)
    }
}
