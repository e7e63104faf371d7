//! What `pipeline ship` is told: an image that is here, and nodes.

pub(crate) mod image;
pub(crate) mod node;
pub(crate) mod recipe;

use crate::terminal;

/// Why nothing is shipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As `pipeline explain-error` knows it.
    pub(crate) code: &'static str,
    pub(crate) exit: u8,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, exit: u8, message: impl Into<String>) -> Self {
        Self { code, exit, message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Says so; the exit code.
    pub(crate) fn tell(&self) -> u8 {
        terminal::error(self.code, &self.message, self.help.as_deref());
        self.exit
    }
}
