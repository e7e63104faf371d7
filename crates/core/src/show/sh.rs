//! The plan as a script for a POSIX shell that does the same job, one instance after the other.
//!
//! Late values are shell variables; actions of our own call `pipeline action`. What a script leaves out: parallelism,
//! retries, timeouts, logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::{quote, shell_word, shown_env};
use crate::plan::{Action, Command, Instance, Plan, Text, lates};

const HEAD: &str = r#"
pipeline=${PIPELINE:-pipeline}
# File modes end up in images, and so in their digests.
umask 022
# ssh ends what it runs on a node when its stdin ends; this one ends with the script.
hold=$(mktemp -u) && mkfifo -m 600 "$hold" && exec 3<>"$hold" && rm -f "$hold" || exit 1

# step NAME RUN [CLEANUP]
step() {
    printf '== %s\n' "$1" >&2
    code=0
    "$2" || code=$?
    if [ -n "${3-}" ]; then "$3"; fi
    return "$code"
}
must() {
    step "$@" || { code=$?; printf 'step %s failed with exit code %s\n' "$1" "$code" >&2; exit "$code"; }
}
may() {
    step "$@" || printf 'step %s failed, which the recipe allows\n' "$1" >&2
}
"#;

/// The script. `dir` is the recipe's folder as seen from where the script is meant to be started.
pub fn sh(plan: &Plan, dir: &str) -> String {
    let mut out = String::from("#!/bin/sh\n");
    let _ = writeln!(out, "# {}: what `pipeline run` does, one step after the other.", plan.recipe);
    out.push_str("# PIPELINE_DIR is the recipe's folder, PIPELINE the program.\n");
    let _ = writeln!(
        out,
        "cd -- \"${{PIPELINE_DIR:-{}}}\" || exit 2",
        dir.replace(['"', '$', '`', '\\', '}'], "_")
    );
    out.push_str(HEAD);
    for (index, node) in plan.order().into_iter().enumerate() {
        let instance = &plan.graph[node];
        let number = index + 1;
        let _ = writeln!(out, "\n# {} ({})", instance.id, instance.kind);
        function(&mut out, plan, instance, &format!("run_{number}"), &instance.actions, "|| return");
        let mut call = format!(
            "{} {} run_{number}",
            if instance.allow_failure { "may" } else { "must" },
            quote(instance.id.as_str())
        );
        if !instance.cleanup.is_empty() {
            function(&mut out, plan, instance, &format!("clean_{number}"), &instance.cleanup, "|| :");
            let _ = write!(call, " clean_{number}");
        }
        let _ = writeln!(out, "{call}");
    }
    out
}

fn function(out: &mut String, plan: &Plan, instance: &Instance, name: &str, actions: &[Action], or: &str) {
    let _ = writeln!(out, "{name}() {{");
    for action in actions {
        let _ = writeln!(out, "    {}", line(plan, instance, action, or));
    }
    out.push_str("}\n");
}

fn line(plan: &Plan, instance: &Instance, action: &Action, or: &str) -> String {
    match action {
        Action::Command(command) => command_line(plan, instance, command, or),
        Action::WriteFile(file) => {
            let path = shell_word(&file.path);
            format!(
                "mkdir -p -- \"$(dirname -- {path})\" && printf %s {} >{path} {or}",
                shell_word(&file.contents)
            )
        }
        own => {
            let call = own_action(plan, own);
            match own.yields() {
                Some(output) => format!("{}=$({call}) {or}", variable(instance, output)),
                None => format!("{call} {or}"),
            }
        }
    }
}

fn variable(instance: &Instance, output: &str) -> String {
    crate::plan::Late {
        instance: instance.id.to_string(),
        output: output.to_owned(),
        grammar: crate::plan::Grammar::Any,
    }
    .shell_variable()
}

fn command_line(plan: &Plan, instance: &Instance, command: &Command, or: &str) -> String {
    let (argv, hold) = plan.command_line(command);
    let words: Vec<String> = argv.iter().map(shell_word).collect();
    let stdin = if hold { "<&3" } else { "</dev/null" };
    let mut line = format!("{}{} {stdin}", shown_env(&command.env, shell_word), words.join(" "));
    if let Some(dir) = &command.dir {
        line = format!("( cd -- {} && {line} )", shell_word(dir));
    }
    if let Some(capture) = &command.capture {
        let name = variable(instance, &capture.output);
        line = if capture.again {
            format!(
                "{name}=$({line}); code=$?; if [ -z \"${name}\" ]; then {name}=$({line}); code=$?; fi; ( exit \"$code\" )"
            )
        } else {
            format!("{name}=$({line})")
        };
        if capture.again && command.ok == [0] {
            line = format!("{{ {line}; }}");
        }
    }
    if command.ok != [0] {
        let codes = command.ok.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
        line = format!("{{ {line}; case $? in {codes}) ;; *) false ;; esac; }}");
    }
    format!("{line} {or}")
}

/// `pipeline action JSON NAME=VALUE…`
fn own_action(plan: &Plan, action: &Action) -> String {
    let mut nodes = BTreeMap::new();
    if let Action::CriVerify(verify) = action
        && let Some(node) = plan.nodes.get(&verify.node)
    {
        nodes.insert(&node.name, node);
    }
    let json = json!({ "action": action, "nodes": nodes }).to_string();
    let mut call = format!("\"$pipeline\" action {}", quote(&json));
    let values: BTreeSet<_> = lates(action.texts());
    for late in values {
        let name = format!("{}.{}=", late.instance, late.output);
        let _ = write!(call, " {}", shell_word(&Text::from(name).then(&Text::from_late(late))));
    }
    call + " </dev/null"
}
