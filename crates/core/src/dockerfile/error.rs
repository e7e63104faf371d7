//! Why a Dockerfile cannot be read or rewritten.

use std::fmt;

use miette::Diagnostic;

/// An image that a Dockerfile names, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Counted from 1.
    pub line: usize,
    /// The image as written.
    pub image: String,
    /// What it expands to without build arguments, where that is known.
    pub expanded: Option<String>,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// The name of the stage it belongs to, or its number counted from 0.
    pub stage: String,
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.image.escape_debug())?;
        if let Some(expanded) = self.expanded.as_ref().filter(|expanded| **expanded != self.image) {
            write!(f, " = `{}`", expanded.escape_debug())?;
        }
        if let Some(platform) = &self.platform {
            write!(f, " for `{}`", platform.escape_debug())?;
        }
        write!(f, " (line {}, stage `{}`)", self.line, self.stage.escape_debug())
    }
}

impl Mention {
    /// What to write for it as a key of `replace`.
    fn key(&self) -> &str {
        self.expanded.as_ref().unwrap_or(&self.image)
    }
}

fn list(mentions: &[Mention]) -> String {
    if mentions.is_empty() {
        return "none".to_owned();
    }
    mentions.iter().map(Mention::to_string).collect::<Vec<_>>().join(", ")
}

/// What is wrong with a Dockerfile, or with what is asked of it. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum DockerfileError {
    /// It is no Dockerfile.
    #[error("the Dockerfile cannot be understood{}: {reason}", at(*line))]
    #[diagnostic(help("correct the Dockerfile; `docker build` would stop there as well"))]
    Syntax {
        /// Where; nothing when the whole file is meant.
        line: Option<usize>,
        /// What the parser says.
        reason: String,
    },
    /// It builds on nothing that could be replaced.
    #[error("the Dockerfile builds on no external image: its stages start from `scratch` or from each other")]
    #[diagnostic(help("name the stage to start from another image: `stage = \"…\"` beside `from`"))]
    NoBase,
    /// Several images could be meant.
    #[error("`from` could mean {} images: {}", bases.len(), list(bases))]
    #[diagnostic(help(
        "say which: `stage = \"{}\"` beside `from`, `all = true` beside it, or `replace = {{ \"{}\" = \"{new}\" }}` instead of it",
        bases.first().map_or("…", |base| &base.stage).escape_debug(),
        bases.first().map_or("…", Mention::key).escape_debug(),
    ))]
    Ambiguous {
        /// One line for each image.
        bases: Vec<Mention>,
        /// The image that was to replace one of them.
        new: String,
    },
    /// No stage of this name.
    #[error("the Dockerfile has no stage `{}`", stage.escape_debug())]
    #[diagnostic(help("its stages are: {}", known.join(", ").escape_debug()))]
    NoStage {
        /// The name that was given.
        stage: String,
        /// Names, and numbers of stages without a name.
        known: Vec<String>,
    },
    /// Two stages of this name.
    #[error("the Dockerfile has stages `{}` in lines {first} and {second}", stage.escape_debug())]
    #[diagnostic(help("name the stage by its number, counted from 0"))]
    StageTwice {
        /// Their name.
        stage: String,
        /// The line of one.
        first: usize,
        /// The line of the next.
        second: usize,
    },
    /// The stage has no image of its own.
    #[error("stage `{}` in line {line} builds on the stage `{}`, not on an image", stage.escape_debug(), on.escape_debug())]
    #[diagnostic(help("name the stage that starts from the image"))]
    Derived {
        /// The stage that was named.
        stage: String,
        /// The line of its FROM.
        line: usize,
        /// What it builds on, as written.
        on: String,
    },
    /// A key of `replace` that the Dockerfile does not name.
    #[error("the Dockerfile does not use the image `{}`", key.escape_debug())]
    #[diagnostic(help(
        "it uses: {}{}", list(known),
        suggestion.as_ref().map(|near| format!("; did you mean `{}`?", near.escape_debug())).unwrap_or_default()
    ))]
    NoMatch {
        /// The key that matches nothing.
        key: String,
        /// What would match.
        known: Vec<Mention>,
        /// The most similar of them.
        suggestion: Option<String>,
    },
    /// The new image's name cannot stand in a Dockerfile.
    #[error("`{}` cannot be an image in a Dockerfile: {reason}", image.escape_debug())]
    #[diagnostic(help("write a full image reference, such as `docker.io/library/alpine:3.20`"))]
    BadImage {
        /// The name, cut after 300 characters.
        image: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The new image's name would be taken for a stage.
    #[error("`{image}` in line {line} would be the stage of that name, not the image")]
    #[diagnostic(help(
        "write the image with its registry or tag, such as `docker.io/library/{image}:latest`"
    ))]
    IsStage {
        /// The new image's name.
        image: String,
        /// Where it would be written.
        line: usize,
    },
    /// The edited text does not say what it should.
    #[error("line {line} would not say what was asked for, or another line would change with it")]
    #[diagnostic(help(
        "change that line by hand in the sources, and report it with the Dockerfile: it is a defect"
    ))]
    NotExact {
        /// The line in the original.
        line: usize,
    },
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}
