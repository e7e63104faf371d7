//! `smoke`: a command runs in the image that was built.

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::stdout::Stdout;
use super::{Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Check, Engine, EnsureBinfmt, Grammar, NativeBy, Probe, Register, Text, Way};
use crate::spec::{Scope, Str};

pub(super) struct Smoke;

impl StepKind for Smoke {
    const NAME: &'static str = "smoke";
    const SUMMARY: &'static str = "Run a command in the built image and check what it says";
    const FLOW: &'static str = "Image → a check: nothing delivers the image before it has passed";
    const TOOLS: &'static [&'static str] = &["docker", "podman", "buildah"];
    type Spec = Spec;
}

/// Runs `argv` in place of the image's entrypoint, under emulation where the platform is foreign, and without a network
/// unless `network` gives it one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The program in the image and its arguments.
    argv: Vec<Str>,
    /// The step that built the image; found by itself where there is one.
    image: Option<Str>,
    /// The exit code it must have; 0 when absent.
    #[serde(default)]
    exit: u8,
    /// What it must print on stdout: the exact text less trailing newlines, or `{ regex = "…" }` for a match anywhere.
    stdout: Option<Stdout>,
    /// The network; `none` when absent. (buildah: its own default when absent.)
    network: Option<Str>,
    /// How buildah isolates it; `chroot` when absent.
    isolation: Option<Str>,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input { key: "image", named: self.image.as_ref(), accepts: &[Artifact::Image], required: true }]
    }

    fn role(&self) -> Role {
        Role::Check
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platform = cx.platform()?;
        let engine = engine_of_image(cx);
        let handle = cx.need("image", "handle")?;
        let mut argv = Vec::new();
        for arg in &self.argv {
            argv.push(cx.text(arg)?);
        }
        if argv.first().is_none_or(|program| program.as_literal() == Some("")) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`argv` names no program")
                    .at(&cx.span.clone(), "this step")
                    .help("write `argv = [\"uname\", \"-m\"]`"),
            ));
        }
        let network = self.network.as_ref().map(|network| cx.argument(network, "network")).transpose()?;
        let isolation = self.isolation.as_ref().map(|isolation| cx.argument(isolation, "isolation")).transpose()?;
        // With the hash, `a-b@c` and `a@b-c` have different names.
        let name = format!("pipeline-{}-{}-{}", cx.recipe, cx.id.as_str().replace('@', "-"), cx.short_hash());
        let shown = argv.iter().map(Text::to_string).collect::<Vec<_>>().join(" ");
        let commands = engine::smoke(
            engine,
            &engine::Smoke {
                handle: &handle,
                platform: &platform,
                name: &name,
                argv,
                talks: self.stdout.is_some(),
                network: network.as_deref(),
                isolation: isolation.as_deref(),
            },
        );
        // What is native elsewhere needs no emulation here.
        let remote = matches!(engine, Engine::Docker | Engine::Podman);
        let native = Some(platform.to_string()).filter(|name| remote && cx.builders.contains_key(name));
        let native = native.as_deref();
        let tag = cx.need("image", "ref")?.to_string();
        let at = |action: Action| match action {
            Action::Command(command) => command.with_builder(native).into(),
            other => other,
        };
        let mut run = commands.run.with_builder(native);
        run.ok = vec![i32::from(self.exit)].into();
        let mut lowered = Lowered::default();
        lowered.push(Action::EnsureBinfmt(EnsureBinfmt {
            platforms: vec![platform],
            register: Register::Never,
            builder: native.map(|builder| NativeBy { builder: builder.to_owned(), engine }),
        }));
        lowered.actions.extend(engine::moved(native, Way::There, engine, &handle, &tag, None));
        lowered.actions.extend(commands.before.into_iter().map(at));
        lowered.push(run);
        lowered.cleanup = commands.after.into_iter().map(at).collect();
        let expect = self.stdout.as_ref().map(|stdout| stdout.lower(cx)).transpose()?;
        if let Some(expect) = expect {
            lowered.push(Action::Check(Check {
                what: format!("the output of `{shown}` in the image"),
                value: Text::late(cx.id.as_str(), "stdout", Grammar::Any),
                expect,
            }));
        }
        lowered.late("stdout", Grammar::Any);
        lowered.probe = Some(Probe::Nothing);
        Ok(lowered)
    }
}

/// The engine whose store holds the input image.
pub(super) fn engine_of_image(cx: &Lower<'_>) -> Engine {
    let name = cx.input("image", "engine").and_then(Text::as_literal);
    Engine::ALL.into_iter().find(|engine| Some(engine.name()) == name).unwrap_or(cx.engine)
}
