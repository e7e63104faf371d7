//! Fake tools: what they record, what they answer, and how they find their script.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use pipeline_testkit::{Call, Rule, TestSpace, faketool::Settings};

fn run(space: &TestSpace, line: &str) -> Output {
    let mut words = line.split(' ');
    space.command(words.next().unwrap()).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_fake_records_and_succeeds_in_silence() {
    let space = TestSpace::new();
    space.install_fakes(&["docker", "git"]);
    assert_eq!(space.calls(), []);
    let output = run(&space, "docker build -t x .");
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    fs::create_dir(space.path("sub")).unwrap();
    // By its whole path, elsewhere, without any environment: as a strict engine would.
    let git = space.root().join("bin/git");
    let status =
        Command::new(git).env_clear().current_dir(space.path("sub")).arg("a b\n\"").status().unwrap();
    assert!(status.success());

    let calls = space.calls();
    let lines: Vec<_> = calls.iter().map(Call::line).collect();
    assert_eq!(lines, ["docker build -t x .", "git a b\n\""]);
    assert_eq!(calls[1].argv, ["a b\n\""]);
    assert_eq!((&calls[0].cwd, &calls[1].cwd), (&space.root().join("work"), &space.path("sub")));
    assert_eq!(calls[0].env["NO_COLOR"], "1");
    assert!(calls[1].env.is_empty());
}

#[test]
fn the_first_rule_that_matches_is_played() {
    let space = TestSpace::new();
    space.install_fakes(&["docker"]);
    space.script(&[
        Rule::of("git").stdout("wrong"),
        Rule::of("docker").args(&["build"]).times(1).stderr("flaky\n").exit(7),
        Rule::of("docker")
            .args(&["build"])
            .write_after("--iidfile", "sha256:1")
            .write("made/it", "x")
            .stdout("built\n"),
        Rule::of("").exit(3),
    ]);
    fs::create_dir(space.path("made")).unwrap();
    let output = run(&space, "docker build --iidfile id .");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(7), "flaky\n"));
    assert!(!space.path("id").exists());
    let output = run(&space, "docker build --iidfile id .");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "built\n"));
    assert_eq!((space.read("id").as_str(), space.read("made/it").as_str()), ("sha256:1", "x"));
    assert!(run(&space, "docker build --iidfile=joined .").status.success());
    assert_eq!(space.read("joined"), "sha256:1");
    assert_eq!(run(&space, "docker version").status.code(), Some(3));

    // A new script counts anew.
    space.script(&[Rule::of("docker").args(&["build"]).times(1).exit(9)]);
    let codes = [(); 2].map(|()| run(&space, "docker build").status.code());
    assert_eq!(codes, [Some(9), Some(0)]);

    space.script(&[Rule { touch: vec!["touched".into()], ..Rule::of("docker") }]);
    assert!(run(&space, "docker version").status.success());
    assert_eq!(space.read("touched"), "");
}

#[test]
fn a_reply_can_be_slow_and_copy_files() {
    let space = TestSpace::new();
    space.install_fakes(&["docker"]);
    let archive = space.write("fixture", [0, 0xff]);
    space.script(&[Rule::of("docker").sleep_ms(150).copy_after("-o", archive)]);
    let started = Instant::now();
    assert!(run(&space, "docker save -o out x").status.success());
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert_eq!(fs::read(space.path("out")).unwrap(), [0, 0xff]);
}

#[test]
fn a_real_tool_runs_after_its_call_is_recorded() {
    let space = TestSpace::new();
    space.install_fakes(&["printf"]);
    let real = ["/usr/bin/printf", "/bin/printf"].iter().find(|file| fs::exists(file).unwrap());
    space.script(&[Rule::of("printf").exec(real.unwrap())]);
    assert_eq!(run(&space, "printf %s-%s a b").stdout, b"a-b");
    assert_eq!(space.calls()[0].line(), "printf %s-%s a b");
    assert_ne!(run(&space, "printf").status.code(), Some(0));
}

#[test]
fn calls_at_the_same_time_do_not_mix() {
    let space = TestSpace::new();
    space.install_fakes(&["git"]);
    let long = "x".repeat(20_000);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert!(run(&space, &format!("git {long}")).status.success());
                }
            });
        }
    });
    assert_eq!(space.calls().iter().filter(|call| call.argv == [long.as_str()]).count(), 40);
}

#[test]
fn a_symbolic_link_finds_its_settings_too() {
    let space = TestSpace::new();
    space.install_fakes(&["docker"]);
    symlink(env!("CARGO_BIN_EXE_faketool"), space.root().join("bin/skopeo")).unwrap();
    assert!(run(&space, "skopeo copy").status.success());
    let whole = space.root().join("bin/skopeo");
    assert!(Command::new(whole).env_clear().arg("inspect").status().unwrap().success());
    let lines: Vec<_> = space.calls().iter().map(Call::line).collect();
    assert_eq!(lines, ["skopeo copy", "skopeo inspect"]);
}

#[test]
fn the_environment_names_other_settings() {
    let space = TestSpace::new();
    let script = space.write("rules.json", r#"[{"tool": "faketool", "stdout": "hello"}]"#);
    let log = space.path("log");
    let fake = || {
        let mut command = space.command(env!("CARGO_BIN_EXE_faketool"));
        command.env("FAKETOOL_LOG", &log).env("FAKETOOL_SCRIPT", &script);
        command
    };
    assert_eq!(fake().output().unwrap().stdout, b"hello");
    assert_eq!(pipeline_testkit::faketool::calls(&log).unwrap().len(), 1);
}

#[test]
fn a_broken_set_up_is_no_reply() {
    let space = TestSpace::new();
    let output = space.command(env!("CARGO_BIN_EXE_faketool")).output().unwrap();
    assert_eq!(output.status.code(), Some(119));
    assert!(text(&output.stderr).contains("no `faketool.json` beside"), "{output:?}");

    space.install_fakes(&["docker"]);
    fs::write(space.root().join("script.json"), r#"[{"tol": 1}]"#).unwrap();
    let output = run(&space, "docker");
    assert_eq!(output.status.code(), Some(119));
    assert!(text(&output.stderr).contains("unknown field `tol`"), "{output:?}");

    space.script(&[Rule::of("docker").write_after("--iidfile", "x")]);
    let output = run(&space, "docker build");
    assert!(text(&output.stderr).contains("no argument after `--iidfile` in `docker build`"), "{output:?}");

    space.script(&[Rule::of("docker").exec("/no/such/docker")]);
    assert_eq!(run(&space, "docker").status.code(), Some(119));
}

#[test]
fn settings_are_two_paths() {
    let text = r#"{"log": "/l", "script": "/s"}"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    assert_eq!(settings, Settings { log: "/l".into(), script: "/s".into(), since: 0 });
}
