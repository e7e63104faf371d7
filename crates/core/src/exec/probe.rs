//! Whether what an instance leaves is there, found out without changing anything.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::context::{ActionCx, Shared};
use super::{Host, Port, Values, worker};
use crate::event::FailureKind;
use crate::plan::{Instance, Plan, Presence, Probe};

/// A node that does not answer is as good as unknown.
const LONGEST: Duration = Duration::from_secs(30);

/// Answers an instance's probe. `values` are what is known of earlier runs; where one is missing, the answer is unknown.
pub fn presence(instance: &Instance, plan: &Plan, host: &Host<'_>, values: &Values) -> Presence {
    let Ok(cancel) = Cancel::new() else { return Presence::Unknown };
    // Nobody listens: a probe's commands and lines are not news.
    let (sender, _) = sync_channel(1);
    let shared = Shared::new(plan, host, &cancel, Duration::from_secs(2), Port(sender), values.clone());
    let cx = quiet(&shared, instance);
    match &instance.probe {
        Probe::Paths(paths) => {
            let mut all = Presence::Present;
            for path in paths {
                match cx.resolve_path(path).map(|path| path.symlink_metadata()) {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Presence::Absent;
                    }
                    Ok(Err(_)) | Err(_) => all = Presence::Unknown,
                }
            }
            all
        }
        _ => ask(&cx, instance)
            .map_or(Presence::Unknown, |there| if there { Presence::Present } else { Presence::Absent }),
    }
}

/// For what only looks.
pub(super) fn quiet<'a>(shared: &'a Shared<'a>, instance: &'a Instance) -> ActionCx<'a> {
    let deadline = Instant::now().checked_add(LONGEST);
    ActionCx { shared, instance: &instance.id, deadline, heed_stop: true, quiet: true }
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
    use super::*;
    use crate::exec::tests::kit::{None_, env, instance, plan, sh};
    use crate::plan::{Command, Grammar, Text};

    #[test]
    fn present_absent_and_unknown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "").unwrap();
        let host = Host { here: folder.path().to_owned(), env: env(), actions: &None_ };
        let plan = plan(Vec::new(), &[]);
        let ask = |probe: Probe| {
            presence(&Instance { probe, ..instance("s", Vec::new()) }, &plan, &host, &Values::new())
        };
        let command = |command: Command| Probe::Actions(vec![command.into()]);
        assert_eq!(ask(Probe::Paths(vec![Text::here("f")])), Presence::Present);
        assert_eq!(ask(Probe::Paths(vec!["f".into()])), Presence::Present);
        assert_eq!(ask(Probe::Paths(vec!["f".into(), "g".into()])), Presence::Absent);
        assert_eq!(ask(Probe::Paths(vec![Text::late("a", "b", Grammar::Hex)])), Presence::Unknown);
        // More lines than any channel holds: nobody listens.
        assert_eq!(ask(command(sh("seq 5000"))), Presence::Present);
        assert_eq!(ask(command(sh("exit 1"))), Presence::Absent);
        assert_eq!(ask(command(sh("kill -9 $$"))), Presence::Unknown);
        assert_eq!(ask(command(Command::new(["no-such-tool-anywhere"]))), Presence::Unknown);
        assert_eq!(ask(command(sh("true").on_node("nowhere"))), Presence::Unknown);
        assert_eq!(ask(Probe::Emulation(Vec::new())), Presence::Unknown);
        assert_eq!(ask(Probe::Nothing), Presence::Present);
    }
}
