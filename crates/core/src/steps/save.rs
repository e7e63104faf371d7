//! `save`: the image as a file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::smoke::engine_of_image;
use super::{Claim, Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::image::ArchiveFormat;
use crate::plan::{Action, Artifact, Command, Grammar, Probe, SealArchive, Text};
use crate::spec::{Scope, Str};

pub(super) struct Save;

impl StepKind for Save {
    const NAME: &'static str = "save";
    const SUMMARY: &'static str = "Write the image to an archive";
    const FLOW: &'static str = "Image → Archive (path, sha256, format, id, reference)";
    const TOOLS: &'static [&'static str] = &["docker", "podman", "buildah"];
    type Spec = Spec;
}

/// The archive is checked layer by layer, carries the engine's configuration byte for byte and the name that was asked
/// for, is the same when written again, and appears under its name whole or not at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The file, relative to the recipe's folder; `.pipeline/work/<instance>/image.tar` when absent.
    path: Option<Str>,
    /// The step that built the image; found by itself where there is one.
    image: Option<Str>,
    /// `docker-archive` (the default), `oci-archive`, or `oci` (a folder).
    #[serde(default)]
    format: ArchiveFormat,
    /// The name in the archive; the one that `build` was given when absent.
    reference: Option<Str>,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input { key: "image", named: self.image.as_ref(), accepts: &[Artifact::Image], required: true }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Archive]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platform = cx.platform()?;
        let path = match &self.path {
            Some(path) => {
                let word = cx.output_path(path)?;
                if word.contains(':') {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-path", "the path of an archive cannot hold `:`")
                            .at(&path.span, "this path")
                            .help("skopeo would read what follows as a tag"),
                    ));
                }
                word
            }
            None => cx.work("image.tar"),
        };
        let reference = match &self.reference {
            Some(reference) => cx.reference(reference)?.to_string(),
            None => cx.need("image", "reference")?.to_string(),
        };
        // Another name for the archive stands alone.
        let tags = cx.input("image", "tags").filter(|_| self.reference.is_none()).and_then(Text::as_literal);
        let tags: Vec<String> = if self.format == ArchiveFormat::DockerArchive {
            tags.into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect()
        } else {
            Vec::new()
        };
        let annotations = cx.input("image", "annotations").cloned();
        let exported = cx.work("exported.tar");
        let (handle, id) = (cx.need("image", "handle")?, cx.need("image", "id")?);
        let engine = engine_of_image(cx);
        let mut lowered = Lowered::default();
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        lowered.push(Command::new(["mkdir", "-p", "--", &cx.work(""), folder]));
        lowered.push(Command::new(["rm", "-f", "--", &exported]));
        lowered.push(engine::export(engine, cx.input("image", "store").is_some(), &handle, &exported));
        lowered.push(Action::SealArchive(SealArchive {
            from: exported.as_str().into(),
            to: path.as_str().into(),
            format: self.format,
            reference: reference.clone(),
            tags: tags.clone(),
            annotations,
            id: id.clone(),
            platform,
            output: "sha256".into(),
        }));
        lowered.cleanup.push(Command::new(["rm", "-f", "--", &exported]).into());
        lowered.known("path", path.as_str());
        lowered.late("sha256", Grammar::Digest);
        lowered.known("id", id);
        lowered.known("format", self.format.transport());
        lowered.known("reference", reference);
        if !tags.is_empty() {
            lowered.known("tags", tags.join(" "));
        }
        lowered.claims.push(Claim::Path(path.clone()));
        lowered.probe = Some(Probe::Paths(vec![path.into()]));
        lowered.basis.intermediate = self.path.is_none();
        Ok(lowered)
    }
}
