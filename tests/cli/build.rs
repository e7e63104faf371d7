//! `build` in full: what each builder is told, and what is refused before it starts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pipeline_core::event::{EventKind, FailureKind, Status};
use pipeline_testkit::PAYLOADS;

use crate::image::native;
use crate::lab::{Lab, Ran};

/// A recipe with one build of a folder in the workspace, by these keys.
fn recipe(engine: &str, keys: &str) -> String {
    format!(
        "version = 1\n[pipeline]\nname = \"app\"\nengine = \"{engine}\"\n[env]\nsecret = [\"NPM_TOKEN\"]\n\
         [targets.native]\nplatform = \"{}\"\n\
         [[step]]\nid = \"context\"\nuses = \"run\"\nargv = [\"test\", \"-e\", \"ctx\"]\noutputs = {{ context = \"ctx\" }}\n\
         [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"app:1\"\n{keys}",
        native().0
    )
}

fn lab(engine: &str, keys: &str, dockerfile: &str) -> Lab {
    let lab = Lab::new();
    lab.space.write("ctx/Dockerfile", dockerfile);
    lab.space.write("key", "of the house\n");
    lab.space.write("conf/f", "f");
    lab.recipe(&recipe(engine, keys));
    lab
}

fn run(lab: &Lab, args: &[&str]) -> Ran {
    let mut command = lab.pipeline(args);
    Ran::of(command.env("NPM_TOKEN", "s3cret-of-the-house").env("SSH_AUTH_SOCK", "/run/agent"))
}

/// The one build of a run: its arguments, and the variables that say how.
fn built(engine: &str, keys: &str) -> String {
    let lab = lab(engine, keys, "FROM scratch\n");
    run(&lab, &["run"]).must(0);
    let tool = if engine == "buildx" { "docker" } else { engine };
    let calls = lab.space.calls();
    let call =
        calls.iter().find(|call| call.tool == tool && call.argv.iter().any(|arg| arg == "build")).unwrap();
    let how: Vec<String> = ["DOCKER_BUILDKIT", "SOURCE_DATE_EPOCH", "NPM_TOKEN"]
        .iter()
        .filter_map(|name| Some(format!("{name}={} ", call.env.get(*name)?)))
        .collect();
    lab.normalised(&format!("{}{}", how.concat(), call.line())).replace(" --", "\n--")
}

const EVERYWHERE: &str = "args = { A = \"a b\" }\nlabels = { l = \"x\" }\nannotations = { n = \"y\" }\nstage = \"final\"\n\
    network = \"host\"\nlimits = { ulimits = { nofile = \"1024:4096\" } }\ntimestamp = \"7\"\ntags = [\"app:1.4\"]\n";

/// What BuildKit, podman and buildah have and docker's classic builder has not.
const MODERN: &str = "secrets = { npm = { env = \"NPM_TOKEN\" }, key = { file = \"key\" } }\nssh = [\"default\", \"github\"]\n\
    cache-from = [\"example.org/cache\"]\ncache-to = [\"example.org/cache\"]\n\
    contexts = { conf = { path = \"conf\" }, alpine = { image = \"alpine:3.20\" }, same = { step = \"context\" } }\n";

const BOUNDS: &str = "limits.memory = \"1g\"\nlimits.cpus = 1.5\nlimits.cpu-shares = 512\nlimits.shm-size = \"64m\"\n\
    limits.ulimits.nofile = 1024\n";

#[test]
fn docker_classic() {
    let keys = EVERYWHERE.replace("limits = { ulimits = { nofile = \"1024:4096\" } }\n", BOUNDS);
    insta::assert_snapshot!(built(
        "docker",
        &format!("{keys}buildkit = false\npull = \"always\"\ncache-from = [\"example.org/app:1\"]\n")
    ));
}

#[test]
fn docker_by_buildkit() {
    insta::assert_snapshot!(built(
        "docker",
        &format!("{EVERYWHERE}{MODERN}buildkit = true\npull = \"newer\"\n")
    ));
}

#[test]
fn buildx() {
    insta::assert_snapshot!(built("buildx", &format!("{EVERYWHERE}{MODERN}pull = \"missing\"\n")));
}

/// podman's and buildah's caches do not know timestamps: what is told there has the usual one.
fn of_containers() -> String {
    let usual = EVERYWHERE.replace("timestamp = \"7\"\n", "");
    usual.replace("limits = { ulimits = { nofile = \"1024:4096\" } }\n", BOUNDS) + MODERN
}

#[test]
fn podman() {
    insta::assert_snapshot!(built("podman", &(of_containers() + "pull = \"never\"\n")));
}

#[test]
fn buildah() {
    insta::assert_snapshot!(built("buildah", &(of_containers() + "isolation = \"oci\"\npull = \"newer\"\n")));
}

#[test]
fn with_a_time_of_its_own_nothing_comes_from_a_cache_that_knows_no_times() {
    for (engine, keys, anew) in [
        ("podman", "", false),
        ("podman", "timestamp = \"315532800\"\n", false),
        ("podman", "timestamp = \"7\"\n", true),
        ("buildah", "timestamp = \"7\"\n", true),
        ("buildx", "timestamp = \"7\"\n", false),
    ] {
        let line = built(engine, keys);
        assert_eq!(line.contains("--no-cache"), anew, "{line}");
        let time = if keys.contains('7') { "7" } else { "315532800" };
        assert!(
            line.contains(&format!("SOURCE_DATE_EPOCH={time} "))
                || line.contains(&format!("--timestamp {time}"))
        );
    }
    let keys = "timestamp = \"7\"\ncache-from = [\"example.org/cache\"]\n";
    let lab = lab("buildah", keys, "FROM scratch\n");
    fails(&lab, 3, "buildah has no cache that knows timestamps");
}

/// That it is built anew each time is said once, whatever it is built for.
#[test]
fn what_the_classic_builder_cannot_do_is_said_once() {
    for (keys, says) in [
        ("", "where docker's client"),
        ("buildkit = false\n", "docker's classic builder builds"),
        ("buildkit = true\n", ""),
    ] {
        let lab = lab("docker", keys, "FROM scratch\n");
        let other = format!(
            "[targets.other]\nplatform = \"{}\"\n[[step]]\nid = \"context\"\nscope = \"once\"",
            native().0
        );
        lab.recipe(&recipe("docker", keys).replace("[[step]]\nid = \"context\"", &other));
        let plan = run(&lab, &["plan"]).must(0).stdout;
        assert_eq!(plan.matches("image: ").count(), usize::from(!says.is_empty()), "{plan}");
        assert!(plan.contains(says) && run(&lab, &["run"]).must(0).stderr.contains(says), "{plan}");
    }
}

#[test]
fn more_names_and_annotations_go_into_the_archive() {
    for (format, names) in [("docker-archive", 2), ("oci-archive", 1)] {
        let keys = format!(
            "tags = [\"example.org/app:2\"]\nannotations = {{ \"org.example.x\" = \"a \\\"b\\\"\" }}\n\
             [[step]]\nuses = \"save\"\npath = \"app.tar\"\nformat = \"{format}\"\n"
        );
        let lab = lab("podman", &keys, "FROM scratch\n");
        run(&lab, &["run"]).must(0);
        let tar = fs::read(lab.space.path("app.tar")).unwrap();
        let text = String::from_utf8_lossy(&tar);
        assert_eq!(text.contains("example.org/app:2"), names == 2, "{format}");
        assert_eq!(text.contains(r#""annotations":{"org.example.x":"a \"b\""}"#), names == 1, "{format}");
    }
}

#[track_caller]
fn fails(lab: &Lab, code: i32, words: &str) -> Ran {
    let ran = run(lab, &["run"]).must(code);
    let flat = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(words), "no `{words}` in:\n{}", ran.stderr);
    let builds = |call: &Vec<String>| call.iter().any(|arg| arg == "build");
    assert!(!lab.calls().iter().any(builds), "nothing was built");
    ran
}

#[test]
fn secrets_that_are_none_are_told_before_anything_runs() {
    let secret = |from: &str| format!("buildkit = true\nsecrets = {{ s = {{ {from} }} }}\n");
    for (from, words) in [
        ("file = \"missing\"", "the secret `missing` cannot be read: No such file or directory"),
        ("file = \"ctx\"", "the secret `ctx` is not a file"),
        ("file = \"/dev/zero\"", "the secret `/dev/zero` is not a file"),
        (
            "file = \"short\"",
            "the secret `short` is shorter than 4 bytes: hiding it would hide half of every log",
        ),
    ] {
        let lab = lab("docker", &secret(from), "FROM scratch\n");
        lab.space.write("short", "ab\n");
        let ran = fails(&lab, 5, words);
        assert!(ran.stderr.contains("help:"), "{}", ran.stderr);
        assert!(!lab.space.path(".pipeline/runs").exists(), "no run began");
    }
    let lab = lab("docker", &secret("env = \"NPM_TOKEN\""), "FROM scratch\n");
    let ran = Ran::of(&mut lab.pipeline(&["run"])).must(5);
    assert!(ran.stderr.contains("the secret `$NPM_TOKEN` is not set"), "{}", ran.stderr);
    // A plan needs none of them.
    Ran::of(&mut lab.pipeline(&["plan"])).must(0);
}

#[test]
fn without_an_agent_none_is_forwarded() {
    let lab = lab("podman", "ssh = [\"default\"]\n", "FROM scratch\n");
    let ran = Ran::of(lab.pipeline(&["run"]).env_remove("SSH_AUTH_SOCK")).must(1);
    assert!(ran.stderr.contains("asks for an ssh agent"), "{}", ran.stderr);
}

/// The variable is in no tool's environment but that of the recipe's own commands.
#[test]
fn a_secret_is_in_the_environment_of_own_commands_alone() {
    let keys = "buildkit = true\nsecrets = { npm = { env = \"NPM_TOKEN\" } }\n\
        [[step]]\nid = \"own\"\nuses = \"run\"\nneeds = [\"image\"]\nargv = [\"skopeo\", \"own\"]\n";
    let lab = lab("docker", keys, "FROM scratch\n");
    run(&lab, &["run"]).must(0);
    for call in lab.space.calls() {
        let own = call.argv == ["own"];
        assert_eq!(call.env.contains_key("NPM_TOKEN"), own, "{}", call.line());
    }
}

#[test]
fn a_frontend_runs_only_where_it_is_allowed() {
    let digest = format!("docker/dockerfile@sha256:{}", "0".repeat(64));
    for (syntax, keys, allowed) in [
        ("docker/dockerfile:1", "", true),
        ("docker.io/docker/dockerfile:1.7-labs", "", true),
        (digest.as_str(), "", true),
        ("docker/dockerfile-upstream:master", "", false),
        ("evil.example.org/docker/dockerfile:1", "", false),
        ("docker/dockerfile:1", "frontends = []\n", false),
        ("docker/dockerfile:1.5", "frontends = [\"docker/dockerfile:1\"]\n", false),
        ("example.org/own:2", "frontends = [\"example.org/own\"]\n", true),
        ("$(touch CANARY)", "", false),
    ] {
        for (engine, buildkit) in [("docker", "buildkit = true\n"), ("docker", ""), ("buildx", "")] {
            let text = format!("# escape=\\\n# syntax={syntax}\nFROM scratch\n");
            let lab = lab(engine, &format!("{buildkit}{keys}"), &text);
            if allowed {
                run(&lab, &["run"]).must(0);
            } else {
                let ran = fails(&lab, 1, "would interpret the Dockerfile, and is not allowed to");
                assert!(ran.stderr.contains("ctx/Dockerfile, line 2"), "{}", ran.stderr);
            }
        }
        // Those that read Dockerfiles themselves run nobody, and say so.
        for (engine, keys) in [("docker", "buildkit = false\n"), ("podman", ""), ("buildah", "")] {
            let lab = lab(engine, keys, &format!("# syntax={syntax}\nFROM scratch\n"));
            let ran = run(&lab, &["run", "-v"]).must(0);
            assert!(ran.stderr.contains("it reads the Dockerfile itself"), "{}", ran.stderr);
        }
    }
}

#[test]
fn hostile_dockerfiles() {
    let lab_with = |dockerfile: &str| lab("podman", "", dockerfile);
    fails(&lab_with("# nothing\n"), 1, "the Dockerfile cannot be understood");
    fails(&lab_with("RUN true\n"), 1, "FROM");
    let lab = lab_with("FROM scratch\n");
    fs::remove_file(lab.space.path("ctx/Dockerfile")).unwrap();
    symlink("/etc/passwd", lab.space.path("ctx/Dockerfile")).unwrap();
    let ran = fails(&lab, 1, "is a symbolic link");
    assert!(!ran.stderr.contains("root:"));
    fs::remove_file(lab.space.path("ctx/Dockerfile")).unwrap();
    symlink("../../secret-elsewhere", lab.space.path("ctx/Dockerfile")).unwrap();
    fails(&lab, 1, "is a symbolic link");
    let large = format!("FROM scratch\n{}", "# a comment of some length, again and again\n".repeat(240_000));
    assert!(large.len() > 10_000_000);
    let lab = lab_with(&large);
    let begun = std::time::Instant::now();
    let ran = run(&lab, &["run"]);
    assert!(ran.code == 0 || ran.stderr.contains("Dockerfile"), "{}", ran.stderr);
    assert!(begun.elapsed().as_secs() < 60);
}

fn toml(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Each is an argument of its own at the end of its flag, or an error with a place.
#[test]
fn hostile_names_and_values() {
    for payload in PAYLOADS {
        let long = "x".repeat(100_000);
        let payload = if payload == "LONG" { &long } else { payload };
        let value = toml(payload);
        for keys in [
            format!("annotations = {{ {value} = \"x\" }}\n"),
            format!("annotations = {{ a = {value} }}\n"),
            format!("labels = {{ {value} = \"x\" }}\n"),
            format!("args = {{ {value} = \"x\" }}\n"),
            format!("tags = [{value}]\n"),
            format!("contexts = {{ {value} = {{ path = \"conf\" }} }}\n"),
            format!("contexts = {{ c = {{ path = {value} }} }}\n"),
            format!("contexts = {{ c = {{ image = {value} }} }}\n"),
            format!("secrets = {{ {value} = {{ file = \"key\" }} }}\n"),
            format!("secrets = {{ s = {{ file = {value} }} }}\n"),
            format!("ssh = [{value}]\n"),
            format!("cache-from = [{value}]\n"),
            format!("cache-to = [{value}]\n"),
            format!("limits = {{ memory = {value} }}\n"),
            format!("limits = {{ ulimits = {{ {value} = \"1\" }} }}\n"),
            format!("frontends = [{value}]\n"),
        ] {
            let lab = lab("podman", &keys, "FROM scratch\n");
            let ran = run(&lab, &["run"]);
            let here = |folder: &Path| {
                fs::read_dir(folder).unwrap().any(|entry| entry.unwrap().file_name() == "CANARY")
            };
            assert!(!here(&lab.space.path(".")) && !here(&lab.space.path("ctx")), "{keys}");
            assert!(!ran.stderr.contains("panicked"), "{keys}: {}", ran.stderr);
            let known = [0, 1, 3, 5].contains(&ran.code);
            assert!(
                known,
                "{}: {} {}",
                &keys[..keys.len().min(200)],
                ran.code,
                &ran.stderr[..ran.stderr.len().min(2000)]
            );
            // A line that is too long is not shown.
            if ran.code == 3 && payload.len() < 1000 {
                assert!(ran.stderr.contains("pipeline.toml:"), "{keys}: {}", ran.stderr);
            }
            for call in
                lab.calls().iter().filter(|call| call[0] == "podman" && call.iter().any(|arg| arg == "build"))
            {
                let options = call
                    .iter()
                    .filter(|arg| arg.starts_with("-oProxy") || arg.starts_with("--upload"))
                    .count();
                assert_eq!(options, 0, "{call:?}");
            }
        }
    }
}

/// A frontend or an interpreter is no reason to try again.
#[test]
fn a_refused_dockerfile_is_an_input_that_stays_what_it_is() {
    let lab = lab("buildx", "retry = { attempts = 3 }\n", "# syntax=evil/x\nFROM scratch\n");
    run(&lab, &["run"]).must(1);
    let failures: Vec<_> = lab
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Finished { status: Status::Failed(failure), attempts, .. } => {
                Some((failure.kind, attempts))
            }
            _ => None,
        })
        .collect();
    assert_eq!(failures, [(FailureKind::Input, 1)]);
}
