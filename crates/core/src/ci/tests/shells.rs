//! The commands of a file, as a shell reads them: `pipeline` is a function that tells its arguments.

use std::process::Command;

use serde_json::Value;

use super::hostile::Case;

/// What is found in place of the program, and of what makes folders.
const TOLD: &str = "pipeline() { printf '%s\\0' \"$@\"; printf '\\n\\0'; }\nmkdir() { :; }\n";

/// What a script tells: each call of `pipeline` with its arguments.
fn told(script: &str, env: &[(String, String)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let mut sh = Command::new("/bin/sh");
    sh.current_dir(&folder).env_clear().envs(env.iter().cloned()).arg("-c").arg(format!("{TOLD}{script}"));
    // Nothing else can be found, so what is executed unasked fails.
    let output = sh.env("PATH", "/nowhere").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{script}\n{output:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "a value was written to as a file: {script}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut calls = vec![Vec::new()];
    for argument in text.split_terminator('\0') {
        if argument == "\n" {
            calls.push(Vec::new());
        } else {
            calls.last_mut().unwrap().push(argument.to_owned());
        }
    }
    calls.pop();
    calls
}

/// The arguments that freeze the plan.
fn planning(case: &Case) -> Vec<String> {
    let mut wanted = vec!["plan".to_owned(), "--no-local".to_owned()];
    for file in &case.frozen.files[1..] {
        let folder = &case.place.folder;
        let path = if folder.is_empty() || folder == "." {
            file.path.clone()
        } else {
            format!("{folder}/{}", file.path)
        };
        wanted.push(format!("--file={path}"));
    }
    wanted.extend(case.frozen.set.iter().map(|(name, value)| format!("--set={name}={value}")));
    wanted.extend(case.frozen.select.targets.iter().map(|only| format!("--target={only}")));
    wanted.push(recipe(case));
    wanted.extend(["-o".to_owned(), "pipeline-ci/plan.json".to_owned()]);
    wanted
}

fn recipe(case: &Case) -> String {
    let path = &case.place.recipe;
    if path.starts_with('-') { format!("./{path}") } else { path.clone() }
}

fn building(case: &Case, target: &str) -> Vec<String> {
    let to = format!("pipeline-ci/build-{target}");
    let of = [
        "run",
        &recipe(case),
        "--plan",
        "pipeline-ci/plan.json",
        "-t",
        target,
        "--stage",
        "build",
        "--results-to",
        &to,
    ];
    of.map(str::to_owned).to_vec()
}

pub(super) fn github(case: &Case, file: &Value, all: bool) {
    let step = |job: &str, name: &str| {
        let steps = file["jobs"][job]["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap().clone()
    };
    let run = |step: &Value, more: &[(&str, &str)]| {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "{script}");
        let env = step["env"].as_object().unwrap().iter();
        let env = env.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        told(script, &env.chain(more).collect::<Vec<_>>())
    };
    assert_eq!(run(&step("plan", "Freeze the plan"), &[]), [planning(case)]);
    let targets = file["jobs"]["build"]["strategy"]["matrix"]["target"].as_array().unwrap();
    let names: Vec<&str> = case.frozen.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(targets.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>(), names);
    let build = step("build", "Build");
    assert_eq!(build["env"]["TARGET"], "${{ matrix.target }}");
    if all {
        assert_eq!(run(&build, &[("TARGET", names[0])]), [building(case, names[0])]);
    }
}

pub(super) fn gitlab(case: &Case, file: &Value, all: bool) {
    let script = |job: &str| {
        let lines = file[job]["script"].as_array().unwrap();
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    let calls = told(&script("plan"), &[]);
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[2], planning(case));
    assert_eq!(calls[1].last(), Some(&case.place.file));
    if !all {
        return;
    }
    let target = &case.frozen.targets[0].name;
    let calls = told(&script("build"), &[("TARGET".to_owned(), target.clone())]);
    assert_eq!(calls[0][..10], building(case, target));
}

pub(super) fn generic(case: &Case, file: &Value) {
    let jobs = file["jobs"].as_array().unwrap();
    assert_eq!(told(jobs[0]["command"].as_str().unwrap(), &[]), [planning(case)]);
    let target = &case.frozen.targets[0].name;
    let calls = told(jobs[1]["command"].as_str().unwrap(), &[]);
    assert_eq!(calls[0][..10], building(case, target));
}
