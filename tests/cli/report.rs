//! `pipeline report` and `run --report`: one file that needs nothing else, whatever the run left.

mod browser;
mod made;

use std::fs;
use std::path::Path;

use pipeline_core::event::Status;
use pipeline_testkit::TestSpace;

use crate::PIPELINE;
use crate::evidence::{NODE, lab};
use crate::lab::{Lab, Ran};
use made::Made;

/// `pipeline report` in the workspace.
fn report(space: &TestSpace, args: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).arg("report").args(args))
}

#[test]
fn a_run_leaves_the_report_that_its_folder_gives_later() {
    let lab = lab(NODE);
    lab.output(&["run", "-j", "1", "--report", "out/report.html"]).must(0);
    let left = lab.space.read("out/report.html");
    let later = report(&lab.space, &["-o", "-"]).must(0).stdout;
    assert_eq!(left, later);
    // Stdout is no terminal, so that is where it goes; into a file it says nothing but where it is.
    assert_eq!(report(&lab.space, &[]).must(0).stdout, later);
    let told = report(&lab.space, &["-o", "again.html"]).must(0);
    assert_eq!((lab.space.read("again.html"), told.stdout.as_str()), (later, ""));
    for words in
        ["crictl-verify@native@edge", "verified", "audit right", "nothing to tell from", "out/app.tar"]
    {
        assert!(left.contains(words), "{words}");
    }
    // The newest had nothing to do, and `^1` is the one before it.
    lab.pipeline(&["run", "--until", "save"]).env("PIPELINE_REPORT", "idle.html").status().unwrap();
    assert!(lab.space.read("idle.html").contains("Nothing had to be done"));
    assert_eq!(report(&lab.space, &["^1"]).must(0).stdout, left);
    assert!(report(&lab.space, &["^7"]).must(2).stderr.contains("goes back too far"));
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_the_run_is_what_it_was() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"ls\"]\n");
    let ran = lab.output(&["run", "--report", "nowhere/report.html"]).must(1);
    assert!(
        ran.stderr.contains("cannot write nowhere/report.html") && ran.stderr.contains("1 done"),
        "{}",
        ran.stderr
    );
    let told = report(&lab.space, &["-o", "/dev/full"]).must(1).stderr;
    assert!(told.contains("error[history::unwritten]: cannot write /dev/full"), "{told}");
    report(&lab.space, &["-o", "."]).must(1);
    report(&lab.space, &["-o", "/dev/null"]).must(0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// A run of three steps, the second of which has no end.
fn killed(here: &Path) -> std::path::PathBuf {
    let mut made = Made::new(here, "r1");
    let [first, second, _] = ["first", "second", "third"].map(|step| made.add(step, "run", None, None));
    made.begin("r1");
    made.course(first, (0, 500), 3, Status::Done, 1);
    made.begun(second, 600, 4);
    made.folder()
}

#[test]
fn a_run_that_was_killed_and_a_folder_that_was_cleared_are_readable() {
    let space = TestSpace::new();
    let folder = killed(&space.path("."));
    // The kill came while a line was written.
    let events = folder.join("events.jsonl");
    let whole = fs::read_to_string(&events).unwrap();
    fs::write(&events, &whole[..whole.len() - 7]).unwrap();
    let page = report(&space, &[]).must(0).stdout;
    assert!(page.contains("No end on record") && page.contains("second: line 2 of"), "{page}");
    // While the plan was; a log is gone.
    fs::write(folder.join("plan.json"), "{\"version\":1,").unwrap();
    fs::remove_file(folder.join("logs/second.log")).unwrap();
    let ran = report(&space, &[]).must(0);
    assert!(ran.stdout.contains("Its log cannot be shown: it is not there any more."));
    assert!(ran.stderr.contains("the report is made without the plan"), "{}", ran.stderr);
    fs::remove_dir_all(folder.join("logs")).unwrap();
    report(&space, &[]).must(0);
    // Without the events there is nothing to tell.
    fs::write(&events, whole.replacen("second", "\u{1}\"", 1)).unwrap();
    let told = report(&space, &[]).must(1).stderr;
    assert!(told.contains("error[history::unreadable]") && told.contains("is no event of a run"), "{told}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let space = TestSpace::with_real_tools();
    made::fleet(&space.path("."), "r1", 10, 2);
    let line = format!("'{PIPELINE}' report r | head -c 100 >head; echo ${{PIPESTATUS[0]}}");
    let ran = Ran::of(space.command("bash").args(["-c", &line])).must(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("0\n", ""));
    assert!(space.read("head").starts_with("<!DOCTYPE html><html lang=\"en\">"));
}

#[test]
fn a_gigabyte_of_log_takes_no_more_memory_than_a_small_one() {
    let space = TestSpace::with_real_tools();
    let here = space.path(".");
    let mut made = Made::new(&here, "r1");
    let [one, two] = ["one", "two"].map(|step| made.add(step, "run", None, None));
    made.begin("r1");
    made.course(one, (0, 500), 100_000, Status::Done, 1);
    made.course(two, (500, 900), 100_000, Status::Done, 1);
    let folder = made.folder();
    made.finish(1000);
    // All but the beginning takes no room on the disk.
    let log = fs::OpenOptions::new().append(true).open(folder.join("logs/one.log")).unwrap();
    log.set_len(1 << 30).unwrap();
    let line = format!("ulimit -d 65536; exec '{PIPELINE}' report -o report.html");
    Ran::of(space.command("sh").args(["-c", &line])).must(0);
    let page = space.read("report.html");
    assert!(page.len() < 8 << 20, "{}", page.len());
    assert!(
        page.contains("\"left\":1073")
            && page.contains("one: line 0 of")
            && page.contains("two: line 99999 of")
    );
}

#[test]
fn a_run_stands_beside_the_one_before_it() {
    let lab = Lab::new();
    let recipe = |word: &str| {
        lab.recipe(&format!(
            "version = 1\n[pipeline]\nname = \"two\"\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"uname\", \"{word}\"]\n"
        ));
    };
    recipe("-s");
    lab.output(&["run", "--report", "first.html"]).must(0);
    assert!(!lab.space.read("first.html").contains("id=\"compared\""));
    recipe("-m");
    lab.output(&["run", "--report", "second.html"]).must(0);
    let page = lab.space.read("second.html");
    let compared = page.split_once("id=\"compared\"").unwrap().1.split_once("</section>").unwrap().0;
    assert!(compared.contains("configuration") && compared.contains("-m"), "{compared}");
    assert_eq!(report(&lab.space, &[]).must(0).stdout, page);
}
