//! What a kind may ask for while it lowers one instance, and what it gives back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diag::{Diagnostic, Diagnostics};
use crate::image::{Digest, ImageRef};
use crate::lock::Key;
use crate::plan::{Action, Artifact, Basis, Builder, Engine, Grammar, InstanceId, Node, Probe, Text, Value};
use crate::platform::Platform;
use crate::source::Span;
use crate::spec::{Str, Values, View};

/// The step cannot be lowered; the reason has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// One instance, about to be lowered.
pub struct Lower<'p> {
    /// The instance's id.
    pub id: &'p InstanceId,
    /// The place of the step.
    pub span: Span,
    /// The recipe's name.
    pub recipe: &'p str,
    /// The recipe's values.
    pub values: &'p Values<'p>,
    /// The view of this instance.
    pub view: View<'p>,
    /// The node, for steps that run for each.
    pub node: Option<&'p Node>,
    /// Every node of the plan by name.
    pub nodes: &'p BTreeMap<String, Node>,
    /// The builders of the recipe, by platform.
    pub builders: &'p BTreeMap<String, Builder>,
    /// The platforms of the selected targets that the step is for.
    pub platforms: &'p [Platform],
    /// The recipe's engine.
    pub engine: Engine,
    /// What was found for each input, by its key.
    pub inputs: &'p BTreeMap<&'static str, Resolved<'p>>,
    /// For a kind that joins: what each target has for its inputs, in the order of the targets.
    pub set: &'p [One<'p>],
    /// The selection leaves out targets that the step is for.
    pub partial: bool,
    /// Reports go here.
    pub diagnostics: &'p mut Diagnostics,
}

/// An input whose producer is known.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'p> {
    /// The type of artifact that is consumed.
    pub artifact: Artifact,
    /// The producing step's id.
    pub step: &'p str,
    /// The outputs of the producing instance, by name.
    pub outputs: &'p BTreeMap<String, Text>,
}

/// What one target has for an input that takes those of all.
#[derive(Debug, Clone, Copy)]
pub struct One<'p> {
    /// The target's name.
    pub target: &'p str,
    /// The target's platform.
    pub platform: &'p Platform,
    /// What the target has.
    pub input: Resolved<'p>,
}

/// What an instance does and leaves behind.
#[derive(Debug, Default)]
pub struct Lowered {
    /// In order; the first failure ends the instance.
    pub actions: Vec<Action>,
    /// Afterwards, in any case.
    pub cleanup: Vec<Action>,
    /// By name.
    pub outputs: Vec<(&'static str, Value)>,
    /// Outputs whose names the recipe chose.
    pub named_outputs: Vec<(String, Value)>,
    /// How to find out whether they are there.
    pub probe: Option<Probe>,
    /// What else counts for whether it must run.
    pub basis: Basis,
    /// What nobody else in the plan may write.
    pub claims: Vec<Claim>,
    /// What the plan has to say of the step, once for all its instances.
    pub notes: Vec<String>,
    /// Names that the lock explains, and where the recipe has them.
    pub asked: Vec<(Key, Span)>,
}

/// Something that only one instance may write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A path here.
    Path(String),
    /// A file on a node.
    NodeFile {
        /// The node's name.
        node: String,
        /// The path.
        path: String,
    },
    /// A reference in a node's store.
    NodeImage {
        /// The node's name.
        node: String,
        /// Which store there.
        store: String,
        /// The full reference.
        reference: String,
    },
    /// A reference in a registry.
    Pushed(String),
}

impl Claim {
    /// What is written, the same for every name that it has. `nodes` are those of the plan.
    pub fn key(&self, nodes: &BTreeMap<String, Node>) -> String {
        // Two names of one host are one place.
        let place = |name: &str| match nodes.get(name).and_then(|node| node.ssh.as_ref()) {
            Some(ssh) => format!("{:?} {:?} {}", ssh.config, ssh.port, ssh.destination),
            None => "here".into(),
        };
        match self {
            Self::Path(path) => format!("path {path}"),
            Self::NodeFile { node, path } => format!("file {path} on {}", place(node)),
            Self::NodeImage { node, store, reference } => {
                format!("image {reference} in {store} on {}", place(node))
            }
            Self::Pushed(reference) => format!("pushed {reference}"),
        }
    }

    /// One is a folder that holds the other.
    pub fn holds(&self, other: &Claim) -> bool {
        match (self, other) {
            (Self::Path(outer), Self::Path(inner)) => {
                inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "the path `{path}`"),
            Self::NodeFile { node, path } => write!(f, "the file `{path}` on node `{node}`"),
            Self::NodeImage { node, reference, .. } => write!(f, "the image `{reference}` on node `{node}`"),
            Self::Pushed(reference) => write!(f, "the image `{reference}` in its registry"),
        }
    }
}

impl Lowered {
    /// Adds an action.
    pub fn push(&mut self, action: impl Into<Action>) {
        self.actions.push(action.into());
    }

    /// What the name stands for counts; the recipe has it at this place.
    pub fn ask(&mut self, key: Key, place: &Span) {
        self.asked.push((key.clone(), place.clone()));
        self.basis.pins.push(key);
    }

    /// Adds an output that is known now, perhaps made of other late values.
    pub fn known(&mut self, name: &'static str, value: impl Into<Text>) {
        self.outputs.push((name, Value::Known(value.into())));
    }

    /// Adds an output that one of the actions yields.
    pub fn late(&mut self, name: &'static str, grammar: Grammar) {
        self.outputs.push((name, Value::Late(grammar)));
    }
}

impl<'p> Lower<'p> {
    /// Reports an error.
    pub fn refuse(&mut self, diagnostic: Diagnostic) -> Refused {
        self.diagnostics.push(diagnostic);
        Refused
    }

    /// The string with all names replaced; late values stay open.
    pub fn text(&mut self, string: &Str) -> Result<Text, Refused> {
        match self.values.text(string, self.view) {
            Ok(text) if text.as_literal().is_some_and(|text| text.contains('\0')) => {
                Err(self
                    .refuse(Diagnostic::error("spec::bad-value", "a NUL byte").at(&string.span, "in here")))
            }
            // A late value enters an argument only in a shape that no tool can misread.
            Ok(text) => {
                let shapeless = text.lates().find(|late| late.grammar == Grammar::Any).cloned();
                match shapeless {
                    Some(late) => Err(self.refuse(
                        Diagnostic::error("spec::late-value", format!("`{late}` has no fixed shape"))
                            .at(&string.span, "cannot be used in an argument"),
                    )),
                    None => Ok(text),
                }
            }
            Err(diagnostic) => Err(self.refuse(diagnostic)),
        }
    }

    /// The string with all names replaced, known now.
    pub fn word(&mut self, string: &Str) -> Result<String, Refused> {
        match self.values.word(string, self.view) {
            Ok(word) if word.contains('\0') => {
                Err(self
                    .refuse(Diagnostic::error("spec::bad-value", "a NUL byte").at(&string.span, "in here")))
            }
            Ok(word) => Ok(word),
            Err(diagnostic) => Err(self.refuse(diagnostic)),
        }
    }

    /// The same for an optional key.
    pub fn maybe_word(&mut self, string: Option<&Str>) -> Result<Option<String>, Refused> {
        string.map(|string| self.word(string)).transpose()
    }

    /// A path below the recipe's folder: relative, without `..`, not an option, and always written in one way.
    pub fn local_path(&mut self, string: &Str) -> Result<String, Refused> {
        let path = self.word(string)?;
        match plain_path(&path) {
            Ok(plain) => Ok(plain),
            Err(problem) => Err(self.bad_path(string, &path, problem)),
        }
    }

    /// The same for a path that the step writes: not the recipe's folder itself, and nothing of ours below `.pipeline`.
    pub fn output_path(&mut self, string: &Str) -> Result<String, Refused> {
        let path = self.local_path(string)?;
        let ours = path == ".pipeline" || path.starts_with(".pipeline/");
        if path == "." {
            Err(self.bad_path(string, &path, "it is the recipe's folder itself"))
        } else if ours && !path.starts_with(".pipeline/out/") {
            Err(self.bad_path(string, &path, "only `.pipeline/out/` is for outputs there"))
        } else {
            Ok(path)
        }
    }

    fn bad_path(&mut self, string: &Str, path: &str, problem: &str) -> Refused {
        self.refuse(
            Diagnostic::error("spec::bad-path", format!("bad path `{}`: {problem}", path.escape_debug()))
                .at(&string.span, "this path")
                .help("write a path relative to the recipe's folder, such as `out/image.tar`"),
        )
    }

    /// A full image reference; `registry:2` becomes `docker.io/library/registry:2`.
    pub fn reference(&mut self, string: &Str) -> Result<ImageRef, Refused> {
        let word = self.word(string)?;
        ImageRef::parse(&word).map_err(|error| {
            self.refuse(
                Diagnostic::error("spec::bad-reference", error.to_string())
                    .at(&string.span, "this reference")
                    .help(
                        "write `[registry/]name[:tag]` in lower case, such as `docker.io/library/registry:2`",
                    ),
            )
        })
    }

    /// A value that a tool reads as an argument of its own must not look like an option.
    pub fn argument(&mut self, string: &Str, what: &str) -> Result<String, Refused> {
        let word = self.word(string)?;
        let problem = if word.is_empty() {
            "it is empty"
        } else if word.starts_with('-') {
            "it would be read as an option"
        } else if word.chars().any(|c| c.is_control() || c.is_whitespace()) {
            "it holds spaces or control characters"
        } else {
            return Ok(word);
        };
        Err(self.refuse(
            Diagnostic::error("spec::bad-value", format!("bad {what} `{}`: {problem}", word.escape_debug()))
                .at(&string.span, "this value"),
        ))
    }

    /// The platform of the instance's target.
    pub fn platform(&mut self) -> Result<Platform, Refused> {
        match self.view.target.and_then(|target| target.platform) {
            Some(platform) => Ok(platform.clone()),
            None => Err(self.refuse(
                Diagnostic::error(
                    "plan::no-target",
                    "this step builds for a platform and so must run for each target",
                )
                .at(&self.span.clone(), "runs once here")
                .help("leave out `scope = \"once\"`"),
            )),
        }
    }

    /// The builder of the platform, by its name in the plan. The engine must be one that can be spoken to from here.
    pub fn builder(&mut self, platform: &Platform, engine: Engine) -> Result<Option<String>, Refused> {
        let name = platform.to_string();
        if !self.builders.contains_key(&name) {
            return Ok(None);
        }
        let socket = self.builders.get(&name).and_then(|builder| builder.socket.as_ref());
        let why = match engine {
            Engine::Podman if socket.is_some() => {
                "its url names a socket, and podman's service is started there for each run"
            }
            Engine::Docker | Engine::Podman => return Ok(Some(name)),
            Engine::Buildx => "buildx has builders of its own, which it is told of by `docker buildx create`",
            Engine::Buildah => "buildah has no service that could be spoken to over ssh",
        };
        let list = &self.values.recipe.builders.list;
        let place = list.iter().find(|(_, known, _)| known == platform).map(|(at, ..)| at.span.clone());
        Err(self.refuse(
            Diagnostic::error(
                "plan::native-builder",
                format!("{} cannot build on the builder of {platform}: {why}", engine.name()),
            )
            .at(&self.span.clone(), format!("built by {}", engine.name()))
            .at(&place.unwrap_or_else(|| self.span.clone()), "the builder")
            .help(if engine == Engine::Podman {
                "take the path out of the url"
            } else {
                "take `docker` or `podman` as `engine`, or take the builder out"
            }),
        ))
    }

    /// The node of the instance.
    pub fn node(&mut self) -> Result<&'p Node, Refused> {
        match self.node {
            Some(node) => Ok(node),
            None => Err(self.refuse(
                Diagnostic::error("plan::no-node", "this step changes a node and so must run for each node")
                    .at(&self.span.clone(), "does not here")
                    .help("leave out `scope`"),
            )),
        }
    }

    /// The instance's id in few characters, for names that may not hold all of it.
    pub fn short_hash(&self) -> String {
        Digest::of(self.id.as_str().as_bytes()).hex()[..8].to_owned()
    }

    /// The instance's own folder, relative to the recipe's; nobody else writes there.
    pub fn work(&self, path: &str) -> String {
        format!(".pipeline/work/{}/{path}", self.id)
    }

    /// An output of the input's producer, where there is such an input.
    pub fn input(&self, key: &str, output: &str) -> Option<&'p Text> {
        self.inputs.get(key)?.outputs.get(output)
    }

    /// An output that the producer of a required input must have.
    pub fn need(&mut self, key: &str, output: &str) -> Result<Text, Refused> {
        match self.input(key, output) {
            Some(text) => Ok(text.clone()),
            None => {
                // An input that was not found, or whose producer is wrong, has been reported.
                let Some(input) = self.inputs.get(key) else { return Err(Refused) };
                Err(self.refuse(
                    Diagnostic::error(
                        "plan::no-output",
                        format!("step `{}` makes no `{output}`", input.step),
                    )
                    .at(&self.span.clone(), "this step needs it"),
                ))
            }
        }
    }

    /// A duration such as `"90s"` or `"1h 30m"`, at most 30 days.
    pub fn duration(&mut self, string: &Str) -> Result<Duration, Refused> {
        let word = self.word(string)?;
        parse_duration(&word).ok_or_else(|| {
            let problem = match word.parse::<jiff::SignedDuration>() {
                Ok(duration) if duration.is_zero() => "is no time at all",
                Ok(duration) if duration.is_negative() => "is less than nothing",
                Ok(_) => "is more than 720 hours",
                Err(_) => "is not a duration",
            };
            self.refuse(
                Diagnostic::error("spec::bad-value", format!("`{}` {problem}", word.escape_debug()))
                    .at(&string.span, "this value")
                    .help("write it like `90s`, `15m` or `1h 30m`; `720h` is the most"),
            )
        })
    }
}

/// The path in its one plain form, or why it is none below the recipe's folder.
fn plain_path(path: &str) -> Result<String, &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    if path.starts_with('/') || path.starts_with('~') {
        return Err("it does not start at the recipe's folder");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("it leaves the recipe's folder");
    }
    match parts.first() {
        None => Ok(".".into()),
        // After a leading `./` as well: it would be lost on the way to a tool.
        Some(first) if first.starts_with('-') => Err("it would be read as an option"),
        Some(first) if first.starts_with('~') => Err("it does not start at the recipe's folder"),
        Some(_) => Ok(parts.join("/")),
    }
}

/// `90s`, `15m`, `1h 30m`: positive, at most 30 days.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let parsed: jiff::SignedDuration = text.parse().ok()?;
    let duration = Duration::try_from(parsed).ok()?;
    (!duration.is_zero() && duration <= Duration::from_hours(24 * 30)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::plain_path;

    #[test]
    fn one_way_to_write_a_path() {
        for (path, plain) in
            [("a", "a"), ("./a//b/./c/", "a/b/c"), (".", "."), ("./", "."), ("a-b/.x", "a-b/.x")]
        {
            assert_eq!(plain_path(path).as_deref(), Ok(plain), "{path}");
        }
        for bad in ["", "/x", ".//../x", "..", "a/../b", "-x", "./-x", ".//-x", "~x", "./~x", "a\nb"] {
            assert!(plain_path(bad).is_err(), "{bad}");
        }
    }
}
