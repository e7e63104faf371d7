//! The plan as a script for a POSIX shell that does the same job, one instance after the other.
//!
//! Late values are shell variables; actions of our own call `pipeline action`. What a script leaves out: parallelism,
//! retries, timeouts, logs, going on with a part of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use petgraph::visit::EdgeRef;
use serde_json::json;

use super::{exact, quote, shell_word, shown_env};
use crate::plan::{
    Action, Command, Edge, HandSecrets, Instance, NodeIndex, Place, Plan, SecretFrom, Text, lates,
};

const HEAD: &str = r#"
# What git is told by the environment of whoever starts this is not meant for it.
unset CDPATH
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do
    case $name in @KEPT@) ;; *) unset "$name" ;; esac
done
export LC_ALL=C.UTF-8
pipeline=${PIPELINE:-pipeline}
case $pipeline in
    /*) ;;
    */*) pipeline=$(pwd)/$pipeline ;;
esac
d=@DIR@
cd -- "${PIPELINE_DIR:-$d}" || exit 2
here=$(pwd -P)
# File modes end up in images, and so in their digests.
umask 022
# ssh ends what it runs on a node when its stdin ends; this one ends with the script, as nothing else may write to it.
hold=$(mktemp -u) && mkfifo -m 600 "$hold" && exec 4<>"$hold" 3<"$hold" && rm -f "$hold" || exit 1
missing=

# step NAME RUN [CLEANUP]
step() {
    printf '== %s\n' "$1" >&2
    differs=
    if "$2"; then result=0; else result=$?; fi
    if [ -n "${3-}" ]; then "$3"; fi
    return "$result"
}
must() {
    step "$@" && return
    printf 'step %s failed with exit code %s\n' "$1" "$result" >&2
    if [ -n "$differs" ]; then exit 6; fi
    exit 1
}
may() {
    step "$@" && return
    printf 'step %s failed with exit code %s, which the recipe allows\n' "$1" "$result" >&2
    return 1
}
left_out() {
    missing=1
    printf '== %s is left out: something that it is made of, or waits for, failed\n' "$1" >&2
}
# The exit code $1 says that something is other than it must be; it goes on as it is.
judge() {
    code=$?
    if [ "$code" -eq "$1" ]; then differs=1; fi
    return "$code"
}
"#;

const TAIL: &str = r#"
if [ -n "$missing" ]; then
    printf 'not everything is done: see what was left out\n' >&2
    exit 1
fi
"#;

/// The only variable of git that every step gets.
const KEPT: &str = "GIT_SSL_CAINFO";

/// The code of `pipeline action` for something that is other than it must be.
const MISMATCH: i32 = 6;

/// The script. `dir` is the recipe's folder as seen from where the script is meant to be started, `passed` the names of the
/// environment that the recipe's `[env]` passes, `secret` of those that it passes and nobody may see.
pub fn sh(plan: &Plan, dir: &str, passed: &[String], secret: &[String]) -> String {
    let mut out = String::from("#!/bin/sh\n");
    let _ = writeln!(out, "# {}: what `pipeline run` does, one step after the other.", comment(&plan.recipe));
    out.push_str("# PIPELINE_DIR is the recipe's folder, PIPELINE the program.\n");
    let script = Script { plan, passed, secret };
    let mut kept = vec![KEPT];
    kept.extend(
        passed
            .iter()
            .chain(secret)
            .map(String::as_str)
            .filter(|name| name.starts_with("GIT_") && is_name(name)),
    );
    // `cd` reads a lone dash as the folder before.
    let dir = if dir.starts_with('-') { format!("./{dir}") } else { dir.to_owned() };
    out.push_str(&HEAD.replace("@KEPT@", &kept.join(" | ")).replace("@DIR@", &exact(&dir)));
    let guards = guards(plan);
    for (index, node) in plan.order().into_iter().enumerate() {
        let instance = &plan.graph[node];
        let number = index + 1;
        let id = exact(instance.id.as_str());
        let _ = writeln!(out, "\n# {} ({})", comment(instance.id.as_str()), comment(&instance.kind));
        script.function(&mut out, instance, &format!("run_{number}"), &instance.actions, false);
        let mut call = format!("{} {id} run_{number}", if instance.allow_failure { "may" } else { "must" });
        if !instance.cleanup.is_empty() {
            script.function(&mut out, instance, &format!("clean_{number}"), &instance.cleanup, true);
            let _ = write!(call, " clean_{number}");
        }
        if instance.allow_failure {
            // Set in any case: the environment may have a variable of that name.
            let _ = writeln!(out, "failed_{number}=");
            let _ = write!(call, " || failed_{number}=1");
        }
        match guards.get(&node) {
            Some(failed) => {
                let failed: String = failed.iter().map(|number| format!("$failed_{number}")).collect();
                let _ =
                    writeln!(out, "if [ -z \"{failed}\" ]; then\n    {call}\nelse\n    left_out {id}\nfi");
            }
            None => {
                let _ = writeln!(out, "{call}");
            }
        }
    }
    out.push_str(TAIL);
    out
}

/// One line of a comment, whatever is in the text.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// For each instance the numbers of those whose allowed failure leaves it out, as a run does: what uses something of the
/// failed one or waits for its check, and everything downstream of that. What only `needs` it goes on.
fn guards(plan: &Plan) -> BTreeMap<NodeIndex, BTreeSet<usize>> {
    let mut guards: BTreeMap<NodeIndex, BTreeSet<usize>> = BTreeMap::new();
    for (index, node) in plan.order().into_iter().enumerate() {
        if !plan.graph[node].allow_failure {
            continue;
        }
        let uses = plan.graph.edges(node).filter(|edge| *edge.weight() != Edge::Needs);
        let mut stack: Vec<NodeIndex> = uses.map(|edge| edge.target()).collect();
        while let Some(left_out) = stack.pop() {
            if guards.entry(left_out).or_default().insert(index + 1) {
                stack.extend(plan.graph.neighbors(left_out));
            }
        }
    }
    guards
}

struct Script<'p> {
    plan: &'p Plan,
    passed: &'p [String],
    secret: &'p [String],
}

impl Script<'_> {
    fn function(&self, out: &mut String, instance: &Instance, name: &str, actions: &[Action], cleanup: bool) {
        let _ = writeln!(out, "{name}() {{");
        for (line, mismatch) in actions.iter().flat_map(|action| self.lines(instance, action)) {
            let or = match (cleanup, mismatch) {
                (true, _) => ":".to_owned(),
                (false, Some(code)) => format!("judge {code} || return"),
                (false, None) => "return".into(),
            };
            let _ = writeln!(out, "    {line} || {or}");
        }
        out.push_str("}\n");
    }

    /// The action, and the exit codes by which it tells of a mismatch.
    fn lines(&self, instance: &Instance, action: &Action) -> Vec<(String, Option<i32>)> {
        let line = match action {
            // Its way to the builder is ours.
            Action::Command(command) if matches!(command.place, Place::Builder(_)) => {
                let call = self.own_action(action);
                let line = match action.yields() {
                    Some(output) => format!("{}=$({CLOSE}{call})", variable(instance, output)),
                    None => format!("{call} 4>&-"),
                };
                return vec![(line, command.mismatch)];
            }
            Action::Command(_) | Action::CopyFile(_) => {
                let line = |command: &Command| (self.command(instance, command), command.mismatch);
                return action.commands().into_iter().map(line).collect();
            }
            Action::WriteFile(file) => {
                let (path, contents) = (shell_word(&file.path), shell_word(&file.contents));
                let line =
                    format!("mkdir -p -- \"$(dirname -- {path})\" 4>&- && printf %s {contents} >{path}");
                (line, None)
            }
            Action::HandSecrets(hand) => return secrets(hand).into_iter().map(|line| (line, None)).collect(),
            own => {
                let call = self.own_action(own);
                let line = match own.yields() {
                    Some(output) => format!("{}=$({CLOSE}{call})", variable(instance, output)),
                    None => format!("{call} 4>&-"),
                };
                (line, Some(MISMATCH))
            }
        };
        vec![line]
    }

    fn command(&self, instance: &Instance, command: &Command) -> String {
        let (argv, hold) = self.plan.command_line(command);
        let words: Vec<String> = argv.iter().map(shell_word).collect();
        let stdin = if hold { "<&3" } else { "</dev/null" };
        let mut line = format!("{}{} {stdin}", shown_env(&command.env, shell_word), words.join(" "));
        if let Some(dir) = &command.dir {
            line = format!("cd -- {} && {line}", shell_word(dir));
        }
        match &command.capture {
            Some(capture) => {
                let name = variable(instance, &capture.output);
                let once = format!("{name}=$({CLOSE}{line})");
                line = if capture.again {
                    format!(
                        "{{ {once}; code=$?; if [ -z \"${name}\" ]; then {once}; code=$?; fi; ( exit \"$code\" ); }}"
                    )
                } else {
                    once
                };
            }
            None if command.dir.is_some() => line = format!("( {CLOSE}{line} )"),
            None => line += " 4>&-",
        }
        if *command.ok != [0] {
            let codes = command.ok.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
            line = format!("{{ {line}; code=$?; case $code in {codes}) ;; *) ( exit \"$code\" ) ;; esac; }}");
        }
        line
    }

    /// `pipeline action JSON NAME=VALUE…`
    fn own_action(&self, action: &Action) -> String {
        let mut nodes = BTreeMap::new();
        if let Some(node) = action.node().and_then(|name| self.plan.nodes.get(name)) {
            nodes.insert(&node.name, node);
        }
        let mut request = json!({ "action": action, "nodes": nodes });
        if let Some(name) = action.builder()
            && let Some(builder) = self.plan.builders.get(name)
        {
            request["builders"] = json!({ name: builder });
        }
        if matches!(action, Action::Checkout(_) | Action::PinBases(_)) && !self.plan.lock.is_empty() {
            request["lock"] = json!(self.plan.lock);
        }
        if !self.passed.is_empty() {
            request["env"] = json!(self.passed);
        }
        if !self.secret.is_empty() {
            request["secret"] = json!(self.secret);
        }
        let mut call = format!("\"$pipeline\" action {}", quote(&request.to_string()));
        let values: BTreeSet<_> = lates(action.texts());
        for late in values {
            let name = format!("{}.{}=", late.instance, late.output);
            let _ = write!(call, " {}", shell_word(&Text::from(name).then(&Text::from_late(late))));
        }
        call + " </dev/null"
    }
}

/// The same links as in a run; but what they lead to is a file, gone with the clean-up, where the value is a variable's.
fn secrets(hand: &HandSecrets) -> Vec<String> {
    let dir = shell_word(&hand.dir);
    let mut lines = vec![format!("rm -rf -- {dir} 4>&- && mkdir -m 700 -- {dir} 4>&-")];
    lines.extend(hand.from.iter().map(|(id, from)| match from {
        // `printf` is the shell's own: no process has the value among its arguments.
        SecretFrom::Env(name) => {
            format!("[ -n \"${{{name}-}}\" ] && ( umask 077 && printf %s \"${name}\" >{dir}/{} )", exact(id))
        }
        SecretFrom::File(path) => {
            let (file, link) = (exact(path), exact(id));
            format!("[ -f {file} ] && ln -s -- \"$(realpath -- {file})\" {dir}/{link} 4>&-")
        }
    }));
    if hand.agent {
        lines.push("[ -n \"${SSH_AUTH_SOCK-}\" ]".into());
    }
    lines
}

/// At the start of a subshell, which would otherwise hold the fifo open when the script is no more.
const CLOSE: &str = "exec 4>&-; ";

fn variable(instance: &Instance, output: &str) -> String {
    crate::plan::Late {
        instance: instance.id.to_string(),
        output: output.to_owned(),
        grammar: crate::plan::Grammar::Any,
    }
    .shell_variable()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::{Command as Process, Output, Stdio};
    use std::time::{Duration, Instant};

    use petgraph::graph::DiGraph;

    use super::*;
    use crate::plan::{Capture, Check, Expect, Grammar, InstanceId, Node, Ssh, WriteFile};

    fn instance(id: &str, actions: Vec<Action>) -> Instance {
        Instance::new(InstanceId::new(id, None, None), "run", actions)
    }

    fn shell(script: &str) -> Command {
        Command::new(["sh", "-c", script])
    }

    fn does(id: &str, script: &str) -> Instance {
        instance(id, vec![shell(script).into()])
    }

    fn plan(instances: Vec<Instance>, edges: &[(u32, u32, Edge)]) -> Plan {
        let mut plan =
            Plan { recipe: "r".into(), graph: DiGraph::new(), nodes: BTreeMap::new(), ..Plan::default() };
        for instance in instances {
            plan.graph.add_node(instance);
        }
        for (from, to, edge) in edges {
            plan.graph.add_edge((*from).into(), (*to).into(), edge.clone());
        }
        plan
    }

    /// A folder that holds the script, and where it runs.
    struct Space(tempfile::TempDir);

    impl Space {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn is(&self, name: &str) -> bool {
            self.path(name).exists()
        }

        /// An executable script, written by another process: one that forks here just then would hold it open.
        fn tool(&self, name: &str, text: &str) {
            let write = "mkdir -p \"${0%/*}\" && cat > \"$0\" && chmod +x \"$0\"";
            duct::cmd!("sh", "-c", write, self.path(name))
                .stdin_bytes(format!("#!/bin/sh\n{text}\n"))
                .run()
                .unwrap();
        }

        fn process(&self, shell: &str, plan: &Plan, passed: &[&str]) -> Process {
            let passed: Vec<String> = passed.iter().map(|name| (*name).to_owned()).collect();
            std::fs::write(self.path("p.sh"), sh(plan, ".", &passed, &[])).unwrap();
            let mut process = Process::new(shell);
            process.arg("p.sh").current_dir(self.0.path()).stdin(Stdio::null());
            let path = std::env::var("PATH").unwrap();
            process.env("PATH", format!("{}:{path}", self.path("bin").display()));
            process.env_remove("PIPELINE").env_remove("PIPELINE_DIR");
            process
        }

        fn run(&self, plan: &Plan) -> Output {
            self.process("sh", plan, &[]).output().unwrap()
        }
    }

    fn stderr(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    #[test]
    fn an_allowed_failure_leaves_out_what_a_run_skips() {
        let mut check = does("check", "exit 3");
        check.allow_failure = true;
        let touch = |id: &str| does(id, &format!("touch {id}"));
        let steps = vec![
            check,
            touch("only-needs"),
            touch("deliver"),
            touch("verify"),
            touch("both"),
            touch("apart"),
        ];
        let edges = [
            (0, 1, Edge::Needs),
            (0, 2, Edge::Gate),
            // Downstream of what is left out, `needs` is enough.
            (2, 3, Edge::Needs),
            (0, 4, Edge::Needs),
            (0, 4, Edge::Output("x".into())),
        ];
        let space = Space::new();
        // A variable of the environment decides nothing.
        let plan = plan(steps, &edges);
        let output = space.process("sh", &plan, &[]).env("missing", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(["only-needs", "apart"].map(|id| space.is(id)), [true; 2], "{}", stderr(&output));
        assert_eq!(["deliver", "verify", "both"].map(|id| space.is(id)), [false; 3], "{}", stderr(&output));
        assert!(stderr(&output).contains("== deliver is left out"), "{}", stderr(&output));

        let mut plan = plan;
        plan.graph[NodeIndex::new(0)].actions = vec![shell("exit 0").into()];
        let space = Space::new();
        let output = space.process("sh", &plan, &[]).env("failed_1", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(["deliver", "verify", "both"].iter().all(|id| space.is(id)));
    }

    #[test]
    fn an_allowed_failure_that_nothing_uses_is_no_failure() {
        let mut check = does("check", "exit 3");
        check.allow_failure = true;
        let space = Space::new();
        assert_eq!(space.run(&plan(vec![check], &[])).status.code(), Some(0));
    }

    #[test]
    fn names_and_folders_are_no_script() {
        let mut plan = plan(vec![does("a", "touch done")], &[]);
        plan.recipe = "evil\ntouch PWNED #\r\u{1b}[2J".into();
        let dir = "q\"d$x `y` 'z'}\nnext";
        let space = Space::new();
        let folder = space.path(dir);
        std::fs::create_dir(&folder).unwrap();
        let script = sh(&plan, dir, &[], &[]);
        assert!(script.contains("# evil\\ntouch PWNED #\\r\\u{1b}[2J: what"), "{script}");
        std::fs::write(space.path("p.sh"), script).unwrap();
        let run = |envs: &[(&str, &str)]| {
            let mut process = Process::new("sh");
            process.arg("p.sh").current_dir(space.0.path()).env_remove("PIPELINE_DIR");
            process.envs(envs.iter().copied()).status().unwrap().code()
        };
        assert_eq!(run(&[("CDPATH", "/"), ("d", "/")]), Some(0));
        assert!(folder.join("done").exists() && !space.is("PWNED") && !folder.join("PWNED").exists());
        std::fs::create_dir(space.path("other")).unwrap();
        assert_eq!(run(&[("PIPELINE_DIR", "other")]), Some(0));
        assert!(space.is("other/done"));
    }

    #[test]
    fn the_caller_s_git_is_not_the_recipe_s() {
        let show = "env | grep -e ^GIT_ -e ^LC_ALL | sort > seen";
        let space = Space::new();
        let mut process = space.process("sh", &plan(vec![does("a", show)], &[]), &["GIT_TOKEN", "OTHER"]);
        for name in ["GIT_DIR", "GIT_CONFIG_COUNT", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_TOKEN"] {
            process.env(name, "x\nGIT_Y=$(touch PWNED)");
        }
        assert!(process.env("LC_ALL", "de_DE").status().unwrap().success());
        let seen = std::fs::read_to_string(space.path("seen")).unwrap();
        let names: BTreeSet<_> = seen.lines().filter(|line| !line.starts_with("GIT_Y=")).collect();
        assert_eq!(names, ["GIT_SSL_CAINFO=x", "GIT_TOKEN=x", "LC_ALL=C.UTF-8"].into(), "{seen}");
        assert!(!space.is("PWNED"));
    }

    #[test]
    fn exit_codes_are_those_of_a_run() {
        let ends = |action: Action| {
            let space = Space::new();
            space.tool("bin/pipeline", "case $2 in *six*) exit 6 ;; *) exit 5 ;; esac");
            let mut step = instance("a", vec![action]);
            step.cleanup = vec![shell("exit 9").into()];
            space.run(&plan(vec![step], &[])).status.code()
        };
        let check = |what: &str| {
            let expect = Expect::Text("b".into());
            Action::Check(Check { what: what.into(), value: "a".into(), expect })
        };
        assert_eq!(ends(check("six")), Some(6));
        assert_eq!(ends(check("five")), Some(1));
        // A tool's own 6 means nothing, unless the plan says that it does.
        assert_eq!(ends(shell("exit 6").into()), Some(1));
        assert_eq!(ends(Command { mismatch: Some(7), ..shell("exit 7") }.into()), Some(6));
        assert_eq!(ends(Command { mismatch: Some(7), ..shell("exit 6") }.into()), Some(1));
        assert_eq!(ends(Command { ok: (&[0, 4]).into(), ..shell("exit 4") }.into()), Some(0));
        assert_eq!(
            ends(Command { ok: (&[0, 4]).into(), mismatch: Some(5), ..shell("exit 5") }.into()),
            Some(6)
        );
        let kept = |again, script| {
            let capture = Some(Capture { output: "x".into(), grammar: Grammar::Any, again });
            Command { capture, ..shell(script) }.into()
        };
        assert_eq!(ends(kept(false, "exit 3")), Some(1));
        assert_eq!(ends(kept(true, "exit 3")), Some(1));
        assert_eq!(ends(kept(true, "echo x")), Some(0));
        assert_eq!(ends(kept(true, "[ -e once ] || { touch once; exit; }; echo x; exit 3")), Some(1));
    }

    #[test]
    fn what_a_command_in_another_folder_prints_is_kept() {
        let mut pwd = Command::new([
            Text::from("sh"),
            "-c".into(),
            "pwd; echo \"$1\"".into(),
            "sh".into(),
            Text::here("f"),
        ])
        .capture("where", Grammar::Any);
        pwd.dir = Some("sub".into());
        let write = WriteFile { path: "deep/seen".into(), contents: Text::late("a", "where", Grammar::Any) };
        let space = Space::new();
        std::fs::create_dir(space.path("sub")).unwrap();
        let steps = vec![instance("a", vec![pwd.into()]), instance("b", vec![Action::WriteFile(write)])];
        let output = space.run(&plan(steps, &[]));
        assert!(output.status.success(), "{}", stderr(&output));
        let here = std::fs::canonicalize(space.0.path()).unwrap();
        let here = here.display();
        assert_eq!(
            std::fs::read_to_string(space.path("deep/seen")).unwrap(),
            format!("{here}/sub\n{here}/f")
        );
    }

    #[test]
    fn our_own_actions_get_the_passed_names_and_a_relative_program_is_found() {
        let action = Action::WriteFile(WriteFile { path: "x".into(), contents: "".into() });
        let own = Action::Check(Check {
            what: "w".into(),
            value: Text::late("a", "v", Grammar::Any),
            expect: Expect::Text("b".into()),
        });
        let space = Space::new();
        space.tool("tools/p", "printf '%s\\n' \"$@\" > ../seen");
        std::fs::create_dir(space.path("recipe")).unwrap();
        let plan = plan(vec![instance("a", vec![action, own])], &[]);
        let mut process = space.process("sh", &plan, &["TOKEN"]);
        assert!(process.env("PIPELINE", "tools/p").env("PIPELINE_DIR", "recipe").status().unwrap().success());
        let seen = std::fs::read_to_string(space.path("seen")).unwrap();
        let lines: Vec<&str> = seen.lines().collect();
        assert!(lines[1].contains("\"env\":[\"TOKEN\"]"), "{seen}");
        assert_eq!((lines[0], lines[2]), ("action", "a.v="));
    }

    fn on_node(mut plan: Plan) -> Plan {
        let ssh = Ssh::to("n");
        let node = Node { ssh: Some(ssh), ..Node::new("n") };
        plan.nodes.insert("n".into(), node);
        plan
    }

    fn wait_for(path: &Path) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while !path.exists() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    #[test]
    fn sessions_end_with_a_script_that_is_killed() {
        let bare = Command::new(["x"]).on_node("n");
        let kept = bare.clone().capture("y", Grammar::Any);
        let again = Command {
            capture: Some(Capture { output: "y".into(), grammar: Grammar::Any, again: true }),
            ok: (&[0, 1]).into(),
            ..bare.clone()
        };
        let shells = ["sh", "bash"]
            .into_iter()
            .filter(|shell| Process::new(shell).arg("-c").arg(":").status().is_ok());
        for shell in shells {
            for command in [&bare, &kept, &again] {
                let space = Space::new();
                space.tool("bin/ssh", "touch began; cat > /dev/null; touch ended");
                let plan = on_node(plan(vec![instance("a", vec![command.clone().into()])], &[]));
                let mut script = space
                    .process(shell, &plan, &[])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                assert!(wait_for(&space.path("began")), "{shell}: {command:?}");
                std::thread::sleep(Duration::from_millis(100));
                assert!(!space.is("ended"), "{shell}: its stdin is open while the script runs");
                script.kill().unwrap();
                script.wait().unwrap();
                assert!(wait_for(&space.path("ended")), "{shell}: {command:?}");
            }
        }
    }
}
