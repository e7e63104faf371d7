//! What is told of a run that has a secret.

use super::kit::{None_, env, instance, options, plan, sh};
use crate::event::Event;
use crate::exec::{Host, run};
use crate::output::Redactor;
use crate::plan::{Command, Grammar};

#[test]
fn values_commands_and_failures_are_told_without_it_and_used_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let captured = sh("printf s3cret-value").capture("token", Grammar::Any);
    let plan = plan(
        vec![
            instance("a", vec![captured.into(), sh("echo has s3cret-value; exit 3").into()]),
            instance("b", vec![Command::new(["no-tool-s3cret-value"]).into()]),
            // Where messages are cut, in the words of a tool and in the command itself.
            instance("d", vec![sh("printf %195s%s x s3cret-value; exit 1").into()]),
            instance("e", vec![sh(format!("exit 1 #{}s3cret-value", " ".repeat(182))).into()]),
            instance("f", vec![sh("printf %75s%s x s3cret-value").capture("hex", Grammar::Hex).into()]),
            instance("c", vec![Command::new(["sh", "-c", "printf %s \"$0\" > seen", "s3cret-value"]).into()]),
        ],
        &[],
    );
    let redactor = Redactor::new([b"s3cret-value".as_slice()]);
    let host = Host {
        here: folder.path().to_owned(),
        env: env(),
        redactor,
        secrets: crate::exec::Secrets::default(),
        actions: &None_,
    };
    let mut told = String::new();
    let options = crate::exec::Options { keep_going: true, ..options(1) };
    let summary = run(&plan, &host, &options, None, &mut |event: &Event| {
        told += &serde_json::to_string(event).unwrap();
        told.push('\n');
    });
    assert!(!told.contains("s3c"), "{told}");
    for part in ["\"value\":\"***\"", "exited with code 3: has ***", "no-tool-***", "\"argv\":[\"sh\",\"-c\""]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!format!("{:?}", summary.results).contains("s3cret"));
    assert_eq!(std::fs::read_to_string(folder.path().join("seen")).unwrap(), "s3cret-value");
    assert_eq!(summary.values[&("a".to_owned(), "token".to_owned())], "s3cret-value");
}
