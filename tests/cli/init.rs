//! `pipeline init`: what it writes is valid, whatever the answers; and it writes all or nothing.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use pipeline_testkit::TestSpace;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::PIPELINE;
use crate::lab::Ran;

fn pipeline(space: &TestSpace, args: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).args(args))
}

/// The starter that these options make; it is valid, formatted and has no warnings.
#[track_caller]
fn starter(options: &[&str]) -> String {
    let space = TestSpace::new();
    pipeline(&space, &[&["init", "app"], options].concat()).must(0);
    // A warning would have a code such as `spec::unused-variable`.
    let ran = pipeline(&space, &["check", "app"]).must(0);
    assert!(!ran.stderr.contains("::"), "{options:?}\n{}", ran.stderr);
    pipeline(&space, &["fmt", "--check", "app"]).must(0);
    let text = space.read("app/pipeline.toml");
    // Every option that it shows works.
    let all: Vec<&str> = text.lines().map(|line| option(line).unwrap_or(line)).collect();
    let all = all.join("\n");
    space.write("all/pipeline.toml", &all);
    let ran = pipeline(&space, &["check", "all"]).must(0);
    assert!(!ran.stderr.contains("::"), "{options:?}\n{all}\n{}", ran.stderr);
    text
}

/// What stands behind the `#` of a line that is an option: a header or a key.
fn option(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("# ")?;
    let after = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '-');
    let key = after.len() < rest.len() && after.starts_with(" = ");
    (key || rest.starts_with('[')).then_some(rest)
}

/// A terminal, and the program on it.
struct Terminal {
    child: Child,
    master: File,
}

impl Terminal {
    fn start(space: &TestSpace, args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let child = space
            .command(PIPELINE)
            .args(args)
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        Self { child, master: File::from(master) }
    }

    /// Everything on the screen until a question ends with `end`.
    fn wait_for(&mut self, end: &str) -> String {
        let mut seen = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).ends_with(end) {
            match self.master.read(&mut byte) {
                Ok(1) => seen.push(byte[0]),
                _ => panic!("no `{end}` in {}", String::from_utf8_lossy(&seen)),
            }
        }
        String::from_utf8(seen).unwrap()
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// What is left on the screen, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        // A terminal whose other side is closed has no end, but an error.
        let _ = self.master.read_to_end(&mut rest);
        (String::from_utf8(rest).unwrap(), self.child.wait().unwrap().code())
    }
}

#[test]
fn a_starter_is_valid_whatever_is_answered() {
    let platforms = ["linux/arm64", "linux/arm/v7", "riscv64"];
    let nodes = ["root@10.0.0.1", "big.node=edge-7", "edge.example.com"];
    for count in 1..=platforms.len() {
        let platforms = platforms[..count].join(",");
        starter(&["--platform", &platforms, "--engine", "podman", "--branch", "release/1.x"]);
        for count in 1..=nodes.len() {
            for runtime in ["cri-o", "containerd", "docker", "podman"] {
                let nodes = nodes[..count].join(",");
                starter(&["--platform", &platforms, "--node", &nodes, "--runtime", runtime]);
            }
        }
    }
}

#[test]
fn the_answers_stand_in_the_starter_and_it_is_short() {
    let text = starter(&[
        "--name=Odd.name_1",
        "--url=ssh://git@host/team/a'b\\c\".git",
        "--branch=it's",
        "--platform=arm64",
        "--platform=aarch64",
        "--engine=buildah",
        "--image=registry.example.com:5000/team/app",
        "--node=n=10.1.1.1",
    ]);
    let value: toml::Table = text.parse().unwrap();
    assert_eq!(value["pipeline"]["name"].as_str(), Some("Odd.name_1"));
    assert_eq!(value["step"][1]["url"].as_str(), Some("ssh://git@host/team/a'b\\c\".git"));
    assert_eq!(value["step"][1]["branch"].as_str(), Some("it's"));
    assert_eq!(value["step"][2]["tag"].as_str(), Some("registry.example.com:5000/team/app:latest"));
    assert_eq!(value["targets"].as_table().unwrap().keys().collect::<Vec<_>>(), ["arm64"]);
    assert_eq!(value["nodes"]["n"]["host"].as_str(), Some("10.1.1.1"));
    assert!(text.starts_with("#:schema ./pipeline.schema.json\n"));
    for options in [&[][..], &["--node", "edge-1"]] {
        let lines = starter(options).lines().count();
        assert!(lines <= 70, "{options:?}: {lines}");
    }
}

#[test]
fn the_schema_lies_beside_unless_it_is_not_wanted() {
    let space = TestSpace::new();
    let ran = pipeline(&space, &["init", "pipelines/one"]).must(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.starts_with(
            "wrote pipelines/one/pipeline.toml\nwrote pipelines/one/pipeline.schema.json\n\nNext"
        ),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("\n  pipeline check pipelines/one "), "{}", ran.stderr);
    assert_eq!(space.read("pipelines/one/pipeline.schema.json"), pipeline(&space, &["schema"]).stdout);
    let mode = fs::metadata(space.path("pipelines/one/pipeline.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    pipeline(&space, &["init", "two", "--no-schema", "--yes"]).must(0);
    assert!(space.read("two/pipeline.toml").starts_with("# From a git commit"));
    assert_eq!(fs::read_dir(space.path("two")).unwrap().count(), 1);
    let ran = Ran::of(space.command(PIPELINE).arg("init").current_dir(space.path("two"))).must(2);
    assert!(ran.stderr.contains("`pipeline.toml` is there already"), "{}", ran.stderr);
}

#[test]
fn what_is_there_is_replaced_by_force_only() {
    let space = TestSpace::new();
    let recipe = space.write("app/pipeline.toml", "mine");
    fs::set_permissions(&recipe, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = pipeline(&space, &["init", "app"]).must(2);
    assert!(ran.stderr.contains("`app/pipeline.toml` is there already"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(space.read("app/pipeline.toml"), "mine");
    assert_eq!(fs::read_dir(space.path("app")).unwrap().count(), 1);
    pipeline(&space, &["init", "app", "--force"]).must(0);
    pipeline(&space, &["check", "app"]).must(0);
    assert_eq!(fs::metadata(&recipe).unwrap().permissions().mode() & 0o7777, 0o600);
    // A schema that somebody else wrote; ours may be there.
    fs::remove_file(&recipe).unwrap();
    pipeline(&space, &["init", "app"]).must(0);
    fs::remove_file(&recipe).unwrap();
    space.write("app/pipeline.schema.json", "theirs");
    pipeline(&space, &["init", "app"]).must(2);
    assert!(!recipe.exists());
    assert_eq!(space.read("app/pipeline.schema.json"), "theirs");
    // What is no file is not replaced.
    fs::create_dir(&recipe).unwrap();
    pipeline(&space, &["init", "app", "--force", "--no-schema"]).must(5);
    space.write("file", "x");
    let ran = pipeline(&space, &["init", "file/below"]).must(5);
    assert!(ran.stderr.contains("cannot make the folder `file/below`"), "{}", ran.stderr);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_by_name_and_nothing_is_written() {
    let space = TestSpace::new();
    for (option, value, says) in [
        ("--name", "a b", "cannot hold ` `"),
        ("--name", "", "cannot be empty"),
        ("--name", "${vars.x}", "would be replaced"),
        ("--url", "--upload-pack=x", "would be read as an option"),
        ("--url", "https://me:secret@example.com/x", "holds a password"),
        ("--url", "/srv/git", "the protocol `file` is not allowed"),
        ("--branch", "a..b", "is no name of a ref"),
        ("--platform", "windows/amd64", "only `linux` images"),
        ("--platform", ",", "at least one platform"),
        ("--image", "Upper", "upper-case"),
        ("--image", &format!("a@sha256:{}", "0".repeat(64)), "has no digest"),
        ("--node", "a/b=c", "bad name of a node"),
        ("--node", "a=b,A=c", "two nodes are called `A`"),
        ("--node", "here=b", "no node can be called `here`"),
        ("--node", "-oProxyCommand=x", "bad name of a node"),
        ("--node", "n=-oX", "would read it as an option"),
        ("--node", "n=", "it is empty"),
        ("--engine", "kaniko", "invalid value"),
        ("--runtime", "lxc", "invalid value"),
    ] {
        let ran = pipeline(&space, &["init", "app", &format!("{option}={value}")]).must(2);
        assert!(ran.stderr.contains(option), "{option}={value}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{option}={value}: {}", ran.stderr);
        assert!(!space.path("app").exists(), "{option}={value}");
    }
}

#[test]
fn folders_of_any_name_become_names_of_recipes() {
    let space = TestSpace::new();
    for folder in ["My App", "größe", "-x", "...", "UPPER", "a..b"] {
        Ran::of(space.command(PIPELINE).args(["init", "--yes", "--", folder])).must(0);
        Ran::of(space.command(PIPELINE).args(["check", "-f"]).arg(space.path(folder).join("pipeline.toml")))
            .must(0);
    }
}

#[test]
fn the_repository_around_it_is_the_default() {
    let space = TestSpace::with_real_tools();
    let git = |args: &[&str]| Ran::of(space.command("git").args(args)).must(0);
    git(&["init", "--quiet", "."]);
    git(&["remote", "add", "origin", "git@example.org:team/tool.git"]);
    pipeline(&space, &["init", "pipelines/a"]).must(0);
    assert!(space.read("pipelines/a/pipeline.toml").contains("\"git@example.org:team/tool.git\""));
    // Secrets do not get into recipes.
    git(&["remote", "set-url", "origin", "https://me:secret@example.org/tool.git"]);
    pipeline(&space, &["init", "pipelines/b"]).must(0);
    assert!(space.read("pipelines/b/pipeline.toml").contains("\"https://example.com/b.git\""));
}

#[test]
fn on_a_terminal_it_asks_again_until_the_answer_fits() {
    let space = TestSpace::new();
    let mut terminal = Terminal::start(&space, &["init", "pipelines/app", "--engine", "podman"]);
    let seen = terminal.wait_for("Name of the recipe [app]: ");
    assert!(seen.contains("Nothing is written before the last answer"), "{seen}");
    terminal.type_in("two words\n");
    let seen = terminal.wait_for("Name of the recipe [app]: ");
    assert!(seen.contains("a name cannot hold ` `"), "{seen}");
    terminal.type_in("tool\n");
    terminal.wait_for("[https://example.com/tool.git]: ");
    terminal.type_in("\n");
    terminal.wait_for("Branch [the repository's default]: ");
    terminal.type_in("main\n");
    terminal.wait_for("[linux/arm64]: ");
    terminal.type_in("arm64, armv7\n");
    terminal.wait_for("Name of the image [tool:1]: ");
    terminal.type_in("\n");
    terminal.wait_for("[none]: ");
    assert!(!space.path("pipelines").exists());
    terminal.type_in("root@edge-1\n");
    terminal.wait_for("[cri-o]: ");
    terminal.type_in("docker\n");
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(0), "{seen}");
    let recipe: toml::Table = space.read("pipelines/app/pipeline.toml").parse().unwrap();
    assert_eq!(recipe["pipeline"]["engine"].as_str(), Some("podman"));
    assert_eq!(recipe["targets"]["armv7"]["platform"].as_str(), Some("linux/arm/v7"));
    assert_eq!(recipe["nodes"]["edge-1"]["runtime"].as_str(), Some("docker"));
    pipeline(&space, &["check", "app"]).must(0);
}

#[test]
fn who_leaves_the_questions_leaves_nothing_behind() {
    let space = TestSpace::new();
    let mut terminal = Terminal::start(&space, &["init", "app"]);
    terminal.wait_for("]: ");
    // Ctrl-D at the beginning of a line.
    terminal.type_in("\u{4}");
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(2), "{seen}");
    assert!(seen.contains("nothing was written"), "{seen}");
    let mut terminal = Terminal::start(&space, &["init", "app"]);
    terminal.wait_for("]: ");
    terminal.type_in("x\n");
    terminal.wait_for("]: ");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).unwrap();
    assert_eq!(terminal.end().1, None);
    assert!(!space.path("app").exists());
    let terminal = Terminal::start(&space, &["init", "app", "--yes"]);
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(0), "{seen}");
}
