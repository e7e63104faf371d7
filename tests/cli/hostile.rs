//! Values that mean something to a shell, a tool or a terminal: each is one argument or an error, and never code.

use pipeline_testkit::{PAYLOADS, Rule};

use crate::image::native;
use crate::lab::{Lab, Ran};

/// The recipe with a place for every string that reaches a tool; `@name@` stands for one.
const RECIPE: &str = r#"version = 1
[pipeline]
name = @name@
engine = "docker"
[vars]
v = @variable@
[targets.native]
platform = "PLATFORM"
nodes = ["edge"]
[nodes.edge]
host = @host@
ssh-config = @ssh-config@
identity = @identity@
runtime = "docker"
dir = @node-dir@
[[step]]
id = "source"
uses = "git-checkout"
url = @url@
branch = @branch@
allow-protocols = ["file"]
[[step]]
uses = "patch-FROM"
from = @from@
dockerfile = @dockerfile@
[[step]]
id = "image"
uses = "build"
tag = @tag@
dockerfile = @dockerfile@
stage = @stage@
network = @network@
args = { A = @arg@ }
labels = { L = @label@ }
[[step]]
uses = "smoke"
argv = ["uname", @smoke-arg@]
network = @smoke-network@
[[step]]
uses = "save"
path = @path@
reference = @reference@
[[step]]
uses = "scp"
dest = @dest@
[[step]]
uses = "load"
[[step]]
id = "any"
uses = "run"
argv = ["podman", @argument@, "${vars.v}"]
env = { E = @env@ }
inputs = [@input@]
"#;

/// Each field with a value that works.
const FIELDS: [(&str, &str); 23] = [
    ("name", "app"),
    ("variable", "v"),
    ("host", "root@edge"),
    ("ssh-config", "ssh_config"),
    ("identity", "id"),
    ("node-dir", "NODE"),
    ("url", "upstream"),
    ("branch", "main"),
    ("from", "alpine:3.20"),
    ("dockerfile", "Dockerfile"),
    ("tag", "app:1"),
    ("stage", "final"),
    ("network", "none"),
    ("arg", "a"),
    ("label", "l"),
    ("smoke-arg", "-m"),
    ("smoke-network", "none"),
    ("path", "app.img"),
    ("reference", "docker.io/library/app:1"),
    ("dest", "NODE/app.img"),
    ("argument", "x"),
    ("env", "e"),
    ("input", "upstream"),
];

fn toml(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// The recipe with the payload in these fields.
fn recipe(lab: &Lab, fields: &[&str], payload: &str) -> String {
    let node = lab.space.root().join("node").display().to_string();
    let (platform, _, _) = native();
    FIELDS.iter().fold(RECIPE.replace("PLATFORM", platform), |text, (name, good)| {
        let value = if fields.contains(name) { payload.to_owned() } else { good.replace("NODE", &node) };
        text.replace(&format!("@{name}@"), &toml(&value))
    })
}

/// Fields whose odd values make a step fail early: each runs alone.
const ALONE: [&str; 4] = ["url", "branch", "dockerfile", "input"];

/// Fields whose whole value is one argument of a fake tool, with what stands before it there.
const WHOLE: [(&str, &str); 5] =
    [("argument", ""), ("smoke-arg", ""), ("variable", ""), ("arg", "A="), ("label", "L=")];

// In four parts, as each takes a while.
#[test]
fn every_value_is_one_argument_or_an_error_1() {
    in_every_field(&PAYLOADS[..9]);
}

#[test]
fn every_value_is_one_argument_or_an_error_2() {
    in_every_field(&PAYLOADS[9..18]);
}

#[test]
fn every_value_is_one_argument_or_an_error_3() {
    in_every_field(&PAYLOADS[18..27]);
}

#[test]
fn every_value_is_one_argument_or_an_error_4() {
    in_every_field(&PAYLOADS[27..]);
}

fn in_every_field(payloads: &[&str]) {
    let lab = Lab::new();
    let canary = lab.space.path("canary");
    let (mut refused, mut accepted) = (0, 0);
    lab.recipe(&recipe(&lab, &[], ""));
    lab.output(&["run"]).must(0);
    for payload in payloads {
        let payload = match *payload {
            "LONG" => "x".repeat(5000),
            "/etc/x" => lab.space.root().join("etc/x").display().to_string(),
            other => other.replace("CANARY", &canary.display().to_string()),
        };
        let mut together = Vec::new();
        for (field, _) in FIELDS {
            lab.recipe(&recipe(&lab, &[field], &payload));
            let planned = lab.output(&["plan"]);
            let case = format!("{field} = {payload:?}");
            for text in [&planned.stdout, &planned.stderr] {
                let raw = text.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
                assert_eq!(raw, None, "{case}: {text:?}");
            }
            if planned.code != 0 {
                assert_eq!(planned.code, 3, "{case}: {}", planned.stderr);
                assert!(planned.stderr.contains("pipeline.toml"), "{case} says no place: {}", planned.stderr);
                refused += 1;
                continue;
            }
            accepted += 1;
            if ALONE.contains(&field) {
                run(&lab, &[field], &payload);
            } else {
                together.push(field);
            }
            assert!(!canary.exists(), "{case} ran as code");
        }
        run(&lab, &together, &payload);
        assert!(!canary.exists(), "{payload:?} ran as code in one of {together:?}");
    }
    assert!(refused > 40 && accepted > 40, "{refused} were refused and {accepted} were not");
}

/// Runs the recipe with the payload in these fields, and sees to it that it arrives whole where it arrives as it is.
fn run(lab: &Lab, fields: &[&str], payload: &str) {
    lab.recipe(&recipe(lab, fields, payload));
    let before = lab.calls().len();
    let case = format!("{payload:?} in {fields:?}");
    let ran = lab.output(&["run", "-k", "-j", "2"]);
    assert!([0, 1, 3, 5].contains(&ran.code), "{case}: {} {}", ran.code, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{case}: {}", ran.stderr);
    let calls = lab.calls().split_off(before);
    for (field, prefix) in WHOLE.iter().filter(|(field, _)| fields.contains(field)) {
        let whole = format!("{prefix}{}", payload.replace("$${", "${"));
        assert!(
            calls.iter().flatten().any(|arg| *arg == whole),
            "{case}: `{field}` is no whole argument of {calls:?}\n{}",
            ran.stderr
        );
    }
}

#[test]
fn a_script_keeps_every_value_whole_as_well() {
    let lab = Lab::new();
    let canary = lab.space.path("canary");
    for payload in PAYLOADS {
        let payload = payload.replace("CANARY", &canary.display().to_string());
        lab.recipe(&format!(
            "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\", {}]\nenv = {{ E = {} }}\n",
            toml(&payload),
            toml(&payload)
        ));
        let planned = lab.output(&["plan", "--format", "sh"]);
        if planned.code != 0 {
            assert_eq!((planned.code, payload.as_str()), (3, "x\0y"), "{}", planned.stderr);
            continue;
        }
        let before = lab.calls().len();
        let path = lab.space.write("p.sh", planned.stdout);
        Ran::of(lab.space.command("sh").arg(path)).must(0);
        let literal = payload.replace("$${", "${");
        let call = lab.space.calls().split_off(before).pop().unwrap();
        assert_eq!((&call.argv, &call.env["E"]), (&vec![literal.clone()], &literal));
        assert!(!canary.exists(), "{payload:?} ran as code");
    }
}

#[test]
fn what_a_tool_answers_enters_an_argument_only_in_its_shape() {
    let lab = Lab::new();
    lab.recipe(&recipe(&lab, &[], ""));
    for answer in ["-x", "$(touch canary)", "../../x", "sha256:zz", "", "sha256:short\nsha256:other"] {
        lab.script(&[Rule::of("docker").args(&["build"]).write_after("--iidfile", answer)]);
        let ran = lab.output(&["run"]).must(1);
        assert!(
            ran.stderr.contains("a digest (`sha256:` and 64 hexadecimal digits)"),
            "{answer:?}: {}",
            ran.stderr
        );
        assert!(!lab.calls().iter().any(|call| call[1] == "save"), "{answer:?}");
    }
}

#[test]
fn the_environment_of_git_has_no_say() {
    let lab = Lab::new();
    lab.recipe(&recipe(&lab, &[], ""));
    let canary = lab.space.path("canary");
    let hook = lab.program("post-checkout", &format!("touch '{}'", canary.display()));
    let templates = lab.space.root().join("templates/hooks");
    std::fs::create_dir_all(&templates).unwrap();
    std::fs::copy(hook, templates.join("post-checkout")).unwrap();
    std::fs::write(
        lab.space.root().join("home/.gitconfig"),
        format!(
            "[init]\ntemplateDir = {}\n[protocol]\nallow = always\n",
            templates.parent().unwrap().display()
        ),
    )
    .unwrap();
    let mut command = lab.pipeline(&["run"]);
    command.envs([
        ("GIT_DIR", "/x"),
        ("GIT_WORK_TREE", "/x"),
        ("GIT_SSH_COMMAND", &format!("touch {}", canary.display())),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", &format!("touch {}", canary.display())),
        ("GIT_TEMPLATE_DIR", &templates.parent().unwrap().display().to_string()),
    ]);
    Ran::of(&mut command).must(0);
    assert!(!canary.exists());
}
