//! `build`: an image for a target's platform.

pub(super) mod args;
mod builder;
mod cache;
mod contexts;
mod frontends;
mod limits;
mod name;
mod secrets;
mod timestamp;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use self::args::texts;
use self::builder::Builder;
use super::audit::OfBuild;
use super::engine::{self, Build};
use super::patch_from::dockerfile;
use super::{Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::{
    Action, Artifact, AuditImage, Command, Engine, EnsureBinfmt, FromRules, Grammar, HandSecrets, ImageId, NativeBy, PinBases, Probe, Register,
    RewriteFrom, Text, Way,
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
    /// More names: those that a docker archive of it has too, and so the node that loads it.
    #[serde(default)]
    tags: Vec<Str>,
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
    /// Values for `ARG`, by name. Everybody who has the image can read them, so names of secrets are refused.
    #[serde(default)]
    args: BTreeMap<String, Str>,
    /// Names of `args` that look like a secret's and are none, such as `SIGNING_KEY_ID`.
    #[serde(default)]
    allow_secret_args: Vec<Str>,
    /// Labels of the image, by name.
    #[serde(default)]
    labels: BTreeMap<String, Str>,
    /// Annotations of its manifest, by name. OCI archives and layouts have them, and podman's and buildah's stores; docker
    /// archives and docker's store have no manifest.
    #[serde(default)]
    annotations: BTreeMap<String, Str>,
    /// Secrets by the id of `RUN --mount=type=secret,id=…`: `{ npm = { env = "NPM_TOKEN" }, key = { file = "/run/key" } }`. No
    /// argument, plan, log, record or disk has them, and another value is no reason to build again. Not docker's classic
    /// builder.
    #[serde(default)]
    secrets: BTreeMap<String, secrets::Secret>,
    /// Ids of `RUN --mount=type=ssh`, such as `["default"]`, for which the ssh agent answers. Not docker's classic builder.
    #[serde(default)]
    ssh: Vec<Str>,
    /// The stage to build; the last one when absent.
    stage: Option<Str>,
    /// The network of `RUN`, such as `none` or `host`; the engine's default when absent.
    network: Option<Str>,
    /// How podman and buildah isolate `RUN`: `chroot`, `oci` or `rootless`; `chroot` for buildah when absent.
    isolation: Option<Str>,
    /// What `RUN` may take, such as `{ memory = "2g", cpus = 1.5 }`.
    #[serde(default)]
    limits: limits::Limits,
    /// Build every layer anew.
    #[serde(default)]
    no_cache: bool,
    /// Where layers may come from: images for docker, `type=…` for BuildKit, repositories for podman and buildah.
    #[serde(default)]
    cache_from: Vec<Str>,
    /// Where layers go for others; not docker's classic builder.
    #[serde(default)]
    cache_to: Vec<Str>,
    /// When base images are pulled: `missing`, `always`, `never` or `newer`; as the engine does it when absent. docker never
    /// knows `never`, and to buildah before 1.36 and podman before 5.1 `newer` means `missing`.
    #[schemars(with = "Option<cache::Pull>")]
    pull: Option<Spanned<cache::Pull>>,
    /// What `COPY --from=NAME` and `FROM NAME` find besides stages and images: `{ conf = { path = "conf" } }`. Not docker's
    /// classic builder.
    #[serde(default)]
    contexts: BTreeMap<String, contexts::ContextSpec>,
    /// The images that may interpret the Dockerfile where its `# syntax=` names them; `["docker/dockerfile"]` when absent.
    /// Without tag or digest any version may. Only BuildKit runs them.
    frontends: Option<Vec<Str>>,
    /// Seconds since the epoch for the image's timestamps; 315532800 (1980-01-01) when absent, so that the image depends on what
    /// is in it alone. `${steps.ID.epoch}` of a checkout is the commit's time. podman's and buildah's caches do not know
    /// timestamps: with another than the usual one every layer is built anew. docker's classic builder cannot set them.
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

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Oci => "oci",
            Self::Docker => "docker",
        }
    }
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
        inputs.extend(self.contexts.values().filter_map(|context| context.step.as_ref()).map(|step| Input {
            key: "contexts",
            named: Some(step),
            accepts: &[Artifact::BuildContext, Artifact::Source, Artifact::Image],
            required: true,
        }));
        inputs
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Image]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platform = cx.platform()?;
        let mut lowered = Lowered::default();
        // Each is looked at before the first that is wrong ends it.
        let engine = engine_of(cx, self.engine.as_ref());
        let names = name::tags(cx, &self.tag, &self.tags);
        let path = dockerfile(cx, self.dockerfile.as_ref(), "source");
        let open = args::no_secrets(cx, &self.args, &self.allow_secret_args);
        let (args, labels) = (texts(cx, &self.args, "a build argument"), texts(cx, &self.labels, "a label"));
        let audit = OfBuild::rules(self.audit.as_ref(), cx);
        let annotations = texts(cx, &self.annotations, "an annotation");
        let stage = self.stage.as_ref().map(|stage| cx.argument(stage, "stage")).transpose();
        let network = self.network.as_ref().map(|network| cx.argument(network, "network")).transpose();
        let isolation = self.isolation.as_ref().map(|isolation| cx.argument(isolation, "isolation")).transpose();
        let engine = engine?;
        let builder = Builder::of(engine, self.buildkit);
        let secrets = secrets::secrets(cx, builder, &self.secrets);
        let ssh = secrets::ssh(cx, builder, &self.ssh);
        let native = cx.builder(&platform, engine);
        let limits = self.limits.flags(cx, builder, isolation.as_ref().ok().and_then(Option::as_deref));
        let cache_from = cache::places(cx, builder, &self.cache_from, "cache-from");
        let cache_to = cache::places(cx, builder, &self.cache_to, "cache-to");
        let timestamp = timestamp::timestamp(cx, builder, self.timestamp.as_ref(), &self.cache_from);
        let pull = cache::pull(cx, builder, self.pull.as_ref());
        let contexts = contexts::contexts(cx, builder, &self.contexts, &mut lowered);
        let alone = self.alone(cx);
        let (network, isolation) = (network?, isolation?);
        self.network_fits(cx, builder, network.as_deref(), isolation.as_deref())?;
        let mut context = cx.need("source", "dir")?;
        let path = path?;
        let copied = (!self.bases.is_empty()).then(|| cx.work("context"));
        let dockerfile = copied.as_ref().map_or_else(|| context.clone(), |copy| copy.as_str().into()).lit("/").lit(&path);
        let frontend = frontends::check(cx, (engine, builder), self.frontends.as_deref(), &self.args, &dockerfile);
        let ((reference, tags), timestamp, args, labels, audit) = (names?, timestamp?, args?, labels?, audit?);
        let (annotations, stage, secrets, ssh, limits) = (annotations?, stage?, secrets?, ssh?, limits?);
        let (cache_from, cache_to, pull, contexts, frontend) = (cache_from?, cache_to?, pull?, contexts?, frontend?);
        open.and(alone)?;
        let native = native?;
        let native = native.as_deref();
        let private = name::private(cx.recipe, cx.id.as_str());
        let (iidfile, handed) = (cx.work("iid"), cx.work("secrets"));

        lowered.push(Action::EnsureBinfmt(EnsureBinfmt {
            platforms: vec![platform.clone()],
            register: Register::Never,
            builder: native.map(|builder| NativeBy { builder: builder.to_owned(), engine }),
        }));
        lowered.push(Command::new(["mkdir", "-p", "--", &cx.work("")]));
        lowered.push(Command::new(["rm", "-f", "--", &iidfile]));
        if let Some(copy) = copied {
            let mut replace = BTreeMap::new();
            for (image, step) in &self.bases {
                // A step that makes an image has it, unless it is wrong in itself; then that has been reported.
                let base = (cx.view.output)(&step.value, "ref").map_err(|_| Refused)?;
                replace.insert(image.clone(), base);
            }
            super::patch_from::copy(&mut lowered, &context, &copy);
            lowered.push(Action::RewriteFrom(RewriteFrom {
                dockerfile: dockerfile.clone(),
                rules: FromRules::Replace(replace),
            }));
            context = copy.into();
        }
        let made = self.bases.values().chain(self.contexts.values().filter_map(|context| context.step.as_ref()));
        for step in made.filter(|_| native.is_some()) {
            let output = |name: &str| (cx.view.output)(&step.value, name).ok();
            if let (Some(handle), Some(tag)) = (output("handle"), output("ref")) {
                lowered.actions.extend(engine::moved(native, Way::There, engine, &handle, &tag.to_string(), None));
            }
        }
        lowered.push(Action::CheckFrontend(frontend));
        let pinned = Text::from(cx.work("Dockerfile"));
        lowered.push(Action::PinBases(Box::new(PinBases {
            dockerfile: dockerfile.clone(),
            to: pinned.clone(),
            args: args.clone(),
            platform: platform.clone(),
            engine,
            inspect: engine::inspect(engine).with_builder(native),
            only_ask: false,
            upstream: false,
        })));
        let ids: Vec<String> = secrets.keys().cloned().collect();
        if !secrets.is_empty() || !ssh.is_empty() {
            let dir = handed.as_str().into();
            lowered.push(Action::HandSecrets(HandSecrets { dir, from: secrets, agent: !ssh.is_empty() }));
            lowered.cleanup.push(Command::new(["rm", "-rf", "--", &handed]).into());
        }
        let build = engine::build(
            engine,
            &Build {
                platform: &platform,
                context: &context,
                dockerfile: &pinned,
                tag: &private,
                iidfile: &iidfile.as_str().into(),
                args,
                labels,
                annotations: &annotations,
                secrets: (&handed, &ids),
                ssh: &ssh,
                stage: stage.as_deref(),
                network: network.as_deref(),
                isolation: isolation.as_deref(),
                limits: &limits,
                no_cache: self.no_cache || timestamp.no_cache,
                cache_from: &cache_from,
                cache_to: &cache_to,
                pull,
                contexts: &contexts,
                format: self.format.name(),
                epoch: timestamp.epoch,
                buildkit: self.buildkit,
            },
        );
        lowered.push(build.with_builder(native));
        lowered.push(Command::new(["cat", "--", &iidfile]).capture("handle", Grammar::Digest));
        let handle = Text::late(cx.id.as_str(), "handle", Grammar::Digest);
        lowered.actions.extend(engine::moved(native, Way::Home, engine, &handle, &private, Some(self.format.name())));
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
        if !tags.is_empty() {
            lowered.known("tags", tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        }
        if !annotations.is_empty() {
            lowered.known("annotations", args::json(&annotations));
        }
        if builder.may_be_classic() {
            lowered.notes.push(not_reproducible(cx, builder));
        }
        lowered.probe = Some(Probe::Image { store: engine::store(engine), id: handle });
        lowered.basis.engine = Some(engine);
        lowered.basis.builder = native.map(str::to_owned);
        Ok(lowered)
    }
}

impl Spec {
    /// A cache that is not to be used needs no place.
    fn alone(&self, cx: &mut Lower<'_>) -> Result<(), Refused> {
        match self.cache_from.first() {
            Some(from) if self.no_cache => Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`no-cache` takes nothing from a cache")
                    .at(&from.span, "and this is one")
                    .help("take one of the two out"),
            )),
            _ => Ok(()),
        }
    }

    /// Without containers there are no networks to choose from.
    fn network_fits(
        &self,
        cx: &mut Lower<'_>,
        builder: Builder,
        network: Option<&str>,
        isolation: Option<&str>,
    ) -> Result<(), Refused> {
        let chroot = isolation.map_or(builder == Builder::Buildah, |isolation| isolation == "chroot");
        match (network, &self.network) {
            (Some(network), Some(key)) if chroot && !builder.is_docker() && network != "host" => {
                Err(builder.refuse(cx, "network but the host's with `chroot`", &key.span, "write `isolation = \"oci\"`"))
            }
            _ => Ok(()),
        }
    }
}

/// Said once for a step, whatever it is built for.
fn not_reproducible(cx: &Lower<'_>, builder: Builder) -> String {
    let step = cx.id.as_str().split('@').next().unwrap_or_default();
    let who = match builder {
        Builder::Classic => "docker's classic builder builds",
        _ => "where docker's client takes its classic builder, that builds",
    };
    format!(
        "{step}: {who} another image each time, as it writes the time into it; `buildkit = true`, podman and buildah do not"
    )
}
