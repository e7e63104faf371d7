//! Values that mean something to a shell, a tool or a terminal: each is one argument or an error, and never code.

use pipeline_testkit::Rule;

use crate::image::native;
use crate::lab::{Lab, Ran};

/// `CANARY` stands for a file that nothing may make.
const PAYLOADS: [&str; 34] = [
    "-oProxyCommand=touch CANARY",
    "--upload-pack=touch CANARY",
    "-u./p",
    "ext::sh -c touch% CANARY",
    "$(touch CANARY)",
    "`touch CANARY`",
    ";touch CANARY",
    "|touch CANARY",
    "&&touch CANARY",
    "x' ; touch CANARY ; '",
    "x\" ; touch CANARY ; \"",
    "x\ntouch CANARY\n",
    "x\r",
    "x\0y",
    "x\ty",
    "../x",
    "/etc/x",
    "~x",
    "*",
    "$${{x}}",
    "::add-path::x",
    "\u{1b}]0;x\u{7}",
    "x\u{202e}y",
    ".",
    "..",
    "-",
    "",
    "LONG",
    "a:b@c",
    "%h",
    "{{.Id}}",
    "file:///CANARY",
    "x y",
    "CANARY",
];

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
const FIELDS: [(&str, &str); 24] = [
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
    ("nothing", ""),
];

fn toml(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn recipe(lab: &Lab, field: &str, payload: &str) -> String {
    let node = lab.space.root().join("node").display().to_string();
    let (platform, _, _) = native();
    FIELDS.iter().fold(RECIPE.replace("PLATFORM", platform), |text, (name, good)| {
        let value = if *name == field { payload.to_owned() } else { good.replace("NODE", &node) };
        text.replace(&format!("@{name}@"), &toml(&value))
    })
}

#[test]
fn every_value_is_one_argument_or_an_error() {
    let lab = Lab::new();
    let canary = lab.space.path("canary");
    let (mut refused, mut ran) = (0, 0);
    lab.recipe(&recipe(&lab, "nothing", ""));
    lab.output(&["run"]).must(0);
    for (field, _) in FIELDS.iter().filter(|(field, _)| *field != "nothing") {
        for payload in PAYLOADS {
            let payload = match payload {
                "LONG" => "x".repeat(5000),
                other => other.replace("CANARY", &canary.display().to_string()),
            };
            lab.recipe(&recipe(&lab, field, &payload));
            let case = format!("{field} = {payload:?}");
            // What is planned is what would run: its arguments can be read without running them.
            let planned = lab.output(&["plan", "--format", "json"]);
            let shown =
                planned.stderr.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
            assert_eq!(shown, None, "{case}: {:?}", planned.stderr);
            if planned.code != 0 {
                assert_eq!(planned.code, 3, "{case}: {}", planned.stderr);
                refused += 1;
                continue;
            }
            ran += 1;
            let before = lab.calls().len();
            let output = lab.output(&["run", "-k", "-j", "1"]);
            assert!([0, 1, 5, 6].contains(&output.code), "{case}: {} {}", output.code, output.stderr);
            assert!(!output.stderr.contains("panicked"), "{case}: {}", output.stderr);
            assert!(!canary.exists(), "{case} ran as code");
            check_arguments(&case, field, &payload, &lab.calls()[before..]);
        }
    }
    assert!(refused > 200, "only {refused} were refused");
    assert!(ran > 100, "only {ran} ran");
}

/// Where the value comes as it is, it is one whole argument.
fn check_arguments(case: &str, field: &str, payload: &str, calls: &[Vec<String>]) {
    let literal = payload.replace("$${", "${");
    let whole = match field {
        "argument" | "smoke-arg" | "variable" => literal,
        "arg" => format!("A={literal}"),
        "label" => format!("L={literal}"),
        _ => return,
    };
    assert!(calls.iter().flatten().any(|arg| *arg == whole), "{case} is no whole argument of {calls:?}");
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
    lab.recipe(&recipe(&lab, "nothing", ""));
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
    lab.recipe(&recipe(&lab, "nothing", ""));
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
