//! Why an instance runs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an instance runs, and not only that it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Reason {
    /// It has never run to its end, or was begun again since.
    NoRecord,
    /// The step is another than it was.
    ConfigChanged {
        /// What of it.
        key: String,
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// Something that it uses is another than it was.
    InputChanged {
        /// A file, an instance, or a question to the outside.
        input: String,
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// A name in it stands for something else than it did, by the lock.
    PinChanged {
        /// The name.
        name: String,
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// The lock does not say what a name stands for.
    NotLocked {
        /// The name.
        name: String,
    },
    /// What it left is no longer there.
    OutputMissing {
        /// A path, or what was asked for.
        output: String,
    },
    /// Somebody else changed what it left.
    OutputChanged {
        /// The path.
        output: String,
    },
    /// Whether what it left is still there cannot be found out.
    OutputUnknown {
        /// Why.
        why: String,
    },
    /// The build engine is of another version.
    ToolChanged {
        /// The tool.
        tool: String,
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// The command line says so.
    Forced,
    /// The step runs each time: it says so, or it is of a kind that asks how things are now.
    Always,
    /// Not known yet: it depends on what comes of this one.
    Undecided {
        /// The instance.
        upstream: String,
    },
}

impl Reason {
    /// Everything in it that comes from outside.
    pub fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::ConfigChanged { key: name, old, new }
            | Self::InputChanged { input: name, old, new }
            | Self::PinChanged { name, old, new }
            | Self::ToolChanged { tool: name, old, new } => vec![name, old, new],
            Self::NotLocked { name } => vec![name],
            Self::OutputMissing { output } | Self::OutputChanged { output } => vec![output],
            Self::OutputUnknown { why } => vec![why],
            Self::Undecided { upstream } => vec![upstream],
            Self::NoRecord | Self::Forced | Self::Always => Vec::new(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecord => f.write_str("there is no record that it was ever done"),
            Self::ConfigChanged { key, old, new } => {
                write!(f, "{key} changed: {} -> {}", brief(old), brief(new))
            }
            Self::InputChanged { input, old, new } => {
                write!(f, "{input} changed: {} -> {}", brief(old), brief(new))
            }
            Self::PinChanged { name, old, new } => {
                write!(f, "{name} stands for another one in the lock: {} -> {}", brief(old), brief(new))
            }
            Self::NotLocked { name } => write!(f, "the lock does not say what {name} stands for"),
            Self::OutputMissing { output } => write!(f, "{output} is not there any more"),
            Self::OutputChanged { output } => write!(f, "{output} was changed by somebody else"),
            Self::OutputUnknown { why } => write!(f, "whether its result is still there is not known: {why}"),
            Self::ToolChanged { tool, old, new } => {
                write!(f, "{tool} is of another version: {} -> {}", brief(old), brief(new))
            }
            Self::Forced => f.write_str("you asked for it"),
            Self::Always => f.write_str("it runs each time"),
            Self::Undecided { upstream } => write!(f, "not known before `{upstream}` has run"),
        }
    }
}

/// Digests are told apart by their first digits.
fn brief(text: &str) -> String {
    let hex = |text: &str| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex(text) {
        return text[..12].to_owned();
    }
    if let Some(digest) = text.strip_prefix("sha256:").filter(|digest| hex(digest)) {
        return format!("sha256:{}", &digest[..12]);
    }
    let text = text.trim_end().escape_debug().to_string();
    if text.chars().count() > 80 {
        return format!("`{}…`", text.chars().take(80).collect::<String>());
    }
    if text.is_empty() { "nothing".into() } else { format!("`{text}`") }
}
