//! `patch-FROM`: the same sources on another base image.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::lock::Key;
use crate::plan::{Action, Artifact, Command, FromRules, Probe, RewriteFrom, Text};
use crate::spec::{Scope, Str};

pub(super) struct PatchFrom;

impl StepKind for PatchFrom {
    const NAME: &'static str = "patch-FROM";
    const ALIASES: &'static [&'static str] = &["patch-from"];
    const SUMMARY: &'static str = "Change the base image in a copy of the sources' Dockerfile";
    const FLOW: &'static str = "Source or BuildContext → BuildContext (dir, dockerfile)";
    const TOOLS: &'static [&'static str] = &["cp", "mv", "rm"];
    type Spec = Spec;
}

/// Knows Dockerfiles: stages, `ARG` before `FROM`, `--platform`, heredocs, parser directives. Edits a copy, never the
/// checkout, and changes no byte but the base's name; the difference is shown in the log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The step whose files are copied; found by itself where there is one.
    source: Option<Str>,
    /// The new base: of the one external image in the Dockerfile, of `stage`, or of all. Where there are several and it is
    /// not said which, the step fails and lists them.
    from: Option<Str>,
    /// The stage whose base becomes `from`: its name (`FROM … AS stage`), or its number counted from 0.
    stage: Option<Str>,
    /// Every external image behind a `FROM` becomes `from`.
    all: Option<bool>,
    /// New images by the text in the Dockerfile, `{ "alpine:3.4" = "…" }`: as it stands there, or with the defaults of its
    /// `ARG`s, also in `COPY --from` and `RUN --mount`. Each must be there.
    replace: Option<BTreeMap<String, Str>>,
    /// The Dockerfile, relative to the sources; `Dockerfile` when absent.
    dockerfile: Option<Str>,
}

impl Spec {
    /// The recipe asks for these images, and the lock says which they are.
    fn asks(&self, cx: &mut Lower<'_>, lowered: &mut Lowered) -> Result<(), Refused> {
        let Some(platform) = cx.view.target.and_then(|target| target.platform) else { return Ok(()) };
        for string in self.from.iter().chain(self.replace.iter().flat_map(BTreeMap::values)) {
            if let Some(image) = cx.text(string)?.as_literal().and_then(|text| ImageRef::parse(text).ok()) {
                lowered.asked.push((Key::Image { image, platform: platform.clone() }, string.span.clone()));
            }
        }
        Ok(())
    }

    fn rules(&self, cx: &mut Lower<'_>) -> Result<FromRules, Refused> {
        match (&self.from, &self.stage, self.all.unwrap_or_default(), &self.replace) {
            (Some(from), None, false, None) => Ok(FromRules::From(base(cx, from)?)),
            (Some(from), None, true, None) => Ok(FromRules::All(base(cx, from)?)),
            (Some(from), Some(stage), false, None) => {
                Ok(FromRules::Stage { stage: cx.argument(stage, "stage")?, from: base(cx, from)? })
            }
            (None, None, false, Some(map)) if !map.is_empty() => {
                let mut replace = BTreeMap::new();
                for (image, from) in map {
                    replace.insert(image.clone(), base(cx, from)?);
                }
                Ok(FromRules::Replace(replace))
            }
            _ => Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "say what to change in one way")
                    .at(&cx.span.clone(), "this step")
                    .help("`from = \"…\"` for the one external base, `stage` with `from` for one stage, `all = true` with `from` for every one, or `replace = { \"old\" = \"new\" }`"),
            )),
        }
    }
}

/// Copies the files of a folder into a new one, also when the folder's name is a link: what is changed later is the copy.
pub(super) fn copy(lowered: &mut Lowered, from: &Text, to: &str) {
    lowered.push(Command::new(["rm", "-rf", "--", to]));
    lowered.push(Command::new(["mkdir", "--", to]));
    lowered.push(Command::new(["cp", "-a", "--"]).arg(from.clone().lit("/.")).arg(to));
}

/// An image that can stand behind `FROM`.
fn base(cx: &mut Lower<'_>, string: &Str) -> Result<Text, Refused> {
    let text = cx.text(string)?;
    match text.as_literal().map(ImageRef::parse) {
        // With a late value in it, it is looked at when it is written.
        None | Some(Ok(_)) => Ok(text),
        Some(Err(error)) => Err(cx.refuse(
            Diagnostic::error("spec::bad-reference", error.to_string())
                .at(&string.span, "this base")
                .help("write an image as it stands behind `FROM`, such as `alpine:3.20`"),
        )),
    }
}

/// The Dockerfile's path within a build context.
pub(super) fn dockerfile(cx: &mut Lower<'_>, key: Option<&Str>, input: &str) -> Result<String, Refused> {
    match key {
        Some(path) => cx.local_path(path),
        None => Ok(cx.input(input, "dockerfile").and_then(Text::as_literal).unwrap_or("Dockerfile").to_owned()),
    }
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input {
            key: "source",
            named: self.source.as_ref(),
            accepts: &[Artifact::Source, Artifact::BuildContext],
            required: true,
        }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::BuildContext]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let rules = self.rules(cx)?;
        let source = cx.need("source", "dir")?;
        let dockerfile = dockerfile(cx, self.dockerfile.as_ref(), "source")?;
        let (dir, partial) = (cx.work("context"), cx.work("context.partial"));
        let mut lowered = Lowered::default();
        self.asks(cx, &mut lowered)?;
        lowered.push(Command::new(["mkdir", "-p", "--", &cx.work("")]));
        copy(&mut lowered, &source, &partial);
        lowered.push(Action::RewriteFrom(RewriteFrom { dockerfile: format!("{partial}/{dockerfile}").into(), rules }));
        lowered.push(Command::new(["rm", "-rf", "--", &dir]));
        lowered.push(Command::new(["mv", "-T", "--", &partial, &dir]));
        lowered.known("dir", dir.as_str());
        lowered.known("dockerfile", dockerfile);
        for output in ["commit", "tree", "epoch"] {
            if let Some(text) = cx.input("source", output) {
                lowered.known(output, text.clone());
            }
        }
        lowered.probe = Some(Probe::Paths(vec![dir.into()]));
        lowered.basis.intermediate = true;
        Ok(lowered)
    }
}
