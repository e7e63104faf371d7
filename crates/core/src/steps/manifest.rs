//! `manifest`: the images of all targets under one name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::{Claim, Input, Lower, Lowered, One, Refused, Role, StepBody, StepKind};
use crate::diag::{Diagnostic, list_names};
use crate::image::{ArchiveFormat, ImageRef};
use crate::plan::{
    Action, Artifact, CheckIndex, Command, Engine, Grammar, IndexImage, JoinIndex, Probe, Text,
};
use crate::platform::Platform;
use crate::spec::{Scope, Str};

pub(super) struct Manifest;

impl StepKind for Manifest {
    const NAME: &'static str = "manifest";
    const SUMMARY: &'static str = "Join the images of all targets into one multi-platform index";
    const FLOW: &'static str = "every target's Archive or Image → Index (digest, reference or path)";
    const TOOLS: &'static [&'static str] = &["skopeo", "docker", "podman", "buildah"];
    type Spec = Spec;
}

/// One image for each platform, each with the configuration that was built, byte for byte. The index is read back from where
/// it went, for each platform. A run for some of the targets only is refused: its index would take the place of the whole one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// `docker://REGISTRY/NAME:TAG`, with the registry spelled out; `oci:PATH`, a folder; or `oci-archive:PATH`, a file.
    dest: Str,
    /// The step that made the archives; found by itself where there is one.
    archive: Option<Str>,
    /// The step that built the images, to join them without archives.
    image: Option<Str>,
    /// The platforms that it must be for, no more and no fewer; those of the step's targets when absent.
    platforms: Option<Vec<Str>>,
    /// `false` lets skopeo talk to a registry without TLS or with a certificate it does not know.
    tls_verify: Option<bool>,
}

const REGISTRY: &str = "docker://";

enum Dest {
    Registry(ImageRef),
    File(ArchiveFormat, String),
}

impl Spec {
    fn dest(&self, cx: &mut Lower<'_>) -> Result<Dest, Refused> {
        let dest = cx.word(&self.dest)?;
        if let Some(reference) = dest.strip_prefix(REGISTRY) {
            let full = cx.reference(&Str { value: reference.to_owned(), span: self.dest.span.clone() })?;
            if !reference.starts_with(&format!("{}/", full.registry())) {
                return Err(cx.refuse(
                    Diagnostic::error("spec::short-name", format!("`{reference}` does not name its registry"))
                        .at(&self.dest.span, "a short name")
                        .help(format!("write `{REGISTRY}{full}`")),
                ));
            }
            return Ok(Dest::Registry(full));
        }
        for format in [ArchiveFormat::OciLayout, ArchiveFormat::OciArchive] {
            let Some(path) = dest.strip_prefix(&format!("{}:", format.transport())) else { continue };
            if path.contains(':') {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-path", "the path of an index cannot hold `:`")
                        .at(&self.dest.span, "this path")
                        .help("skopeo would read what follows as a tag"),
                ));
            }
            let path = cx.output_path(&Str { value: path.to_owned(), span: self.dest.span.clone() })?;
            return Ok(Dest::File(format, path));
        }
        Err(cx.refuse(
            Diagnostic::error("spec::bad-value", "`dest` is neither in a registry nor an OCI layout or archive")
                .at(&self.dest.span, "this transport")
                .help("write `docker://REGISTRY/NAME:TAG`, `oci:PATH` or `oci-archive:PATH`"),
        ))
    }

    /// There is one image for each platform that must be there.
    fn check(&self, cx: &mut Lower<'_>) -> Result<(), Refused> {
        let span = cx.span.clone();
        if cx.set.is_empty() {
            // An input that was not found, or whose producer is wrong, has been reported.
            if cx.inputs.is_empty() {
                return Err(Refused);
            }
            return Err(cx.refuse(
                Diagnostic::error("plan::no-target", "the image is not of one target: it has no platform")
                    .at(&span, "this step joins the images of targets")
                    .help("leave `scope = \"once\"` out of the step that makes the image"),
            ));
        }
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for One { target, platform, .. } in cx.set {
            if let Some(other) = known.insert(platform.to_string(), target) {
                return Err(cx.refuse(
                    Diagnostic::error(
                        "plan::two-for-one-platform",
                        format!("targets `{other}` and `{target}` are both for {platform}, and an index has one image for each platform"),
                    )
                    .at(&span, "this step joins them")
                    .help("give this step `targets`, one for each platform: it joins their images only"),
                ));
            }
        }
        if cx.partial {
            return Err(cx.refuse(
                Diagnostic::error(
                    "select::part-of-an-index",
                    format!("only {} would be joined, and the index would take the place of the whole one", list_names(known.keys())),
                )
                .at(&span, "this step is for more targets than are selected")
                .help(format!("select all of them, or leave this step out with `--skip {}`", cx.id)),
            ));
        }
        let mut missing = Vec::new();
        for wanted in self.platforms.iter().flatten() {
            let word = cx.word(wanted)?;
            match Platform::parse(&word) {
                Ok(platform) if known.remove(&platform.to_string()).is_some() => {}
                Ok(platform) => missing.push((platform, wanted.span.clone())),
                Err(error) => {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::unknown-platform", error.to_string())
                            .at(&wanted.span, "this platform")
                            .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?"))),
                    ));
                }
            }
        }
        if let Some((platform, span)) = missing.first() {
            return Err(cx.refuse(
                Diagnostic::error("plan::no-such-platform", format!("no target of this step is for {platform}"))
                    .at(span, "must be in the index")
                    .help("add a target of that platform, or take it out of `platforms`"),
            ));
        }
        match (&self.platforms, known.first_key_value()) {
            (Some(_), Some((platform, target))) => Err(cx.refuse(
                Diagnostic::error(
                    "plan::no-such-platform",
                    format!("target `{target}` is for {platform}, which is not in `platforms`"),
                )
                .at(&span, "this step would join it too")
                .help("add it to `platforms`, or leave the target out with this step's `targets`"),
            )),
            _ => Ok(()),
        }
    }
}

/// An output that the producer of a target's image must have.
fn need(cx: &mut Lower<'_>, one: &One<'_>, output: &str) -> Result<Text, Refused> {
    match one.input.outputs.get(output) {
        Some(text) => Ok(text.clone()),
        None => Err(cx.refuse(
            Diagnostic::error("plan::no-output", format!("step `{}` makes no `{output}`", one.input.step))
                .at(&cx.span.clone(), "this step needs it"),
        )),
    }
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Once
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let named = self.archive.as_ref().or(self.image.as_ref());
        vec![Input { key: "archive", named, accepts: &[Artifact::Archive, Artifact::Image], required: true }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Index]
    }

    fn role(&self) -> Role {
        if self.dest.value.starts_with(REGISTRY) { Role::Delivery } else { Role::Work }
    }

    fn joins(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        if let (Some(archive), Some(image)) = (&self.archive, &self.image) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`archive` and `image` exclude each other")
                    .at(&image.span, "this one")
                    .at(&archive.span, "or this one"),
            ));
        }
        let dest = self.dest(cx)?;
        self.check(cx)?;
        let mut lowered = Lowered::default();
        lowered.push(Command::new(["mkdir", "-p", "--", &cx.work("")]));
        let (mut images, mut ids) = (Vec::new(), Vec::new());
        for one in cx.set {
            let id = need(cx, one, "id")?;
            let from = if one.input.artifact == Artifact::Archive {
                need(cx, one, "path")?
            } else {
                let exported = cx.work(&format!("{}.tar", one.target));
                let name = one.input.outputs.get("engine").and_then(Text::as_literal);
                let engine = Engine::ALL.into_iter().find(|engine| Some(engine.name()) == name).unwrap_or(cx.engine);
                let remove = Command::new(["rm", "-f", "--", &exported]);
                lowered.push(remove.clone());
                let users = one.input.outputs.get("store").is_some();
                lowered.push(engine::export(engine, users, &need(cx, one, "handle")?, &exported));
                lowered.cleanup.push(remove.into());
                exported.into()
            };
            let annotations = one.input.outputs.get("annotations").cloned();
            ids.push((one.platform.clone(), id.clone()));
            images.push(IndexImage { from, id, platform: one.platform.clone(), annotations });
        }
        let (to, format, reference) = match &dest {
            Dest::Registry(reference) => (cx.work("index"), ArchiveFormat::OciLayout, Some(reference.to_string())),
            Dest::File(format, path) => (path.clone(), *format, None),
        };
        if let Some((folder, _)) = to.rsplit_once('/') {
            lowered.push(Command::new(["mkdir", "-p", "--", folder]));
        }
        lowered.push(Action::JoinIndex(JoinIndex {
            images,
            to: to.as_str().into(),
            format,
            gzip: reference.is_some(),
            reference: reference.clone(),
            output: "digest".into(),
        }));
        let place = Text::from(format!("{}:", format.transport())).lit(&to);
        let place = match &reference {
            Some(reference) => {
                let copy = Command::new(["skopeo", "copy", "--all", "--preserve-digests"]);
                let copy = match self.tls_verify {
                    Some(verify) => copy.arg(format!("--dest-tls-verify={verify}")),
                    None => copy,
                };
                let there = Text::from(format!("{REGISTRY}{reference}"));
                lowered.push(copy.arg(place).arg(there.clone()));
                there
            }
            None => place,
        };
        let check = Action::CheckIndex(Box::new(CheckIndex {
            dest: place,
            skopeo: Command::new(["skopeo"]),
            tls_verify: self.tls_verify.filter(|_| reference.is_some()),
            digest: Text::late(cx.id.as_str(), "digest", Grammar::Digest),
            images: ids,
        }));
        lowered.push(check.clone());
        lowered.late("digest", Grammar::Digest);
        match dest {
            Dest::Registry(reference) => {
                lowered.known("reference", reference.to_string());
                lowered.claims.push(Claim::Pushed(reference.to_string()));
                // What it was pushed from is no use any more.
                lowered.cleanup.push(Command::new(["rm", "-rf", "--", &to]).into());
                lowered.probe = Some(Probe::Actions(vec![check]));
            }
            Dest::File(_, path) => {
                lowered.known("path", path.as_str());
                lowered.claims.push(Claim::Path(path.clone()));
                lowered.probe = Some(Probe::Paths(vec![path.into()]));
            }
        }
        Ok(lowered)
    }
}
