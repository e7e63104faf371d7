//! `run`: any command, with declared inputs and outputs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Claim, Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::ident::name_problem;
use crate::image::ImageRef;
use crate::plan::{Action, ArchiveDigest, Artifact, Command, DigestOf, Grammar, Probe, Text, Value};
use crate::spec::{Scope, Str};

pub(super) struct Run;

impl StepKind for Run {
    const NAME: &'static str = "run";
    const SUMMARY: &'static str = "Run any command, with declared inputs and outputs";
    const FLOW: &'static str = "declared → declared (Source, BuildContext, Archive, or plain paths)";
    const TOOLS: &'static [&'static str] = &[];
    type Spec = Spec;
}

/// The escape hatch. Runs in the recipe's folder or in `dir`, and fails when an output is not there afterwards. No shell
/// takes part: write `argv = ["sh", "-c", "…"]` for one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The program and its arguments. A program with a `/` is found from the folder it runs in.
    argv: Vec<Str>,
    /// The folder to run in, relative to the recipe's.
    dir: Option<Str>,
    /// Files and folders it reads, relative to the recipe's folder; each must be there.
    #[serde(default)]
    inputs: Vec<Str>,
    /// Paths that it makes, by name, for `${steps.ID.NAME}`. The names `source`, `context` and `archive` make them a
    /// `Source`, a `BuildContext` or an `Archive` for other steps.
    #[serde(default)]
    outputs: BTreeMap<String, Str>,
    /// The full reference in the archive, where `outputs` has an `archive`.
    reference: Option<Str>,
    /// The step that built the image that this command is about; found by itself where there is one and `check` is set.
    image: Option<Str>,
    /// `true`: it checks an image, and nothing delivers the image before it has passed.
    #[serde(default)]
    check: bool,
}

/// Output names with a type.
const TYPED: [(&str, Artifact); 3] =
    [("source", Artifact::Source), ("context", Artifact::BuildContext), ("archive", Artifact::Archive)];

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        if self.check || self.image.is_some() {
            vec![Input { key: "image", named: self.image.as_ref(), accepts: &[Artifact::Image], required: true }]
        } else {
            Vec::new()
        }
    }

    fn produces(&self) -> Vec<Artifact> {
        TYPED.iter().filter(|(name, _)| self.outputs.contains_key(*name)).map(|(_, artifact)| *artifact).collect()
    }

    fn role(&self) -> Role {
        if self.check { Role::Check } else { Role::Work }
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let mut lowered = Lowered::default();
        let mut argv = Vec::with_capacity(self.argv.len());
        for arg in &self.argv {
            argv.push(cx.text(arg)?);
        }
        if argv.first().is_none_or(|program| program.as_literal().is_none_or(str::is_empty)) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`argv` names no program")
                    .at(&cx.span.clone(), "this step")
                    .help("write `argv = [\"program\", \"argument\"]`"),
            ));
        }
        // Each is looked at before the first that is wrong ends it.
        let inputs: Vec<_> = self.inputs.iter().map(|input| cx.local_path(input)).collect();
        let dir = self.dir.as_ref().map(|dir| cx.local_path(dir)).transpose();
        let outputs: Vec<_> = self.outputs.values().map(|path| cx.output_path(path)).collect();
        let inputs: Vec<String> = inputs.into_iter().collect::<Result<_, _>>()?;
        let outputs: Vec<String> = outputs.into_iter().collect::<Result<_, _>>()?;
        for path in &inputs {
            lowered.push(Command::new(["test", "-e", path]));
        }
        // A program of the recipe's own is read as well.
        let own = argv[0].as_literal().filter(|program| program.contains('/') && !program.starts_with('/'));
        let own = own.map(|program| match &dir {
            Ok(Some(dir)) => format!("{dir}/{program}"),
            Ok(None) | Err(_) => program.to_owned(),
        });
        let mut command = Command::new(argv);
        command.dir = dir?.map(Text::from);
        lowered.push(command);
        for ((name, path), text) in self.outputs.iter().zip(outputs) {
            let dot = name.contains('.').then(|| "an output's name holds no `.`".to_owned());
            if let Some(problem) = name_problem(name).or(dot) {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-name", format!("bad name of an output: {problem}"))
                        .at(&path.span, "its path")
                        .help("use letters, digits, `_` and `-`"),
                ));
            }
            // Exit code 0 proves nothing.
            lowered.push(Command::new(["test", "-e", &text]));
            lowered.claims.push(Claim::Path(text.clone()));
            lowered.named_outputs.push((name.clone(), Value::Known(text.clone().into())));
            match name.as_str() {
                "source" | "context" => lowered.known("dir", text.as_str()),
                "archive" => self.archive(cx, &text, &mut lowered)?,
                _ => {}
            }
        }
        let made: Vec<Text> = lowered
            .named_outputs
            .iter()
            .filter_map(|(_, value)| match value {
                Value::Known(path) => Some(path.clone()),
                Value::Late(_) => None,
            })
            .collect();
        // Of a command that declares nothing, nobody knows when it is due.
        lowered.basis.always = made.is_empty() && inputs.is_empty() && StepBody::inputs(self).is_empty();
        lowered.probe = Some(if made.is_empty() { Probe::Nothing } else { Probe::Paths(made) });
        lowered.basis.reads = inputs.into_iter().chain(own).map(Text::from).collect();
        Ok(lowered)
    }
}

impl Spec {
    fn archive(&self, cx: &mut Lower<'_>, path: &str, lowered: &mut Lowered) -> Result<(), Refused> {
        let platform = cx.platform()?;
        let Some(reference) = &self.reference else {
            return Err(cx.refuse(
                Diagnostic::error("spec::missing-key", "a step that makes an archive needs the key `reference`")
                    .at(&cx.span.clone(), "no `reference` here")
                    .help("write the name in the archive, such as `reference = \"docker.io/library/registry:2\"`"),
            ));
        };
        let reference: ImageRef = cx.reference(reference)?;
        if path.contains(':') {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-path", "the path of an archive cannot hold `:`")
                    .at(&cx.span.clone(), "in `outputs` of this step")
                    .help("skopeo would read what follows as a tag"),
            ));
        }
        for (of, output) in [(DigestOf::Config, "id"), (DigestOf::File, "sha256")] {
            lowered.push(Action::ArchiveDigest(ArchiveDigest {
                path: Text::from(path),
                of,
                platform: platform.clone(),
                output: output.into(),
            }));
            lowered.late(output, Grammar::Digest);
        }
        lowered.known("path", path);
        lowered.known("format", "docker-archive");
        lowered.known("reference", reference.to_string());
        Ok(())
    }
}
