//! `pipeline logs`: what steps printed, also of a run that goes on, and of one whose logs are gone.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use pipeline_testkit::find;

use crate::PIPELINE;
use crate::history::{long, started};
use crate::lab::{Lab, Ran};

/// One step that prints `script`'s output for two targets, and one that fails.
fn lab(script: &str) -> Lab {
    let lab = Lab::new();
    lab.recipe(&format!(
        "version = 1\n[targets.one]\nplatform = \"linux/amd64\"\n[targets.two]\nplatform = \"linux/arm64\"\n\
         [[step]]\nid = \"print\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '''{script}''']\ntargets = [\"one\", \"two\"]\n\
         [[step]]\nid = \"bad\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"echo oh no; test -e ok\"]\nneeds = [\"print\"]\ntargets = [\"two\"]\n"
    ));
    lab
}

fn shown(lab: &Lab, args: &[&str]) -> String {
    lab.output(&[&["logs"], args].concat()).must(0).stdout
}

#[test]
fn what_failed_is_shown_and_else_what_there_is() {
    let lab = lab("echo hello");
    assert!(lab.output(&["logs"]).must(2).stderr.contains("there is no run"));
    lab.output(&["run"]).must(1);
    let text = shown(&lab, &[]);
    assert!(text.contains("\noh no\n") && text.contains("# failed: ") && !text.contains("hello"), "{text}");
    let both = shown(&lab, &["print"]);
    assert!(both.starts_with("==> print@one <==\n") && both.contains("\n\n==> print@two <==\n"), "{both}");
    assert_eq!(both.matches("\nhello\n").count(), 2);
    assert!(!shown(&lab, &["print@one"]).contains("==>"));
    assert_eq!(shown(&lab, &["p*@two", "-n", "2"]).lines().next(), Some("hello"));
    assert_eq!(shown(&lab, &["*", "--failed"]), text);
    lab.space.write("ok", "");
    lab.output(&["run"]).must(0);
    let list = shown(&lab, &[]);
    assert!(list.contains("bad@two") && list.contains("print@one") && list.contains("done"), "{list}");
    assert!(lab.output(&["logs", "--failed"]).must(0).stderr.contains("nothing failed"));
    assert_eq!(shown(&lab, &["^1"]), text);
    assert_eq!(shown(&lab, &["^1", "bad"]), text);
    let told = lab.output(&["logs", "pront"]).must(2).stderr;
    assert!(told.contains("did you mean `print`?"), "{told}");
    lab.output(&["logs", "^7"]).must(2);
    lab.output(&["logs", "a[", "b["]).must(2);
    // What a selection left out did run before.
    lab.output(&["run", "-t", "two", "--force"]).must(0);
    let told = lab.output(&["logs", "print@one"]).must(2).stderr;
    assert!(told.contains("it last did in run"), "{told}");
}

#[test]
fn a_log_that_is_gone_is_told_and_read_from_the_events() {
    let lab = lab("for i in 1 2 3; do echo line $i; done");
    lab.output(&["run"]).must(1);
    let log = lab.run_folder().join("logs/print@one.log");
    let text = shown(&lab, &["print@one"]);
    fs::remove_file(&log).unwrap();
    let ran = lab.output(&["logs", "print@one"]).must(0);
    assert!(
        ran.stderr.contains("print@one.log is gone") || ran.stderr.contains("print@one.log: is gone"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, text);
    // A folder in its place, or what never ends.
    fs::create_dir(&log).unwrap();
    let ran = lab.output(&["logs", "print@one"]).must(0);
    assert!(ran.stderr.contains("print@one.log: it is no file") && ran.stdout == text, "{}", ran.stderr);
    fs::remove_dir(&log).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &log).unwrap();
    assert_eq!(shown(&lab, &["print@one"]), text);
    fs::remove_file(&log).unwrap();
    assert_eq!(shown(&lab, &["print@one", "-n", "3"]).lines().next(), Some("line 2"));
    fs::remove_dir_all(lab.run_folder().join("logs")).unwrap();
    assert!(shown(&lab, &["print"]).contains("==> print@two <==\n"));
    assert!(shown(&lab, &[]).contains("oh no"));
    // A record that ends anywhere, as a kill leaves it.
    let events = lab.run_folder().join("events.jsonl");
    let whole = fs::read(&events).unwrap();
    for cut in (0..whole.len()).step_by(97) {
        fs::write(&events, &whole[..cut]).unwrap();
        let ran = lab.output(&["logs", "print@one"]);
        assert!(ran.code == 0 || ran.code == 2, "{cut}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    // Nobody knows how long a step would have taken.
    let text = String::from_utf8(whole).unwrap();
    let begun = text.split_inclusive('\n').take_while(|line| !line.contains(r#""event":"finished""#));
    fs::write(&events, begun.collect::<String>()).unwrap();
    let list = shown(&lab, &[]);
    let row = list.lines().find(|line| line.contains("has not ended")).unwrap();
    assert_eq!(row.split_whitespace().nth(4), Some("-"), "{row}");
}

#[test]
fn nothing_that_was_printed_acts_on_a_terminal() {
    let lab = lab(r"printf '\033]0;title\007\033[2J\302\2332J\342\200\256text\r\n\000\377end\n'");
    lab.output(&["run"]).must(1);
    // Also where somebody else wrote into the log.
    let log = lab.run_folder().join("logs/print@two.log");
    fs::write(&log, b"\x1b]52;c;AAAA\x07\x1b[2Jraw\xff\n\x1b[31mno end").unwrap();
    for args in [&["print"][..], &["print", "--follow"], &[]] {
        let text = shown(&lab, args);
        let raw = text.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
        assert_eq!(raw, None, "{text:?}");
    }
    assert!(shown(&lab, &["print@two"]).contains("raw\u{fffd}\nno end\n"));
}

#[test]
fn a_reader_may_go_away() {
    let lab = lab("i=0; while [ $i -lt 20000 ]; do echo a line of some length $i; i=$((i+1)); done");
    lab.output(&["run"]).must(1);
    for command in ["logs print", "logs print@one -n 19999", "history", "status", "logs --follow", "diff ^0"]
    {
        let mut shell = lab.space.command("sh");
        let script =
            format!("{{ {PIPELINE} {command}; echo $? >code; }} | {} -n 1", find("head").unwrap().display());
        let ran = Ran::of(shell.args(["-c", &script])).must(0);
        assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""), "{command}");
        assert_eq!(lab.space.read("code"), "0\n", "{command}");
    }
    // A disk that is full is no reader that went away.
    let mut shell = lab.space.command("sh");
    let ran = Ran::of(shell.args(["-c", &format!("{PIPELINE} logs print >/dev/full")]));
    assert!(ran.code == 1 && ran.stderr.contains("No space left"), "{}: {}", ran.code, ran.stderr);
}

#[test]
fn a_run_under_way_is_followed_to_its_end() {
    let lab = Lab::new();
    long(&lab);
    for killed in [false, true] {
        let _ = fs::remove_file(lab.space.path("end"));
        let mut run = started(&lab, &["run", "--force"]);
        let mut command =
            lab.pipeline(if killed { &["logs", "--follow", "long@host"] } else { &["logs", "-f"] });
        let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut text = BufReader::new(follower.stdout.take().unwrap());
        let mut first = String::new();
        while !first.contains("begun\n") {
            assert!(text.read_line(&mut first).unwrap() > 0, "{first}");
        }
        // It still waits.
        assert!(follower.try_wait().unwrap().is_none());
        if killed {
            run.kill().unwrap();
        } else {
            lab.space.write("end", "");
        }
        run.wait().unwrap();
        let mut rest = String::new();
        text.read_to_string(&mut rest).unwrap();
        assert!(follower.wait().unwrap().success());
        if killed {
            assert!(!first.contains(" | ") && !rest.contains("ended"), "{first}{rest}");
        } else {
            assert!(first.contains("long@host | begun\n"), "{first}");
            assert!(rest.contains("long@host | ended\n") && rest.contains("after@host | # done"), "{rest}");
        }
    }
}
