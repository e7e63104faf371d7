//! `run --stage`, `--results-to` and `--results-from`: parts of a plan in several folders, as on several machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pipeline_core::event::EventKind;
use pipeline_testkit::TestSpace;

use crate::lab::{Lab, Ran};

/// Each step makes what the next reads: a folder, files, a commit, at last one file of all targets.
const RECIPE: &str = r#"version = 1

[targets.one]
platform = "linux/arm64"

[targets.two]
platform = "linux/arm/v7"

[[step]]
id      = "tree"
uses    = "run"
argv    = ["sh", "-c", "mkdir -p tree-$0/sub; echo $0 >tree-$0/sub/name; ln -sf sub/name tree-$0/link; echo tree >>made", "${target.name}"]
outputs = { dir = "tree-${target.name}" }

[[step]]
id      = "file"
uses    = "run"
argv    = ["sh", "-c", "cat $1/link >$0; echo file >>made", "file-${target.name}", "${steps.tree.dir}"]
outputs = { path = "file-${target.name}" }

[[step]]
id      = "last"
uses    = "run"
argv    = ["sh", "-c", "test ! -e broken && cat $1 >$0 && echo last >>made", "last-${target.name}", "${steps.file.path}"]
outputs = { path = "last-${target.name}" }

[[step]]
id      = "all"
uses    = "run"
scope   = "once"
needs   = ["last", "tree"]
argv    = ["sh", "-c", "cat tree-*/link last-* >all"]
outputs = { path = "all" }
"#;

/// A folder with the recipe, and what came to it.
struct Machine {
    lab: Lab,
}

impl Machine {
    fn new(recipe: &str) -> Self {
        let lab = Lab { space: TestSpace::with_real_tools(), ..Lab::new() };
        lab.recipe(recipe);
        Self { lab }
    }

    /// Another with the same recipe and plan.
    fn like(&self) -> Self {
        let other = Self::new(&self.lab.space.read("pipeline.toml"));
        other.lab.space.write("plan.json", self.lab.space.read("plan.json"));
        other
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.lab.pipeline(&[&["run", "--plan", "plan.json", "--locked=false"], args].concat()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.space.path(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The ids of what ran in the newest run.
    fn ran(&self) -> Vec<String> {
        let started = |kind| match kind {
            EventKind::Started { instance, .. } => Some(instance.to_string()),
            _ => None,
        };
        let mut ids: Vec<String> =
            self.lab.events().into_iter().filter_map(|event| started(event.kind)).collect();
        ids.sort();
        ids
    }
}

fn planned() -> Machine {
    let machine = Machine::new(RECIPE);
    machine.lab.output(&["plan", "-o", "plan.json"]).must(0);
    machine
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_two_machines_made_comes_together_on_a_third() {
    let one = planned();
    let two = one.like();
    for (machine, target) in [(&one, "one"), (&two, "two")] {
        machine.run(&["-t", target, "--stage", "build", "--results-to", "out"]).must(0);
        assert_eq!(machine.text("made"), "tree\nfile\nlast\n");
        assert!(machine.path(&format!("out/files/last@{target}/last-{target}")).is_file());
        assert!(machine.path(&format!("out/files/tree@{target}/tree-{target}.tar")).is_file());
        assert!(!machine.path(&format!("out/files/file@{target}")).exists(), "nobody else reads it");
    }
    let third = one.like();
    let outs = [one.path("out"), two.path("out")];
    let from = ["--results-from", word(&outs[0]), "--results-from", word(&outs[1])];
    let told = third.run(&[&["--stage", "join"][..], &from].concat()).must(0).stderr;
    assert!(told.contains("done before, and taken from results: 6 of the steps"), "{told}");
    assert_eq!(third.text("all"), "one\ntwo\none\ntwo\n");
    assert!(!third.path("made").exists(), "nothing was made again");
    assert_eq!(third.ran(), ["all", "last@one", "last@two", "tree@one", "tree@two"]);
    // Without a stage as well, as all of it is there.
    let fourth = one.like();
    fourth.run(&from).must(0);
    assert_eq!((fourth.text("all"), fourth.text("made")), (third.text("all"), String::new()));
}

#[test]
fn a_job_that_is_run_again_goes_on_where_it_failed_also_in_another_folder() {
    let first = planned();
    first.lab.space.write("broken", "");
    let part = ["-t", "one", "--stage", "build", "--results-to", "out"];
    first.run(&part).must(1);
    assert_eq!(first.text("made"), "tree\nfile\n");
    // What a cache brings back, and nothing else.
    let second = first.like();
    let copied = second.lab.space.command("cp").arg("-R").arg(first.path("out")).arg("out").status();
    assert!(copied.unwrap().success());
    let told = second.run(&part).must(0).stderr;
    assert!(told.contains("done before, and taken from results: 2 of the steps"), "{told}");
    assert_eq!(second.text("made"), "last\n");
    assert_eq!(second.ran(), ["file@one", "last@one"], "the file that `last` reads is put in place");
    assert_eq!(fs::read_dir(second.path("out/runs")).unwrap().count(), 2, "the first attempt is told of");
    // A third time there is nothing to do, and what was asked for is put in place all the same.
    let third = second.like();
    let copied = third.lab.space.command("cp").arg("-R").arg(second.path("out")).arg("out").status();
    assert!(copied.unwrap().success());
    third.run(&part).must(0);
    assert_eq!((third.text("made"), third.text("last-one")), (String::new(), "one\n".to_owned()));
    let report = third.lab.output(&["report", "--merge", "out", "-o", "report.html"]).must(0);
    assert!(report.stderr.contains("report.html: run merged"), "{}", report.stderr);
    let page = third.text("report.html");
    assert!(page.contains("tree@one") && page.contains("last@one"));
    // A damaged result of its own is made again.
    third.lab.space.write("out/files/last@one/last-one", "damaged");
    let told = third.run(&part).must(0).stderr;
    assert!(told.contains("was altered since it was made"), "{told}");
    assert_eq!(third.text("made"), "tree\nfile\nlast\n");
}

#[test]
fn what_is_missing_altered_or_of_another_plan_is_refused_and_nothing_runs() {
    let one = planned();
    one.run(&["-t", "one", "--stage", "build", "--results-to", "out"]).must(0);
    let join = one.like();
    let refused = |from: &Path, exit: i32, code: &str, says: &str| {
        let told = join.run(&["--stage", "join", "--results-from", word(from)]).must(exit).stderr;
        assert!(told.contains(code) && told.contains(says), "{told}");
    };
    let out = one.path("out");
    refused(&one.path("nowhere"), 5, "results::missing", "nowhere/results.json is not there");
    let told = join.run(&["--stage", "join", "--results-from", word(&out)]).must(5).stderr;
    assert!(told.contains("`last@two`, which `all` needs, is not among the results"), "{told}");
    assert!(told.contains("pipeline run --plan FILE -t two --stage build --results-to DIR"), "{told}");
    let copy = |name: &str| {
        let status = one.lab.space.command("cp").arg("-R").arg(&out).arg(name).status().unwrap();
        assert!(status.success());
        one.path(name)
    };
    let altered = copy("altered");
    one.lab.space.write("altered/files/last@one/last-one", "x");
    refused(&altered, 6, "results::altered", "last-one was altered");
    let edited = copy("edited");
    let json = one.text("edited/results.json");
    one.lab.space.write("edited/results.json", json.replacen("sha256:", "sha256:0", 1));
    refused(&edited, 2, "results::unread", "results.json holds no results");
    one.lab.space.write("edited/results.json", json.replacen("last-one", "last-two", 1));
    refused(&edited, 6, "results::altered", "results.json was altered");
    one.lab.space.write("edited/results.json", &json[..json.len() / 2]);
    refused(&edited, 2, "results::unread", "results.json");
    let gone = copy("gone");
    fs::remove_file(gone.join("files/last@one/last-one")).unwrap();
    refused(&gone, 5, "results::missing", "last-one is not there");
    let linked = copy("linked");
    fs::remove_file(linked.join("files/last@one/last-one")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", linked.join("files/last@one/last-one")).unwrap();
    refused(&linked, 6, "results::altered", "last-one was altered");
    join.lab.output(&["plan", "-t", "one", "-o", "plan.json"]).must(0);
    refused(&out, 4, "results::stale", "of another plan");
    assert!(!join.path("all").exists() && !join.path(".pipeline/runs").exists());
    // Its own folder: of another plan it is begun anew, and what is none of ours is left alone.
    let mine = one.like();
    mine.lab.output(&["plan", "-t", "one", "-o", "plan.json"]).must(0);
    let status = mine.lab.space.command("cp").arg("-R").arg(&out).arg("out").status().unwrap();
    assert!(status.success());
    let told = mine.run(&["--results-to", "out"]).must(0).stderr;
    assert!(told.contains("holds the results of another plan"), "{told}");
    assert_eq!(fs::read_dir(mine.path("out/runs")).unwrap().count(), 1);
    mine.lab.space.write("home/precious", "x");
    let told = mine.run(&["--results-to", "home"]).must(2).stderr;
    assert!(told.contains("results::not-ours") && mine.path("home/precious").exists(), "{told}");
    mine.run(&["--results-to", "/dev/full"]).must(5);
    mine.run(&["--stage", "join", "-t", "one"]).must(2);
    mine.lab.output(&["run", "--stage", "build"]).must(2);
}

#[test]
fn what_all_targets_share_must_come_out_the_same() {
    let recipe = "version = 1\n[targets.one]\nplatform = \"linux/arm64\"\n[targets.two]\nplatform = \"linux/amd64\"\n\
        [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"file://URL\"\nbranch = \"main\"\nallow-protocols = [\"file\"]\n\
        [[step]]\nid = \"made\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"echo $0 >made-$1\", \"${steps.source.commit}\", \"${target.name}\"]\n\
        outputs = { path = \"made-${target.name}\" }\n\
        [[step]]\nid = \"all\"\nuses = \"run\"\nscope = \"once\"\nneeds = [\"made\"]\nargv = [\"sh\", \"-c\", \"cat made-* >all\"]\n\
        outputs = { path = \"all\" }\n";
    pipeline_testkit::require!("git");
    let git = |machine: &Machine, args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"];
        assert!(
            machine.lab.space.command("git").args(who).args(args).output().unwrap().status.success(),
            "{args:?}"
        );
    };
    let one = Machine::new("version = 1\n");
    git(&one, &["init", "--quiet", "up"]);
    git(&one, &["-C", "up", "commit", "--quiet", "--allow-empty", "-m", "a"]);
    one.lab.recipe(&recipe.replace("URL", word(&one.path("up"))));
    one.lab.output(&["lock"]).must(0);
    one.lab.output(&["plan", "-o", "plan.json"]).must(0);
    let machines = [one.like(), one.like(), one.like()];
    for (machine, target) in machines.iter().zip(["one", "two"]) {
        machine.lab.space.write("pipeline.lock", one.text("pipeline.lock"));
        machine.run(&["-t", target, "--results-to", "out"]).must(0);
        assert!(!machine.path("out/files/source").exists(), "who needs the sources checks them out");
    }
    let third = &machines[2];
    third.lab.space.write("pipeline.lock", one.text("pipeline.lock"));
    let outs = [machines[0].path("out"), machines[1].path("out")];
    let from = ["--stage", "join", "--results-from", word(&outs[0]), "--results-from", word(&outs[1])];
    third.run(&from).must(0);
    let commit = third.text("all");
    assert!(commit.len() == 82 && commit[..40] == commit[41..81], "{commit}");
    // Somebody whose clock, network or luck is another.
    let json = fs::read_to_string(outs[1].join("results.json")).unwrap();
    let mut results: pipeline_core::results::Results = serde_json::from_str(&json).unwrap();
    for made in results.made.values_mut() {
        if let Some(commit) = made.values.get_mut("commit") {
            *commit = "0".repeat(40);
        }
    }
    let forged = pipeline_core::results::Results::new(results.plan, results.made);
    fs::write(outs[1].join("results.json"), forged.to_json()).unwrap();
    let told = third.run(&from).must(6).stderr;
    assert!(told.contains("results::differ") && told.contains("`source` came out otherwise"), "{told}");
}

#[test]
fn a_folder_that_is_full_or_read_only_is_told_and_what_is_done_stays_done() {
    let one = planned();
    let part = ["-t", "one", "--stage", "build", "--results-to", "out"];
    // A file where a folder must be made: root may write anywhere.
    one.run(&part).must(0);
    fs::remove_dir_all(one.path("out/runs")).unwrap();
    one.lab.space.write("out/runs", "a file");
    let told = one.run(&part).must(1).stderr;
    assert!(told.contains("results::unkept") && told.contains("out/runs"), "{told}");
    fs::remove_dir_all(one.path("out")).unwrap();
    one.lab.space.write("out", "a file");
    let told = one.run(&part).must(5).stderr;
    assert!(told.contains("results::unread") && one.text("out") == "a file", "{told}");
    fs::remove_file(one.path("out")).unwrap();
    one.run(&part).must(0);
    assert_eq!(one.text("made"), "tree\nfile\nlast\n", "it is up to date by the record");
    assert!(one.path("out/files/last@one/last-one").is_file());
}

#[test]
fn a_job_that_is_killed_while_it_keeps_its_results_can_be_run_again() {
    let machine = Machine::new(
        "version = 1\n[[step]]\nid = \"large\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"truncate -s 400M large; echo x >>made\"]\n\
         outputs = { path = \"large\" }\n",
    );
    machine.lab.output(&["plan", "-o", "plan.json"]).must(0);
    let part = ["run", "--plan", "plan.json", "--locked=false", "--results-to", "out"];
    let mut child = machine.lab.pipeline(&part).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let files = machine.path("out/files");
    while !files.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Its engine ends with it; the next run waits for that.
    Ran::of(&mut machine.lab.pipeline(&[&part[..], &["--wait-lock"]].concat())).must(0);
    let other = machine.like();
    other.run(&["--results-from", word(&machine.path("out"))]).must(0);
    assert_eq!(fs::metadata(other.path("large")).unwrap().len(), 400 << 20);
    assert_eq!((machine.text("made"), other.text("made")), ("x\n".to_owned(), String::new()));
}
