//! `plan`: it changes nothing, says what `run` does, and its script does it.

use std::fs;
use std::path::Path;

use crate::kinds::every_kind;
use crate::lab::{Lab, Ran};

fn node(dir: &Path) -> String {
    format!("[nodes.edge]\nhost = \"edge\"\nruntime = \"docker\"\ndir = \"{}\"\n", dir.display())
}

fn lab(engine: &str) -> Lab {
    let lab = Lab::new();
    let load = "[[step]]\nuses = \"load\"\n";
    lab.recipe(&every_kind(engine, &node(&lab.space.root().join("node")), load));
    lab
}

/// Every path below a folder, with the contents of files.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

#[test]
fn planning_changes_nothing_and_calls_nothing() {
    let lab = lab("docker");
    let before = tree(lab.space.root());
    let mut plans = Vec::new();
    for args in [
        &["plan"][..],
        &["plan", "--format", "json"],
        &["plan", "--format", "sh"],
        &["run", "-n"],
        &["check"],
        &["list"],
        &["plan"],
        &["plan", "--format", "json"],
        &["plan", "--format", "sh"],
        &["run", "--dry-run"],
    ] {
        plans.push(lab.output(args).must(0).stdout);
    }
    assert_eq!(tree(lab.space.root()), before);
    // Twice the same, and `run -n` is `plan`.
    assert_eq!(plans[0], plans[6]);
    assert_eq!(plans[1], plans[7]);
    assert_eq!(plans[2], plans[8]);
    assert_eq!((&plans[0], &plans[0]), (&plans[3], &plans[9]));
}

#[test]
fn the_json_plan_has_every_instance_and_edge() {
    let lab = lab("buildah");
    let text = lab.output(&["plan", "--format", "json"]).must(0).stdout;
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((plan["version"].as_u64(), plan["recipe"].as_str()), (Some(1), Some("app")));
    let ids: Vec<&str> = plan["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["id"].as_str().unwrap())
        .collect();
    for id in [
        "binfmt-register",
        "source",
        "patch-FROM@native",
        "image@native",
        "scp@native@edge",
        "load@native@edge",
    ] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    for edge in plan["edges"].as_array().unwrap() {
        for end in ["from", "to"] {
            assert!(ids.contains(&edge[end].as_str().unwrap()), "{edge}");
        }
        // The order is one in which they can run.
        let position = |end: &str| ids.iter().position(|id| *id == edge[end]).unwrap();
        assert!(position("from") < position("to"), "{edge}");
    }
    assert!(
        plan["edges"].as_array().unwrap().iter().any(|edge| {
            edge["from"] == "smoke@native" && edge["to"] == "scp@native@edge" && edge["because"] == "gate"
        }),
        "{}",
        plan["edges"]
    );
}

#[test]
fn the_script_calls_what_a_run_calls() {
    for engine in ["docker", "podman", "buildah"] {
        let by_run = lab(engine);
        by_run.output(&["run", "-j", "1"]).must(0);
        // Only a run asks: the node beforehand, and what tells whether a step must run at all.
        let mut expected = by_run.calls();
        let asks = |arg: &String| arg.contains("look=$1") || arg == "ls-remote" || arg == "--version";
        expected.retain(|call| !call.iter().any(asks));

        let by_script = lab(engine);
        let script = by_script.output(&["plan", "--format", "sh"]).must(0).stdout;
        let path = by_script.space.write("p.sh", script);
        let mut sh = by_script.space.command("sh");
        Ran::of(sh.arg(path).env("PIPELINE", crate::PIPELINE)).must(0);

        let plain = |lab: &Lab, calls: &[Vec<String>]| -> Vec<String> {
            let mut lines: Vec<String> =
                calls.iter().map(|call| lab.normalised(&serde_json::to_string(call).unwrap())).collect();
            // Steps that do not wait for each other may come in another order.
            lines.sort();
            lines
        };
        assert_eq!(plain(&by_script, &by_script.calls()), plain(&by_run, &expected), "{engine}");
        assert_eq!(
            fs::read(by_script.space.path("out/app.native.img")).unwrap(),
            fs::read(by_run.space.path("out/app.native.img")).unwrap(),
        );
        assert!(by_script.space.root().join("node/app.native.img").exists());
    }
}

#[test]
fn the_script_stops_at_a_failure_with_the_code_of_a_run() {
    let lab = lab("docker");
    let script = lab.output(&["plan", "--format", "sh"]).must(0).stdout;
    let path = lab.space.write("p.sh", script);
    lab.script(&[pipeline_testkit::Rule::of("docker").args(&["build"]).exit(7)]);
    let ran = Ran::of(lab.space.command("sh").arg(path).env("PIPELINE", crate::PIPELINE)).must(1);
    assert!(ran.stderr.contains("step image@native failed with exit code 7"), "{}", ran.stderr);
    assert_eq!(lab.calls_of("scp"), Vec::<Vec<String>>::new());
}

#[test]
fn looking_for_outputs_only_reads() {
    let lab = lab("docker");
    lab.output(&["run"]).must(0);
    let before = tree(&lab.space.path("."));
    let ran = lab.output(&["plan", "--probe"]).must(0);
    assert_eq!(tree(&lab.space.path(".")), before);
    let (plan, probed) = ran.stdout.split_once("what would run, and why:").expect("a list");
    assert_eq!(plan.trim_end(), lab.output(&["plan"]).must(0).stdout.trim_end());
    assert!(probed.contains("up to date  save@native"), "{probed}");
    assert!(probed.contains("up to date  source"), "{probed}");
    fs::remove_file(lab.space.path("out/app.native.img")).unwrap();
    let probed = lab.output(&["plan", "--probe"]).must(0).stdout;
    assert!(probed.contains("`out/app.native.img` is not there any more"), "{probed}");
}
