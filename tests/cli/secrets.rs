//! Secrets reach the tools of a recipe and nobody else.

use std::fs;
use std::path::Path;

use crate::lab::{Lab, Ran};

const TOKEN: &str = "s3cret/of+the~house";

/// It as others print it: in base64 after no, one and two other characters, in hex, in a URL, in JSON.
const FORMS: [&str; 6] = [
    "czNjcmV0L29mK3RoZX5ob3VzZQ",
    "MzY3JldC9vZit0aGV-aG91c2",
    "zM2NyZXQvb2YrdGhlfmhvdXNl",
    "7333637265742f6f662b7468657e686f757365",
    "s3cret%2Fof%2Bthe~house",
    TOKEN,
];

/// A run of one step that has the token; `leaks` is a file for it to print.
fn run(script: &str, args: &[&str], env: &[(&str, &str)]) -> (Lab, Ran) {
    let lab = Lab::new();
    lab.recipe(&format!(
        "version = 1\n[env]\nsecret = [\"TOKEN\"]\n\
         [[step]]\nid = \"tells\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '''{script}''']\n"
    ));
    let forms: String = FORMS.iter().flat_map(|form| [form, " and ", form, "\n"]).collect();
    lab.space.write("leaks", forms);
    let mut command = lab.pipeline(args);
    let ran = Ran::of(command.env("TOKEN", TOKEN).envs(env.iter().copied()));
    (lab, ran)
}

/// What is left of a run, all files in one.
fn left(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &left(&path);
        } else {
            text += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
    text
}

#[track_caller]
fn hidden(text: &str) {
    for form in FORMS {
        // A few characters of it would do.
        assert!(!text.contains(&form[2..14]), "{form}: {text}");
    }
}

#[test]
fn no_sink_shows_a_secret() {
    // Whole, in single writes, in colours, and as last words of a failure; its length shows that the tool has it.
    let script = "cat leaks; echo \"length $${#TOKEN}\"; t=$TOKEN; \
        while [ -n \"$t\" ]; do r=$${t#?}; printf %s \"$${t%\"$r\"}\"; t=$r; done; echo; \
        printf \"\\033[31m%s\\033[0m\\n\" \"$TOKEN\"; env; \
        printf \"%16380s%s\\n\" x \"$TOKEN\"; echo \"no access with $TOKEN\" >&2; exit 3";
    for (args, env) in [
        (&["run"][..], &[][..]),
        (&["run", "-v"], &[("FORCE_COLOR", "1")]),
        (&["run", "--progress", "json"], &[]),
        (&["run", "-v"], &[("GITHUB_ACTIONS", "true")]),
    ] {
        let (lab, ran) = run(script, args, env);
        let ran = ran.must(1);
        hidden(&ran.stderr);
        hidden(&ran.stdout);
        let kept = left(&lab.space.path(".pipeline"));
        hidden(&kept);
        assert!(kept.contains("length 19\n") && kept.contains("no access with ***"), "{kept}");
        assert!(kept.contains("*** and ***\n") && kept.contains("TOKEN=***\n"), "{kept}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("no access with ***"), "{}", ran.stderr);
    }
}

#[test]
fn a_value_that_cannot_be_hidden_is_refused_and_none_is_none() {
    let with = |value: &str| {
        let lab = Lab::new();
        lab.recipe(
            "version = 1\n[env]\nsecret = [\"TOKEN\"]\n[[step]]\nuses = \"run\"\nargv = [\"docker\", \"x\"]\n",
        );
        let ran = Ran::of(lab.pipeline(&["run"]).env("TOKEN", value));
        (lab, ran)
    };
    let (lab, ran) = with("abc");
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("the secret `TOKEN` is shorter than 4 bytes"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("abc") && lab.calls().is_empty());
    with("").1.must(0);
    with("abcd").1.must(0);
}

#[test]
fn plans_and_scripts_hold_names_only() {
    for format in ["text", "json", "sh", "toml"] {
        let (_, ran) = run("echo $TOKEN", &["plan", "--format", format], &[]);
        hidden(&ran.must(0).stdout);
    }
}

#[test]
fn steps_give_a_ci_system_no_commands() {
    let script = "echo \"::error::x\"; echo \"  ::add-path::/evil\"; echo \"a ##[error]y\"; \
        printf \"\\033[0Ksection_start:1560896352:my_section\\r\\033[0Kheader\\n\"; echo \"::set-env name=A::b\"; exit 1";
    for args in [&["run"][..], &["run", "-v"], &["run", "--progress", "json"]] {
        let (_, ran) = run(script, args, &[("GITHUB_ACTIONS", "true")]);
        let ran = ran.must(1);
        // What we tell the runner ourselves: where the log is folded, and what failed.
        let ours = ["::group::log of tells@host", "::endgroup::"];
        let is_ours = |line: &str| {
            ours.contains(&line)
                || (line.starts_with("::error file=") && line.contains(",title=tells@host failed::"))
        };
        let told = ran.stderr.lines().filter(|line| is_ours(line)).count();
        assert_eq!(told, [3, 1, 0][args.len() - 1], "{}", ran.stderr);
        for line in ran.stdout.lines().chain(ran.stderr.lines()).filter(|line| !is_ours(line)) {
            // After `ActionCommand.cs` of actions/runner.
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
            // After Gitlab::Regex.build_trace_section_regex.
            assert!(!line.contains('\r') && !line.contains("\u{1b}[0K"), "{line:?}");
        }
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("header"), "{}", ran.stderr);
    }
}

#[test]
fn a_child_gets_the_documented_names_and_three_files() {
    let lab = Lab::new();
    lab.recipe(
        "version = 1\n[env]\npass = [\"PASSED\"]\nsecret = [\"TOKEN\"]\n\
         [[step]]\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"umask; env; cd /proc/self/fd; echo fds *\"]\nenv = { OWN = \"1\" }\n",
    );
    let mut command = lab.pipeline(&["run", "-v"]);
    let others =
        ["PASSED", "OTHER", "LD_PRELOAD_X", "GIT_DIR", "DOCKER_HOST", "PIPELINE_VAR_X", "BASH_ENV", "LANG"];
    command.envs(others.map(|name| (name, "/nowhere"))).env("TOKEN", TOKEN);
    let ran = Ran::of(&mut command).must(0);
    let printed: Vec<&str> = ran.stderr.lines().filter_map(|line| Some(line.split_once(" | ")?.1)).collect();
    let mut names: Vec<&str> = printed.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell's own, and the command line that is shown first.
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL") && !name.starts_with('$'));
    names.sort_unstable();
    assert_eq!(
        names,
        ["DOCKER_HOST", "HOME", "LC_ALL", "OWN", "PASSED", "PATH", "TMPDIR", "TOKEN"],
        "{printed:?}"
    );
    assert!(printed.contains(&"0022"), "{printed:?}");
    // The shell itself holds the folder that it lists.
    let fds = printed.iter().find_map(|line| line.strip_prefix("fds ")).unwrap();
    assert!(fds == "0 1 2" || fds == "0 1 2 3", "{fds}");
}
