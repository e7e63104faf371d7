//! `build`: an image for a target's platform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::audit::OfBuild;
use super::engine::{self, Build};
use super::patch_from::dockerfile;
use super::{Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::{Diagnostic, did_you_mean};
use crate::image::ImageRef;
use crate::plan::{
    Action, Artifact, AuditImage, CheckBases, Command, Engine, EnsureBinfmt, FromRules, Grammar, ImageId, Probe, Register,
    RewriteFrom, Text,
};
use crate::spec::{Scope, Str};

pub(super) struct BuildImage;

impl StepKind for BuildImage {
    const NAME: &'static str = "build";
    const SUMMARY: &'static str = "Build an image with docker, buildx, podman or buildah";
    const FLOW: &'static str = "BuildContext or Source, Emulation → Image (id, ref, reference)";
    const TOOLS: &'static [&'static str] = &["docker", "podman", "buildah"];
    type Spec = Spec;
}

/// The image gets a private name in the engine's store, so that parallel targets never meet; the name that was asked for
/// is written into the archive. What goes on to other steps is the image id: the digest of its configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The image's name, such as `registry:2`; read as docker does (`docker.io/library/registry:2`).
    tag: Str,
    /// The step whose folder is built; found by itself where there is one.
    source: Option<Str>,
    /// The step that lets this machine execute the platform's programs; found by itself where there is one.
    emulation: Option<Str>,
    /// The Dockerfile, relative to that folder; `Dockerfile` when absent.
    dockerfile: Option<Str>,
    /// `docker`, `buildx`, `podman` or `buildah`; the recipe's engine when absent.
    engine: Option<Str>,
    /// `true` builds with BuildKit and `false` with docker's classic builder; the docker client decides when absent.
    buildkit: Option<bool>,
    /// Values for `ARG`, by name.
    #[serde(default)]
    args: BTreeMap<String, Str>,
    /// Labels of the image, by name.
    #[serde(default)]
    labels: BTreeMap<String, Str>,
    /// The stage to build; the last one when absent.
    stage: Option<Str>,
    /// The network of `RUN`, such as `none` or `host`; the engine's default when absent.
    network: Option<Str>,
    /// How podman and buildah isolate `RUN`: `chroot`, `oci` or `rootless`; `chroot` for buildah when absent.
    isolation: Option<Str>,
    /// Build every layer anew.
    #[serde(default)]
    no_cache: bool,
    /// Seconds since the epoch for the image's timestamps; the commit's time when absent, or 0 where there is no commit.
    /// docker's classic builder cannot set them.
    timestamp: Option<Str>,
    /// The image format of podman and buildah. `oci` is the default. `docker` keeps `HEALTHCHECK` and `SHELL`, but buildah 1.28
    /// does not build the same image twice in it.
    #[serde(default)]
    format: Format,
    /// Base images that other steps build, by their name in the Dockerfile: `{ "alpine:3.4" = "base" }`, where `base` is the id
    /// of a `build` step.
    #[serde(default)]
    bases: BTreeMap<String, Str>,
    /// Afterwards every program in the image is compared with the platform, as the kind `audit` does: `{ allow = […], deny = […] }`
    /// has its keys, `false` leaves it out.
    audit: Option<OfBuild>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Format {
    #[default]
    Oci,
    Docker,
}

/// The engine that a step names, or the recipe's.
pub(super) fn engine_of(cx: &mut Lower<'_>, key: Option<&Str>) -> Result<Engine, Refused> {
    let Some(key) = key else { return Ok(cx.engine) };
    let word = cx.word(key)?;
    Engine::ALL.into_iter().find(|engine| engine.name() == word).ok_or_else(|| {
        cx.refuse(
            Diagnostic::error("spec::bad-value", format!("no engine is called `{}`", word.escape_debug()))
                .at(&key.span, "this engine")
                .help(
                    did_you_mean(&word, Engine::ALL.iter().map(|engine| engine.name()))
                        .unwrap_or_else(|| "`docker`, `buildx`, `podman` or `buildah`".into()),
                ),
        )
    })
}

pub(super) fn texts(cx: &mut Lower<'_>, map: &BTreeMap<String, Str>, what: &str) -> Result<BTreeMap<String, Text>, Refused> {
    let mut texts = BTreeMap::new();
    for (name, value) in map {
        if name.is_empty() || name.contains('=') || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-name", format!("bad name of {what}: `{}`", name.escape_debug()))
                    .at(&value.span, "its value")
                    .help("names hold no `=`, spaces or control characters"),
            ));
        }
        texts.insert(name.clone(), cx.text(value)?);
    }
    Ok(texts)
}

/// The image's name in the engine's store: of this instance alone, and one that engines accept.
fn private_name(recipe: &str, instance: &str) -> String {
    let parts: Vec<String> = std::iter::once(recipe).chain(instance.split('@')).map(component).collect();
    format!("localhost/pipeline/{}:latest", parts.join("/"))
}

/// A part of an image name. Our names may hold capitals and rows of dots, those may not; the digest keeps them apart.
fn component(name: &str) -> String {
    if ImageRef::parse(&format!("localhost/{name}")).is_ok() {
        return name.to_owned();
    }
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let digest: String = Sha256::digest(name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digest}", words.join("-"))
}

/// Seconds since the epoch: a number, or a late value that is one.
fn number(cx: &mut Lower<'_>, string: &Str) -> Result<Text, Refused> {
    let text = cx.text(string)?;
    let late = text.lates().all(|late| late.grammar == Grammar::Number) && text.parts().len() == 1;
    match text.as_literal() {
        Some(literal) if Grammar::Number.accepts(literal) => Ok(text),
        None if late => Ok(text),
        _ => Err(cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`{text}` is no time in seconds since the epoch"))
                .at(&string.span, "this value")
                .help("write digits, such as `1700000000`, or `${steps.ID.epoch}` of a checkout"),
        )),
    }
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let mut inputs = vec![
            Input {
                key: "source",
                named: self.source.as_ref(),
                accepts: &[Artifact::BuildContext, Artifact::Source],
                required: true,
            },
            Input { key: "emulation", named: self.emulation.as_ref(), accepts: &[Artifact::Emulation], required: false },
        ];
        inputs.extend(self.bases.values().map(|step| Input {
            key: "bases",
            named: Some(step),
            accepts: &[Artifact::Image],
            required: true,
        }));
        inputs
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Image]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platform = cx.platform()?;
        // Each is looked at before the first that is wrong ends it.
        let engine = engine_of(cx, self.engine.as_ref());
        let reference = cx.reference(&self.tag);
        let path = dockerfile(cx, self.dockerfile.as_ref(), "source");
        let epoch = match &self.timestamp {
            Some(timestamp) => number(cx, timestamp),
            None => Ok(cx.input("source", "epoch").cloned().unwrap_or_else(|| "0".into())),
        };
        let (args, labels) = (texts(cx, &self.args, "a build argument"), texts(cx, &self.labels, "a label"));
        let audit = OfBuild::rules(self.audit.as_ref(), cx);
        let stage = self.stage.as_ref().map(|stage| cx.argument(stage, "stage")).transpose();
        let network = self.network.as_ref().map(|network| cx.argument(network, "network")).transpose();
        let isolation = self.isolation.as_ref().map(|isolation| cx.argument(isolation, "isolation")).transpose();
        let (engine, reference, path, epoch, audit) = (engine?, reference?, path?, epoch?, audit?);
        let (args, labels, stage, network, isolation) = (args?, labels?, stage?, network?, isolation?);
        let mut context = cx.need("source", "dir")?;
        let private = private_name(cx.recipe, cx.id.as_str());
        let iidfile = cx.work("iid");

        let mut lowered = Lowered::default();
        lowered.push(Action::EnsureBinfmt(EnsureBinfmt { platforms: vec![platform.clone()], register: Register::Never }));
        lowered.push(Command::new(["mkdir", "-p", "--", &cx.work("")]));
        lowered.push(Command::new(["rm", "-f", "--", &iidfile]));
        if !self.bases.is_empty() {
            let copy = cx.work("context");
            let mut replace = BTreeMap::new();
            for (image, step) in &self.bases {
                // A step that makes an image has it, unless it is wrong in itself; then that has been reported.
                let base = (cx.view.output)(&step.value, "ref").map_err(|_| Refused)?;
                replace.insert(image.clone(), base);
            }
            super::patch_from::copy(&mut lowered, &context, &copy);
            lowered.push(Action::RewriteFrom(RewriteFrom {
                dockerfile: format!("{copy}/{path}").into(),
                rules: FromRules::Replace(replace),
            }));
            context = copy.into();
        }
        let dockerfile = context.clone().lit("/").lit(&path);
        lowered.push(Action::CheckBases(CheckBases {
            dockerfile: dockerfile.clone(),
            platform: platform.clone(),
            engine,
            inspect: engine::inspect(engine),
        }));
        lowered.push(engine::build(
            engine,
            &Build {
                platform: &platform,
                context: &context,
                dockerfile: &dockerfile,
                tag: &private,
                iidfile: &iidfile.as_str().into(),
                args,
                labels,
                stage: stage.as_deref(),
                network: network.as_deref(),
                isolation: isolation.as_deref(),
                no_cache: self.no_cache,
                format: match self.format {
                    Format::Oci => "oci",
                    Format::Docker => "docker",
                },
                epoch,
                buildkit: self.buildkit,
            },
        ));
        lowered.push(Command::new(["cat", "--", &iidfile]).capture("handle", Grammar::Digest));
        let handle = Text::late(cx.id.as_str(), "handle", Grammar::Digest);
        lowered.push(Action::ImageId(ImageId {
            engine,
            handle: handle.clone(),
            inspect: engine::inspect(engine),
            platform: platform.clone(),
            output: "id".into(),
        }));
        if let Some(rules) = audit {
            lowered.push(Action::Audit(AuditImage {
                from: engine::origin(engine, handle.clone(), false),
                id: Text::late(cx.id.as_str(), "id", Grammar::Digest),
                sha256: None,
                platform: Some(platform),
                rules,
                report: cx.work("audit.json").into(),
            }));
        }
        lowered.late("id", Grammar::Digest);
        lowered.late("handle", Grammar::Digest);
        lowered.known("ref", private);
        lowered.known("reference", reference.to_string());
        lowered.known("engine", engine.name());
        lowered.probe = Some(Probe::Image { store: engine::store(engine), id: handle });
        lowered.basis.engine = Some(engine);
        Ok(lowered)
    }
}

#[cfg(test)]
mod tests {
    use super::private_name;
    use crate::image::ImageRef;

    #[test]
    fn names_in_the_engine_are_valid_and_keep_apart() {
        assert_eq!(private_name("demo", "image@arm64"), "localhost/pipeline/demo/image/arm64:latest");
        let names = ["a.b", "a..b", "A.b", "a-", "a_-b", "a-b", "1."];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let private = private_name(name, "x");
            assert!(ImageRef::parse(&private).is_ok(), "{private}");
            assert!(seen.insert(private), "{name}");
        }
    }
}
