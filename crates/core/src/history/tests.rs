use std::fs;
use std::time::Duration;

use super::*;
use crate::event::{Counts, Event, EventKind, Failure, FailureKind, Status, Stream};
use crate::plan::{Edge, Instance, InstanceId, Plan};

fn id(step: &str) -> InstanceId {
    InstanceId::new(step, None, None)
}

/// `a` and `b` before `c`; `d` alone.
fn plan() -> Plan {
    let mut plan = Plan { recipe: "demo".into(), ..Plan::default() };
    let [a, b, c, _] =
        ["a", "b", "c", "d"].map(|step| plan.graph.add_node(Instance::new(id(step), "run", Vec::new())));
    plan.graph.add_edge(a, c, Edge::Needs);
    plan.graph.add_edge(b, c, Edge::Output("path".into()));
    plan
}

fn events(kinds: Vec<(u64, EventKind)>) -> Vec<Event> {
    let event = |(seq, (second, kind))| Event {
        seq,
        at: jiff::Timestamp::UNIX_EPOCH,
        elapsed: Duration::from_secs(second),
        kind,
    };
    (0..).zip(kinds).map(event).collect()
}

fn started(step: &str, attempt: u32) -> EventKind {
    EventKind::Started { instance: id(step), attempt }
}

fn finished(step: &str, status: Status, took: u64, attempts: u32) -> EventKind {
    EventKind::Finished { instance: id(step), status, took: Duration::from_secs(took), attempts }
}

/// `a` takes 2 s, `b` 5 s by two attempts, `c` waits 1 s longer than it must; `d` fails in the meantime.
fn run() -> Vec<Event> {
    let run_started =
        EventKind::RunStarted { version: 1, run: "r1".into(), recipe: "demo".into(), instances: 4, jobs: 2 };
    let line = EventKind::Line { instance: id("b"), stream: Stream::Output, text: "x".into(), painted: None };
    let failure = Failure::new(FailureKind::Exit { code: 7 }, "no");
    events(vec![
        (0, run_started),
        (0, started("a", 1)),
        (0, started("b", 1)),
        (1, line),
        (2, finished("a", Status::Done, 2, 1)),
        (2, started("d", 1)),
        (3, started("b", 2)),
        (4, finished("d", Status::Failed(failure), 2, 1)),
        (5, finished("b", Status::Done, 5, 2)),
        (6, started("c", 1)),
        (8, finished("c", Status::Done, 2, 1)),
        (9, EventKind::RunFinished { counts: Counts { done: 3, failed: 1, flaky: 1, ..Counts::default() } }),
    ])
}

#[test]
fn an_account_has_what_the_events_say() {
    let account = Account::of(&run());
    assert_eq!((account.run.as_str(), account.total, account.elapsed.as_secs()), ("r1", 4, 9));
    let b = account.course(&id("b")).unwrap();
    assert_eq!((b.attempts.len(), b.lines, b.took.as_secs(), b.tried), (2, 1, 5, 2));
    assert!(b.is_flaky() && b.is_there() && !b.is_running());
    assert!(!account.course(&id("d")).unwrap().is_there());
    assert_eq!(account.counts.unwrap().failed, 1);
    // Killed in the middle.
    let half = Account::of(&run()[..5]);
    assert!(half.courses[&id("b")].is_running() && half.counts.is_none());
}

#[test]
fn the_critical_path_is_what_the_last_one_waited_for() {
    let link = |step, waited, took| Link {
        instance: id(step),
        waited: Duration::from_secs(waited),
        took: Duration::from_secs(took),
    };
    let path = critical_path(&plan(), &Account::of(&run()));
    assert_eq!(path, [link("b", 0, 5), link("c", 1, 2)]);
    assert_eq!(critical_path(&plan(), &Account::default()), []);
}

#[test]
fn a_folder_is_read_as_far_as_it_goes() {
    let here = tempfile::tempdir().unwrap();
    assert_eq!(runs(here.path()).unwrap(), []);
    let folder = here.path().join(".pipeline/runs/r1");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir(here.path().join(".pipeline/runs/empty")).unwrap();
    let lines: Vec<String> = run().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let text = lines.join("\n") + "\n";
    fs::write(folder.join("events.jsonl"), &text[..text.len() - 9]).unwrap();
    let found = runs(here.path()).unwrap();
    assert_eq!(found.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["r1"]);
    let account = found[0].account().unwrap();
    assert!(account.courses[&id("c")].is_there() && account.counts.is_none());
    assert!(found[0].plan().unwrap().is_none());

    fs::write(folder.join("plan.json"), crate::show::json(&plan()).to_string()).unwrap();
    assert_eq!(crate::show::json(&found[0].plan().unwrap().unwrap()), crate::show::json(&plan()));
    fs::write(folder.join("plan.json"), r#"{"version":9}"#).unwrap();
    assert!(found[0].plan().unwrap_err().to_string().ends_with("this program knows version 1"));

    fs::write(folder.join("events.jsonl"), text.replace(r#""version":1"#, r#""version":2"#)).unwrap();
    assert!(matches!(found[0].account(), Err(Unread::Version { version: 2, .. })));
    fs::write(folder.join("events.jsonl"), format!("{}\nnothing\n", lines[0])).unwrap();
    assert!(matches!(found[0].account(), Err(Unread::Event { line: 2, .. })));

    // What has another name, or never ends, is nothing of ours.
    fs::remove_file(folder.join("plan.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("plan.json")).unwrap();
    assert!(found[0].plan().unwrap_err().to_string().ends_with("plan.json: it is no file"));
    for name in ["-r", ".gone-r", "r\u{1b}[2J", "r\n2", "r\u{202e}", "r 2"] {
        let folder = here.path().join(".pipeline/runs").join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("events.jsonl"), "").unwrap();
    }
    assert_eq!(runs(here.path()).unwrap().len(), 1);
}
