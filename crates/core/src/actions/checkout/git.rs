//! git, as nobody has configured it.

use crate::event::Failure;
use crate::exec::ActionCx;
use crate::git::ENVIRONMENT;
use crate::plan::{Checkout, Command};

/// What every call of git needs to know.
pub(super) struct Git<'a> {
    pub(super) cx: &'a ActionCx<'a>,
    pub(super) checkout: &'a Checkout,
}

impl Git<'_> {
    /// `git ARGS` with what the recipe allows.
    pub(super) fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let command = Command::new(["git"]).args(args.iter().map(|arg| arg.as_ref().to_owned()));
        let command = ENVIRONMENT.iter().fold(command, |command, (name, value)| command.env(name, *value));
        let mut command = command
            .env("GIT_ALLOW_PROTOCOL", self.checkout.protocols.join(":"))
            .env("GIT_PROTOCOL_FROM_USER", "0");
        command.env.extend(self.checkout.env.clone());
        command
    }

    /// The same on a folder that is a repository, with nothing in it that runs programs.
    pub(super) fn within<S: AsRef<str>>(&self, folder: &str, args: &[S]) -> Command {
        let settings = [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "protocol.ext.allow=never",
            "fetch.fsckObjects=true",
        ];
        let mut all = vec!["-C", folder];
        all.extend(settings.iter().flat_map(|setting| ["-c", setting]));
        all.extend(args.iter().map(AsRef::as_ref));
        self.command(&all)
    }

    /// What it prints, without the last newline.
    pub(super) fn ask(&self, command: &Command) -> Result<String, Failure> {
        let captured = self.cx.run(command)?;
        Ok(String::from_utf8_lossy(&captured.stdout).trim_end_matches('\n').to_owned())
    }
}
