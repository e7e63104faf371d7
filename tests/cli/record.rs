//! What a run tells and keeps: events, plan, logs.

use std::fs;

use pipeline_core::event::{Event, EventKind, Failure, FailureKind, Status, Stream};
use pipeline_testkit::Rule;

use crate::lab::{Lab, Ran};

const RECIPE: &str = r#"version = 1

[pipeline]
name = "app"

[[step]]
id   = "first"
uses = "run"
argv = ["docker", "one"]

[[step]]
id    = "second"
uses  = "run"
argv  = ["podman", "two"]
needs = ["first"]
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    lab.script(&[Rule::of("docker")
        .args(&["one"])
        .stdout("out\n\u{1b}[31mred\u{1b}]0;title\u{7}\n")
        .stderr("err\n")]);
    lab
}

#[test]
fn events_are_json_lines_that_read_back() {
    let lab = lab();
    let ran = lab.output(&["run", "--progress", "json"]).must(0);
    let events: Vec<Event> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ran.stderr, "");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.seq, number as u64);
        let again: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        assert_eq!(&again, event);
    }
    assert!(events.is_sorted_by_key(|event| event.elapsed));
    assert!(
        matches!(&events[0].kind, EventKind::RunStarted { version: 1, recipe, instances: 2, .. } if recipe == "app")
    );
    let EventKind::RunFinished { counts } = events.last().unwrap().kind else { panic!("{events:?}") };
    assert_eq!((counts.done, counts.failed), (2, 0));
    let lines: Vec<(&Stream, &str)> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Line { stream, text, .. } => Some((stream, text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(lines, [(&Stream::Output, "out"), (&Stream::Output, "red"), (&Stream::Output, "err"),]);
    // What is recorded is what was told.
    assert_eq!(lab.events(), events);
}

#[test]
fn a_run_keeps_its_plan_events_and_logs() {
    let lab = lab();
    let plan = lab.output(&["plan", "--format", "json"]).must(0).stdout;
    lab.output(&["run"]).must(0);
    let folder = lab.run_folder();
    let kept: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("plan.json")).unwrap()).unwrap();
    assert_eq!(kept, serde_json::from_str::<serde_json::Value>(&plan).unwrap());
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["events.jsonl", "logs", "plan.json"]);
    let log = fs::read_to_string(folder.join("logs/first@host.log")).unwrap();
    assert!(log.contains("docker one") && log.contains("\nout\n") && log.contains("\nerr\n"), "{log:?}");
    assert!(folder.join("logs/second@host.log").exists());
    // One folder for each run.
    lab.output(&["run"]).must(0);
    assert_ne!(lab.run_folder(), folder);
    assert_eq!(fs::read_dir(lab.space.path(".pipeline/runs")).unwrap().count(), 2);
}

#[test]
fn where_nothing_has_to_be_done_nothing_is_needed_for_it() {
    let lab = Lab::new();
    lab.recipe(
        "version = 1\n[[step]]\nid = 'make'\nuses = 'run'\nargv = ['docker', 'make']\noutputs = { out = 'made' }\n",
    );
    // A folder without files is known by its name: no clock is too coarse for it.
    fs::create_dir(lab.space.path("made")).unwrap();
    lab.script(&[Rule::of("docker").args(&["make"])]);
    lab.output(&["run"]).must(0);
    assert!(lab.run_folder().join("plan.json").exists());
    let empty = lab.space.path("empty");
    fs::create_dir(&empty).unwrap();
    // Without any tool there is no run, and none is needed for this one.
    let without_tools = |args: &[&str]| Ran::of(lab.pipeline(args).env("PATH", &empty));
    without_tools(&["run"]).must(0);
    let ends = |event: &Event| matches!(event.kind, EventKind::Finished { status: Status::UpToDate, .. });
    assert_eq!(lab.events().iter().filter(|event| ends(event)).count(), 1);
    assert!(!lab.run_folder().join("plan.json").exists());
    without_tools(&["run", "--force"]).must(5);
    fs::remove_dir(lab.space.path("made")).unwrap();
    without_tools(&["run"]).must(5);
}

#[test]
fn what_tools_print_reaches_no_terminal_raw() {
    let lab = lab();
    lab.script(&[Rule::of("docker").stdout("\u{1b}]52;c;AAAA\u{7}\u{9b}2Jtext\u{202e}\r\n").exit(1)]);
    for args in [&["run"][..], &["run", "-v"]] {
        let ran = lab.output(args).must(1);
        assert!(ran.stderr.contains("text"), "{}", ran.stderr);
        let raw = ran.stderr.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
        assert_eq!(raw, None, "{:?}", ran.stderr);
    }
}

#[test]
fn a_failure_is_told_with_its_last_lines_and_log() {
    let lab = lab();
    let noise: String = (1..=40).map(|n| format!("line {n}\n")).collect();
    lab.script(&[Rule::of("docker").stdout(&noise).stderr("no space left\n").exit(3)]);
    let ran = lab.output(&["run"]).must(1);
    assert!(ran.stderr.contains("FAILED") && ran.stderr.contains("first@host"), "{}", ran.stderr);
    assert!(ran.stderr.contains("| line 40\n") && ran.stderr.contains("| no space left\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("| line 20\n"), "only the end: {}", ran.stderr);
    let log =
        ran.stderr.lines().find_map(|line| line.trim().strip_prefix("log: ")).expect("where the log is");
    assert!(fs::read_to_string(lab.space.path(log)).unwrap().contains("line 1\n"));
    assert!(ran.stderr.contains("skipped") && ran.stderr.contains("(first@host failed)"), "{}", ran.stderr);
    let failed = lab.events().into_iter().find_map(|event| match event.kind {
        EventKind::Finished { status: Status::Failed(failure), .. } => Some(failure),
        _ => None,
    });
    assert!(matches!(failed, Some(Failure { kind: FailureKind::Exit { code: 3 }, .. })), "{failed:?}");
}

/// The file system refuses to let files grow, as a full one does.
#[test]
fn a_record_that_could_not_be_written_is_no_success() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"cat\", \"lines\"]\n");
    lab.space.write("lines", "a line\n".repeat(5000));
    let mut limited = lab.space.command("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$1\" run", "sh", crate::PIPELINE]);
    let ran = Ran::of(&mut limited).must(1);
    assert!(ran.stderr.contains("is incomplete: File too large"), "{}", ran.stderr);
    lab.output(&["run"]).must(0);
}
