//! `local-image`: an image that is there already.

use schemars::JsonSchema;
use serde::Deserialize;

use super::build::engine_of;
use super::engine;
use super::{Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, ArchiveDigest, Artifact, DigestOf, Grammar, ImageId, Probe, Text};
use crate::spec::{Scope, Str};

pub(super) struct LocalImage;

impl StepKind for LocalImage {
    const NAME: &'static str = "local-image";
    const SUMMARY: &'static str = "Take an image that is there already: in an engine's store, an archive or a layout";
    const FLOW: &'static str = "→ Image (id, ref, reference) or Archive (path, id, reference)";
    const TOOLS: &'static [&'static str] = &["docker", "podman", "buildah"];
    type Spec = Spec;
}

/// Nothing is built or copied: the image is looked up, and must be of the target's platform. It is looked up in each run, as
/// names move.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The image's name in the engine's store. Either this or `archive`.
    name: Option<Str>,
    /// Whose store: `docker`, `podman` or `buildah`; the recipe's `engine` when absent. buildah's is the user's own here.
    engine: Option<Str>,
    /// A docker archive, an OCI archive or the folder of an OCI layout, of one image.
    archive: Option<Str>,
    /// The full name for other steps; `name` when absent.
    reference: Option<Str>,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        Vec::new()
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![if self.archive.is_some() { Artifact::Archive } else { Artifact::Image }]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let mut lowered = Lowered::default();
        match (&self.name, &self.archive) {
            (Some(name), None) => self.stored(name, &mut lowered, cx)?,
            (None, Some(archive)) => self.archived(archive, &mut lowered, cx)?,
            (name, _) => {
                let span = name.as_ref().map_or_else(|| cx.span.clone(), |name| name.span.clone());
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", "an image is named by `name` or by `archive`")
                        .at(&span, if name.is_some() { "this and `archive` exclude each other" } else { "has neither" })
                        .help("write `name = \"registry:2\"` or `archive = \"registry.tar\"`"),
                ));
            }
        }
        lowered.basis.always = true;
        Ok(lowered)
    }
}

impl Spec {
    fn stored(&self, name: &Str, lowered: &mut Lowered, cx: &mut Lower<'_>) -> Result<(), Refused> {
        let engine = engine_of(cx, self.engine.as_ref())?;
        let full = cx.reference(self.reference.as_ref().unwrap_or(name))?;
        let word = cx.argument(name, "name")?;
        let inspect = engine::inspect_users(engine);
        lowered.push(Action::ImageId(ImageId {
            engine,
            handle: word.as_str().into(),
            inspect,
            platform: cx.platform()?,
            output: "id".into(),
        }));
        lowered.late("id", Grammar::Digest);
        lowered.known("handle", word.as_str());
        lowered.known("ref", word);
        lowered.known("reference", full.to_string());
        lowered.known("engine", engine.name());
        lowered.known("store", "user");
        lowered.probe = Some(Probe::Nothing);
        Ok(())
    }

    fn archived(&self, archive: &Str, lowered: &mut Lowered, cx: &mut Lower<'_>) -> Result<(), Refused> {
        let Some(reference) = &self.reference else {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "the image in the archive needs a name for others")
                    .at(&archive.span, "of this archive")
                    .help("add `reference = \"docker.io/library/NAME:TAG\"`"),
            ));
        };
        let full = cx.reference(reference)?;
        let path = cx.word(archive)?;
        if path.is_empty() || path.chars().any(char::is_control) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-path", format!("bad path `{}`", path.escape_debug()))
                    .at(&archive.span, "this path"),
            ));
        }
        lowered.push(Action::ArchiveDigest(ArchiveDigest {
            path: Text::from(path.as_str()),
            of: DigestOf::Config,
            platform: cx.platform()?,
            output: "id".into(),
        }));
        lowered.late("id", Grammar::Digest);
        lowered.known("path", path);
        lowered.known("reference", full.to_string());
        lowered.probe = Some(Probe::Nothing);
        Ok(())
    }
}
