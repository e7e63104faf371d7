//! Whether what an instance leaves is there, found out without changing anything.

use std::cell::RefCell;
use std::time::Duration;

use super::context::{ActionCx, Shared};
use super::worker;
use crate::event::FailureKind;
use crate::plan::{Instance, Presence, Probe};

/// A node that does not answer is as good as unknown.
const LONGEST: Duration = Duration::from_secs(30);

/// For what only looks.
pub(super) fn quiet<'a>(shared: &'a Shared<'a>, instance: &'a Instance) -> ActionCx<'a> {
    let deadline = shared.cancel.now().checked_add(LONGEST);
    ActionCx {
        shared,
        instance,
        deadline,
        silence: None,
        heed_stop: true,
        log: None,
        used: RefCell::default(),
    }
}

/// Asks tools and nodes; what lies in files here is looked at elsewhere. The error says why nobody knows.
pub(super) fn ask(cx: &ActionCx<'_>, instance: &Instance) -> Result<bool, String> {
    match &instance.probe {
        Probe::Paths(_) | Probe::Nothing => Ok(true),
        Probe::Unknown => Err("nobody can tell".into()),
        Probe::Emulation(platforms) => match cx.shared.host.actions.emulates(platforms) {
            Presence::Present => Ok(true),
            Presence::Absent => Ok(false),
            Presence::Unknown => Err("the kernel does not tell".into()),
        },
        Probe::Image { store, id } => {
            let id = cx.resolve(id).map_err(|failure| failure.message)?;
            cx.shared.asked.images(cx, store).map(|images| images.contains(&*id.to_string_lossy()))
        }
        Probe::Actions(actions) => {
            match actions.iter().try_for_each(|action| worker::step(cx, instance, action)) {
                Ok(()) => Ok(true),
                // A tool that says no, or another thing in its place.
                Err(failure) => match failure.kind {
                    FailureKind::Exit { .. } | FailureKind::Mismatch | FailureKind::Input => Ok(false),
                    _ => Err(failure.message),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::exec::cancel::Cancel;
    use crate::exec::tests::kit::{None_, env, instance, plan, sh};
    use crate::exec::{Host, Port, Values};
    use crate::output::Redactor;
    use crate::plan::Command;

    #[test]
    fn there_not_there_and_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_owned();
        let host = Host {
            here,
            env: env(),
            redactor: Redactor::default(),
            secrets: crate::exec::Secrets::default(),
            actions: &None_,
        };
        let plan = plan(Vec::new(), &[]);
        let cancel = std::sync::Arc::new(Cancel::new().unwrap());
        let ask = |probe: Probe| {
            // Nobody listens, and more lines than any channel holds: a probe's lines are not news.
            let port = Port(sync_channel(1).0);
            let shared = Shared::new(&plan, &host, &cancel, Duration::from_secs(2), port, Values::new());
            let instance = Instance { probe, ..instance("s", Vec::new()) };
            super::ask(&quiet(&shared, &instance), &instance).ok()
        };
        let command = |command: Command| Probe::Actions(vec![command.into()]);
        assert_eq!(ask(command(sh("seq 5000"))), Some(true));
        assert_eq!(ask(command(sh("exit 1"))), Some(false));
        assert_eq!(ask(command(sh("kill -9 $$"))), None);
        assert_eq!(ask(command(Command::new(["no-such-tool-anywhere"]))), None);
        assert_eq!(ask(command(sh("true").on_node("nowhere"))), None);
        assert_eq!(ask(Probe::Emulation(Vec::new())), None);
        assert_eq!(ask(Probe::Nothing), Some(true));
    }
}
