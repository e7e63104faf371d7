//! `binfmt-register`: this machine executes the targets' programs.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Command, EnsureBinfmt, Probe, Register};
use crate::platform::Platform;
use crate::spec::{Scope, Str};

pub(super) struct BinfmtRegister;

impl StepKind for BinfmtRegister {
    const NAME: &'static str = "binfmt-register";
    const SUMMARY: &'static str = "Let this machine execute the targets' programs through QEMU";
    const FLOW: &'static str = "→ Emulation";
    const TOOLS: &'static [&'static str] = &[];
    type Spec = Spec;
}

/// A desired state, not a command: reads `binfmt_misc`, registers only what a target needs and this machine lacks, never
/// its own architecture, and proves each by executing a tiny program of that architecture. Changing the kernel's table
/// is privileged: the run asks on a terminal, otherwise it needs `--allow-privileged`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The platforms; those of all selected targets when absent.
    platforms: Option<Vec<Str>>,
    /// `host` (the default) registers the installed `qemu-user-static`; `container` runs a privileged container that brings
    /// QEMU along.
    #[serde(default)]
    via: Via,
    /// The image for `via = "container"`; `multiarch/qemu-user-static` when absent.
    #[serde(default)]
    image: Option<Str>,
    /// The arguments for that image; `["--reset", "-p", "yes"]` when absent, which makes all entries anew with the flag `F`.
    /// (The form of 2018, the image `multiarch/qemu-user-static:register` with `["--reset"]`, sets no `F`: containers then
    /// look for QEMU in their own files, and this step refuses what it registers.)
    #[serde(default)]
    args: Option<Vec<Str>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Via {
    #[default]
    Host,
    Container,
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Once
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Emulation]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platforms = match &self.platforms {
            None => cx.platforms.to_vec(),
            Some(names) => {
                let platforms: Vec<_> = names
                    .iter()
                    .map(|name| {
                        let word = cx.word(name)?;
                        Platform::parse(&word).map_err(|error| {
                            cx.refuse(
                                Diagnostic::error("spec::unknown-platform", error.to_string())
                                    .at(&name.span, "this platform")
                                    .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?"))),
                            )
                        })
                    })
                    .collect();
                platforms.into_iter().collect::<Result<_, _>>()?
            }
        };
        let register = match self.via {
            Via::Host => Register::Host,
            Via::Container => {
                let image = match &self.image {
                    Some(image) => cx.argument(image, "image")?,
                    None => "multiarch/qemu-user-static".into(),
                };
                let mut command = Command::new(["docker", "run", "--rm", "--privileged", "--"]).arg(image);
                match &self.args {
                    Some(args) => {
                        for arg in args {
                            command = command.arg(cx.word(arg)?);
                        }
                    }
                    None => command = command.args(["--reset", "-p", "yes"]),
                }
                Register::Container(command)
            }
        };
        let mut lowered = Lowered::default();
        lowered.push(Action::EnsureBinfmt(EnsureBinfmt { platforms: platforms.clone(), register, builder: None }));
        lowered.probe = Some(Probe::Emulation(platforms));
        Ok(lowered)
    }
}
