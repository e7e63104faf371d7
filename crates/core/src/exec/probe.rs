//! Whether an output is there, found out without changing anything.

use std::cell::RefCell;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::context::{ActionCx, Codes, Keep, Shared};
use super::{Host, Port, Values};
use crate::output::Cap;
use crate::plan::{InstanceId, MAX_LOG, Plan, Presence, Probe};

/// A node that does not answer is as good as unknown.
const LONGEST: Duration = Duration::from_secs(30);

/// Answers a probe. `values` are what is known of earlier runs; where one is missing, the answer is unknown.
pub fn presence(probe: &Probe, plan: &Plan, host: &Host<'_>, values: &Values) -> Presence {
    let Ok(cancel) = Cancel::new() else { return Presence::Unknown };
    // Nobody listens: a probe's commands and lines are not news.
    let (sender, _) = sync_channel(1);
    let shared = Shared::new(plan, host, &cancel, Duration::from_secs(2), Port(sender), values.clone());
    let instance = InstanceId::new("probe", None, None);
    let cx = ActionCx {
        shared: &shared,
        instance: &instance,
        deadline: Some(Instant::now() + LONGEST),
        silence: None,
        heed_stop: true,
        log: &RefCell::new(Cap::new(MAX_LOG)),
    };
    match probe {
        Probe::Path(path) => match cx.resolve_path(path).map(|path| path.symlink_metadata()) {
            Ok(Ok(_)) => Presence::Present,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Presence::Absent,
            Ok(Err(_)) | Err(_) => Presence::Unknown,
        },
        Probe::Command(command) => match cx.execute(command, Keep::Nothing, Codes::Any) {
            Ok(captured) if captured.code == 0 => Presence::Present,
            // Over ssh, a tool that is not there says nothing about what it would have looked for.
            Ok(captured) if captured.code == 127 => Presence::Unknown,
            Ok(_) => Presence::Absent,
            Err(_) => Presence::Unknown,
        },
        Probe::Emulation(platforms) => host.actions.emulates(platforms),
        Probe::Unknown => Presence::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::tests::kit::{None_, env, plan, sh};
    use crate::output::Redactor;
    use crate::plan::{Command, Grammar, Text};

    #[test]
    fn present_absent_and_unknown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "").unwrap();
        let here = folder.path().to_owned();
        let host = Host { here, env: env(), redactor: Redactor::default(), actions: &None_ };
        let plan = plan(Vec::new(), &[]);
        let ask = |probe: Probe| presence(&probe, &plan, &host, &Values::new());
        assert_eq!(ask(Probe::Path(Text::here("f"))), Presence::Present);
        assert_eq!(ask(Probe::Path("f".into())), Presence::Present);
        assert_eq!(ask(Probe::Path("g".into())), Presence::Absent);
        assert_eq!(ask(Probe::Path(Text::late("a", "b", Grammar::Hex))), Presence::Unknown);
        // More lines than any channel holds: nobody listens.
        assert_eq!(ask(Probe::Command(sh("seq 5000").into())), Presence::Present);
        assert_eq!(ask(Probe::Command(sh("exit 1").into())), Presence::Absent);
        assert_eq!(ask(Probe::Command(sh("kill -9 $$").into())), Presence::Unknown);
        assert_eq!(ask(Probe::Command(Command::new(["no-such-tool-anywhere"]).into())), Presence::Unknown);
        assert_eq!(ask(Probe::Command(sh("true").on_node("nowhere").into())), Presence::Unknown);
        assert_eq!(ask(Probe::Emulation(Vec::new())), Presence::Unknown);
    }
}
