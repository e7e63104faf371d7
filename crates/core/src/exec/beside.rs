//! Something that is done while a child holds a way open: a forwarded socket.

use std::cell::Cell;
use std::ffi::OsString;

use super::context::ActionCx;
use super::failure::{self, Shown};
use super::process::{self, Limits, Request, Stdin};
use crate::event::{EventKind, Failure, FailureKind};
use crate::plan::Text;

impl ActionCx<'_> {
    /// Starts `argv`, which prints the line `ready` when the way is open and ends when its stdin does; does `ask` in
    /// between.
    pub fn beside<T>(
        &self,
        argv: &[Text],
        ready: &str,
        ask: &dyn Fn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let argv: Vec<OsString> = argv.iter().map(|arg| self.resolve(arg)).collect::<Result<_, _>>()?;
        let shown = Shown { argv: &argv, node: None, remote: true, about: None };
        let tool = argv.first().map(|tool| tool.to_string_lossy().into_owned()).unwrap_or_default();
        let program = self.tool(&tool)?;
        self.event(EventKind::Command {
            instance: self.instance.id.clone(),
            argv: argv.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        });
        let release = Cell::new(false);
        let request = Request {
            argv: &argv,
            program: &program,
            dir: self.here(),
            env: self.env(),
            stdin: Stdin::Held,
            keep_stdout: false,
            redactor: &self.shared.host.redactor,
        };
        let limits = Limits {
            cancel: self.shared.cancel,
            heed_stop: self.heed_stop,
            deadline: self.deadline,
            silence: None,
            grace: self.shared.grace,
            release: Some(&release),
        };
        let mut answer = None;
        let mut last = String::new();
        process::run(&request, &limits, &mut |stream, line| {
            if answer.is_none() && line.text.trim_end() == ready {
                answer = Some(ask());
                release.set(true);
            } else {
                last.clone_from(&line.text);
                self.printed(stream, line);
            }
        })
        .map_err(|error| failure::not_started(&shown, &error))?;
        self.end_of_output();
        answer.unwrap_or_else(|| {
            Err(Failure::new(
                FailureKind::Unreachable,
                format!("{tool} did not open a way to the node: {last}"),
            ))
        })
    }
}
