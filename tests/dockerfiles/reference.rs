//! BuildKit's own parser, as the program of `reference/main.go`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// What it makes of one Dockerfile. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Why it is no Dockerfile; empty when it is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) stages: Vec<Stage>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) others: Vec<Other>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) nodes: Vec<Node>,
}

/// A `FROM`, which ends with the line `last`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) base: String,
    pub(crate) platform: String,
    pub(crate) expanded: Option<String>,
    /// The stage that it builds on.
    pub(crate) on: Option<usize>,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Stage {
    /// It builds on an image.
    pub(crate) fn external(&self) -> bool {
        self.on.is_none() && self.expanded.as_deref() != Some("scratch")
    }
}

/// An image of `COPY --from` or `RUN --mount`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) stage: usize,
    pub(crate) kind: String,
    pub(crate) image: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// An instruction without its comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) text: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

pub(crate) struct Reference {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reference {
    pub(crate) fn start(program: &Path) -> Self {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ask = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, ask, answers }
    }

    pub(crate) fn read(&mut self, text: &[u8]) -> Answer {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        writeln!(self.ask, "\"{text}\"").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
