//! Late values, attempts, clean-up, own actions.

use std::path::Path;
use std::time::Duration;

use super::kit::{go, go_with, instance, options, plan, sh};
use crate::event::{EventKind, Failure, FailureKind, Status};
use crate::exec::{ActionCx, Actions, Host, Values, perform_one};
use crate::output::Redactor;
use crate::plan::{Action, Check, Command, Expect, Grammar, Retry, Text, WriteFile};

#[test]
fn a_late_value_reaches_the_next_argv() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let late = Text::from("at ").then(&Text::late("source", "commit", Grammar::Hex));
    let plan = plan(
        vec![
            instance(
                "source",
                vec![sh(format!("echo noise >&2; echo {commit}")).capture("commit", Grammar::Hex).into()],
            ),
            instance("build@a", vec![Command::new(["echo"]).arg(late).into()]),
        ],
        &[("source", "build@a")],
    );
    let ran = go(&plan, Path::new("/"), &options(1));
    assert_eq!(ran.lines("build@a"), [format!("at {commit}")]);
    assert_eq!(ran.lines("source"), ["noise"]);
    assert_eq!(ran.summary.values[&("source".to_owned(), "commit".to_owned())], commit);
    let mut argv = ran.events.iter().filter_map(|event| match &event.kind {
        EventKind::Command { argv, .. } => Some(argv.last().unwrap().clone()),
        _ => None,
    });
    assert_eq!(argv.next_back().unwrap(), format!("at {commit}"));
}

#[test]
fn a_malformed_value_stops_before_it_is_used() {
    let plan = plan(
        vec![
            instance("source", vec![sh("echo --upload-pack=x").capture("commit", Grammar::Hex).into()]),
            instance(
                "build@a",
                vec![Command::new(["echo"]).arg(Text::late("source", "commit", Grammar::Hex)).into()],
            ),
        ],
        &[("source", "build@a")],
    );
    let ran = go(&plan, Path::new("/"), &options(1));
    let failure = ran.failure("source");
    assert_eq!(failure.kind, FailureKind::Input);
    assert!(failure.message.contains("--upload-pack=x"), "{}", failure.message);
    assert!(ran.started("build@a").is_none());
}

#[test]
fn a_second_attempt_may_succeed_and_clean_up_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut flaky = instance("flaky", vec![sh("test -e again || { touch again; exit 1; }").into()]);
    flaky.retry = Some(Retry::new(3, Duration::from_millis(10)));
    flaky.cleanup = vec![sh("echo x >> cleaned").into(), sh("exit 9").into()];
    let ran = go(&plan(vec![flaky.clone()], &[]), folder.path(), &options(1));
    assert_eq!(*ran.status("flaky"), Status::Done);
    let attempts = ran.events.iter().filter(|e| matches!(e.kind, EventKind::Started { .. })).count();
    assert_eq!(attempts, 2);
    assert_eq!(std::fs::read_to_string(folder.path().join("cleaned")).unwrap(), "x\n");
    assert!(ran.lines("flaky").iter().any(|line| line.contains("clean-up failed")));

    flaky.actions = vec![Command::new(["no-such-tool-anywhere"]).into()];
    let ran = go(&plan(vec![flaky], &[]), folder.path(), &options(1));
    let failure = ran.failure("flaky");
    assert_eq!(failure.kind, FailureKind::Tool);
    assert_eq!(failure.message, "`no-such-tool-anywhere` is not installed (not found on PATH)");
    assert_eq!(ran.events.iter().filter(|e| matches!(e.kind, EventKind::Started { .. })).count(), 1);
    assert_eq!(std::fs::read_to_string(folder.path().join("cleaned")).unwrap(), "x\nx\n");
}

#[test]
fn files_are_written_and_values_checked() {
    let folder = tempfile::tempdir().unwrap();
    let write = WriteFile { path: Text::here("f"), contents: Text::here("x").lit("\n") };
    let check = |expect| {
        Action::Check(Check { what: "it".into(), value: Text::late("a", "out", Grammar::Any), expect })
    };
    let actions = |expect| {
        vec![Action::WriteFile(write.clone()), sh("cat f").capture("out", Grammar::Any).into(), check(expect)]
    };
    let good = Expect::Text(Text::here("x"));
    let ran = go(&plan(vec![instance("a", actions(good))], &[]), folder.path(), &options(1));
    assert_eq!(*ran.status("a"), Status::Done);
    let ran = go(
        &plan(vec![instance("a", actions(Expect::Regex("^nothing$".into())))], &[]),
        folder.path(),
        &options(1),
    );
    assert_eq!(ran.failure("a").kind, FailureKind::Mismatch);
}

struct Own;

impl Actions for Own {
    fn perform(&self, action: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
        assert!(!matches!(action, Action::EnsureBinfmt(_)), "a defect");
        cx.say("own");
        let captured = cx.run(&sh("echo sha256:$(printf %064d 7)"))?;
        assert_eq!(cx.run_any(&sh("exit 7"))?.code, 7);
        Ok(Some(String::from_utf8_lossy(&captured.stdout).trim().to_owned()))
    }
}

fn image_id() -> Action {
    Action::ImageId(crate::plan::ImageId {
        engine: crate::plan::Engine::Docker,
        handle: "x".into(),
        inspect: sh("true"),
        platform: crate::platform::Platform::parse("linux/arm64").unwrap(),
        output: "id".into(),
    })
}

#[test]
fn a_panic_in_an_action_fails_its_instance_only() {
    let broken = Action::EnsureBinfmt(crate::plan::EnsureBinfmt {
        builder: None,
        platforms: Vec::new(),
        register: crate::plan::Register::Never,
    });
    let mut broken = instance("a@x", vec![broken]);
    broken.cleanup = vec![sh("echo cleaned").into()];
    let plan = plan(vec![broken, instance("b@y", vec![image_id()])], &[]);
    let ran = go_with(&plan, Path::new("/"), &options(1), &Own, None, &mut |_| {});
    assert_eq!(ran.failure("a@x").kind, FailureKind::Internal);
    assert!(ran.failure("a@x").message.contains("a defect"));
    assert_eq!(ran.lines("a@x"), ["cleaned"]);
    assert_eq!(*ran.status("b@y"), Status::Done);
    assert_eq!(ran.lines("b@y"), ["own"]);
}

#[test]
fn one_action_alone_takes_the_same_path() {
    let host = Host {
        here: "/".into(),
        env: super::kit::env(),
        redactor: Redactor::default(),
        secrets: crate::exec::Secrets::default(),
        actions: &Own,
    };
    let alone = |action: &Action, values: &Values| {
        perform_one(action, crate::plan::Plan::default(), None, &host, values, None, &mut |_| {})
    };
    let yielded = alone(&image_id(), &Values::new()).unwrap();
    assert_eq!(yielded.unwrap(), format!("sha256:{:064}", 7));
    let late = Command::new(["test"]).arg(Text::late("s", "c", Grammar::Hex)).args(["=", &"a".repeat(40)]);
    let values = Values::from([(("s".into(), "c".into()), "a".repeat(40))]);
    alone(&late.clone().into(), &values).unwrap();
    let failure = alone(&late.into(), &Values::new()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Internal);
}
