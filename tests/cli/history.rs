//! Looking at earlier runs: `history`, `status`, `diff`, `clean`.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pipeline_core::exec::Lock;
use serde_json::Value;

use crate::lab::{Lab, Ran};

/// Two targets; `check` fails unless there is a file `ok`.
const RECIPE: &str = r#"version = 1
[pipeline]
name = "app"
[targets.one]
platform = "linux/amd64"
[targets.two]
platform = "linux/arm64"
[[step]]
id = "make"
uses = "run"
argv = ["sh", "-c", "echo making ${target.name}"]
targets = ["one", "two"]
outputs = { out = "made-${target.name}" }
[[step]]
id = "check"
uses = "run"
argv = ["test", "-e", "ok"]
needs = ["make"]
targets = ["two"]
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    for made in ["made-one", "made-two"] {
        fs::create_dir(lab.space.path(made)).unwrap();
    }
    lab
}

fn json(lab: &Lab, args: &[&str]) -> Value {
    serde_json::from_str(&lab.output(args).must(0).stdout).unwrap()
}

fn ids(lab: &Lab) -> Vec<String> {
    let folder = lab.space.path(".pipeline/runs");
    let mut ids: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    ids.sort();
    ids
}

/// Starts a run and waits until it has begun to print.
pub(crate) fn started(lab: &Lab, args: &[&str]) -> Child {
    let before = fs::read_dir(lab.space.path(".pipeline/runs")).map_or(0, Iterator::count);
    let mut command = lab.pipeline(args);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let is_begun = || {
        let runs = fs::read_dir(lab.space.path(".pipeline/runs")).map_or(0, Iterator::count);
        runs > before
            && fs::read_to_string(lab.run_folder().join("logs/long@host.log"))
                .is_ok_and(|log| log.contains("\nbegun\n"))
    };
    while !is_begun() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A run that goes on until there is a file `end`.
pub(crate) fn long(lab: &Lab) {
    lab.recipe(
        "version = 1\n[pipeline]\nname = \"app\"\n[[step]]\nid = \"long\"\nuses = \"run\"\n\
         argv = [\"sh\", \"-c\", \"echo begun; while ! test -e end; do sleep 0.05; done; echo ended\"]\n\
         [[step]]\nid = \"after\"\nuses = \"run\"\nargv = [\"test\", \"-z\", \"\"]\nneeds = [\"long\"]\n",
    );
}

#[test]
fn runs_are_listed_with_what_became_of_them() {
    let lab = lab();
    assert_eq!(lab.output(&["history"]).must(0).stdout, "there is no run yet\n");
    lab.output(&["run"]).must(1);
    lab.space.write("ok", "");
    lab.output(&["run"]).must(0);
    lab.output(&["run"]).must(0);
    let list = json(&lab, &["history", "--format", "json"]);
    assert_eq!(list["version"], 1);
    let runs = list["runs"].as_array().unwrap();
    let results: Vec<&str> = runs.iter().map(|run| run["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["done", "done", "failed"]);
    let mut newest_first = ids(&lab);
    newest_first.reverse();
    assert_eq!(runs.iter().map(|run| run["run"].as_str().unwrap()).collect::<Vec<_>>(), newest_first);
    assert_eq!(runs[2]["failed"], serde_json::json!(["check@two"]));
    assert_eq!((&runs[2]["counts"]["done"], &runs[0]["instances"]), (&2.into(), &3.into()));
    let text = lab.output(&["history", "-n", "2"]).must(0).stdout;
    assert!(text.contains("and 1 older") && !text.contains("check@two"), "{text}");
    // What was run is there also while the recipe has a mistake.
    lab.recipe("version = 1\nnonsense");
    assert!(lab.output(&["history"]).must(0).stdout.contains("check@two"));
    // A record of another version, and one that is no record.
    let record = lab.space.path(format!(".pipeline/runs/{}/events.jsonl", newest_first[0]));
    for text in ["{\"version\":99}\n", "no event\n"] {
        fs::write(&record, text).unwrap();
        let ran = lab.output(&["history"]).must(0);
        assert!(ran.stdout.contains("cannot be read") && ran.stderr.contains("warning"), "{}", ran.stderr);
    }
}

#[test]
fn a_run_that_was_killed_is_no_run_under_way() {
    let lab = Lab::new();
    long(&lab);
    let mut child = started(&lab, &["run"]);
    let result = |lab: &Lab| json(lab, &["history", "--format", "json"])["runs"][0]["result"].clone();
    assert_eq!(result(&lab), "under-way");
    let status = json(&lab, &["status", "--format", "json"]);
    assert_eq!(status["under_way"]["running"], serde_json::json!(["long@host"]));
    assert_eq!(status["instances"][0]["result"], "running");
    let text = lab.output(&["status"]).must(0).stdout;
    assert!(text.contains("is under way for") && text.contains("`pipeline explain`"), "{text}");
    // Its folder is in use.
    let refused = lab.output(&["clean", "--all", "--yes"]).must(5).stderr;
    assert!(refused.contains("another run is under way"), "{refused}");
    assert_eq!(lab.output(&["clean", "--runs=0", "--dry-run"]).must(0).stdout, "");
    kill_hard(child.id());
    child.wait().unwrap();
    let begun = Instant::now();
    while result(&lab) == "under-way" && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(result(&lab), "killed");
    let text = lab.output(&["status"]).must(0).stdout;
    assert!(text.contains("killed") && text.contains("none of 2"), "{text}");
    assert_eq!(lab.output(&["logs", "long"]).must(0).stdout.lines().last(), Some("begun"));
    // Nor is it when somebody else has the lock, before that one has a folder of its own.
    let lock = Lock::acquire(&lab.space.path(".")).unwrap();
    assert_eq!(result(&lab), "killed");
    drop(lock);
    // Nor when another run goes on.
    let mut other = started(&lab, &["run"]);
    let runs = json(&lab, &["history", "--format", "json"]);
    assert_eq!(
        (&runs["runs"][0]["result"], &runs["runs"][1]["result"]),
        (&"under-way".into(), &"killed".into())
    );
    lab.space.write("end", "");
    assert!(other.wait().unwrap().success());
    let told = lab.output(&["diff"]).must(0).stdout;
    assert!(told.contains("long@host  result: nothing -> done"), "{told}");
}

/// Ends the process and what it started, the engine first, so that nobody can write an end into the record.
pub(crate) fn kill_hard(pid: u32) {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().for_each(|child| kill_hard(child.parse().unwrap()));
    let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).output();
}

#[test]
fn a_difference_says_what_changed() {
    let lab = lab();
    lab.space.write("ok", "");
    lab.output(&["run"]).must(0);
    let told = lab.output(&["diff"]).must(2).stderr;
    assert!(told.contains("no run of this recipe before"), "{told}");
    lab.recipe(&RECIPE.replace("echo making", "echo remaking"));
    lab.output(&["run"]).must(0);
    fs::remove_file(lab.space.path("ok")).unwrap();
    lab.output(&["run", "--force"]).must(1);
    let changes = |args: &[&str]| {
        let document = json(&lab, &[&["diff", "--format", "json"], args].concat());
        assert_eq!((&document["version"], &document["configuration_compared"]), (&1.into(), &true.into()));
        document["changes"].as_array().unwrap().clone()
    };
    let of = |changes: &[Value], section: &str| {
        let of = changes.iter().filter(|change| change["section"] == section);
        of.map(|change| change["instance"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    let first = changes(&["^2", "^1"]);
    assert_eq!(of(&first, "configuration"), ["make@one", "make@two"]);
    assert!(first.iter().any(|change| change["new"] == "echo remaking one"), "{first:?}");
    assert_eq!(of(&first, "results"), [""; 0]);
    let second = changes(&[]);
    assert_eq!((of(&second, "results"), of(&second, "configuration")), (vec!["check@two".into()], vec![]));
    let text = lab.output(&["diff", "^1"]).must(0).stdout;
    assert!(text.contains("\nresults:\n  check@two  result: done -> failed\n"), "{text}");
    // One that was selected otherwise.
    lab.space.write("ok", "");
    lab.output(&["run", "-t", "two", "--force"]).must(0);
    assert_eq!(of(&changes(&[]), "configuration"), ["make@one"]);
    lab.output(&["diff", "^9"]).must(2);
}

#[test]
fn how_things_stand_is_told_of_the_recipe_as_it_is() {
    let lab = lab();
    lab.output(&["run"]).must(1);
    let results = || {
        let status = json(&lab, &["status", "--format", "json"]);
        let instances = status["instances"].as_array().unwrap().iter();
        instances
            .map(|one| format!("{} {}", one["instance"].as_str().unwrap(), one["result"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(results(), ["make@one done", "make@two done", "check@two failed"]);
    // Only one target is run: the other one stands as it did.
    lab.space.write("ok", "");
    lab.output(&["run", "-t", "two"]).must(0);
    assert_eq!(results(), ["make@one done", "make@two up to date", "check@two done"]);
    let text = lab.output(&["status"]).must(0).stdout;
    let row = |step: &str| text.lines().find(|line| line.starts_with(step)).unwrap_or_default().to_owned();
    assert!(row("one     make").ends_with("^1") && row("two     check").ends_with("^0"), "{text}");
    // Without the runs, the records say what was done.
    fs::remove_dir_all(lab.space.path(".pipeline/runs")).unwrap();
    assert_eq!(results(), ["make@one done", "make@two done", "check@two done"]);
    lab.recipe(&format!(
        "{RECIPE}[[step]]\nid = \"more\"\nuses = \"run\"\nargv = [\"test\", \"-z\", \"\"]\n"
    ));
    assert!(results().iter().any(|one| one == "more@one never ran"), "{:?}", results());
}

#[test]
fn old_runs_go_and_what_somebody_may_need_stays() {
    let lab = lab();
    lab.output(&["run"]).must(1);
    lab.space.write("ok", "");
    for _ in 0..5 {
        lab.output(&["run"]).must(0);
    }
    let before = ids(&lab);
    assert_eq!(before.len(), 6);
    let listed = lab.output(&["clean", "--runs=1", "--dry-run"]).must(0);
    assert!(listed.stderr.contains("would be freed"), "{}", listed.stderr);
    assert_eq!(ids(&lab), before);
    // The first failed, the second was the last to do something, `check` runs each time.
    let told = lab.output(&["clean", "--runs=2"]).must(0).stderr;
    assert!(told.contains("3 runs removed") && told.contains("freed"), "{told}");
    assert_eq!(ids(&lab), [&before[0], &before[4], &before[5]].map(String::clone));
    assert_eq!(listed.stdout.lines().count(), 4);
    assert!(lab.output(&["clean", "--older-than", "1d"]).must(0).stderr.contains("0 runs removed"));
    // A run does the same when it has ended.
    let kept = Ran::of(lab.pipeline(&["run"]).env("PIPELINE_KEEP_RUNS", "1")).must(0);
    assert!(!kept.stderr.contains("warning"), "{}", kept.stderr);
    let now = ids(&lab);
    assert_eq!((now.len(), &now[0]), (2, &before[0]), "{now:?}");
    // One that was half removed is no run, and goes the next time.
    let half = lab.space.path(".pipeline/runs/.gone-20200101T000000.000Z-00000000");
    fs::create_dir_all(half.join("logs")).unwrap();
    assert!(!lab.output(&["history"]).must(0).stdout.contains("20200101"));
    lab.output(&["clean"]).must(0);
    assert!(!half.exists());
}

#[test]
fn what_steps_made_goes_only_when_it_is_meant_and_never_what_a_link_leads_to() {
    let lab = lab();
    lab.space.write("ok", "");
    lab.output(&["run"]).must(0);
    let precious = lab.space.path("precious");
    fs::create_dir_all(precious.join("deep")).unwrap();
    fs::write(precious.join("deep/file"), "x").unwrap();
    let own = lab.space.path(".pipeline");
    fs::create_dir_all(own.join("work/a@b")).unwrap();
    fs::write(own.join("work/a@b/file"), vec![0; 100_000]).unwrap();
    symlink(&precious, own.join("work/link")).unwrap();
    symlink(&precious, own.join("out")).unwrap();
    symlink(&precious, own.join("runs/20200101T000000.000Z-00000000")).unwrap();
    // Nobody is there to be asked.
    let told = lab.output(&["clean", "--all"]).must(2).stderr;
    assert!(told.contains("nothing was removed") && own.join("work/a@b").exists(), "{told}");
    let told = lab.output(&["clean", "--all", "--yes", "--runs=0"]).must(0).stderr;
    assert!(
        told.contains("work removed") && told.contains("is a link, and what it leads to stays"),
        "{told}"
    );
    assert!(!own.join("work").exists() && own.join("state").exists() && own.join("out").exists());
    assert!(precious.join("deep/file").exists());
    let freed = told.lines().find(|line| line.ends_with("freed")).unwrap();
    assert!(freed.contains("kB"), "{freed}");
    // Also where the folder of runs is a link.
    fs::rename(own.join("runs"), lab.space.path("elsewhere")).unwrap();
    symlink(lab.space.path("elsewhere"), own.join("runs")).unwrap();
    lab.output(&["run", "--force"]).must(0);
    lab.output(&["clean", "--runs=0"]).must(0);
    Ran::of(lab.pipeline(&["run", "--force"]).env("PIPELINE_KEEP_RUNS", "1")).must(0);
    assert_eq!(
        fs::read_dir(lab.space.path("elsewhere"))
            .unwrap()
            .filter(|one| one.as_ref().unwrap().path().join("plan.json").exists())
            .count(),
        3
    );
}
