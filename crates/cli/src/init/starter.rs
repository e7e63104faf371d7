//! The starter's text: what was answered, and the common options as lines to uncomment.

use pipeline_core::format::format;
use pipeline_core::ident::name_problem;
use pipeline_core::platform::Platform;

use super::answers::{Answers, NodeAnswer};

/// The file beside the recipe that tells editors what may stand in it.
pub(crate) const SCHEMA: &str = "pipeline.schema.json";

/// A recipe of these answers, with the line that names its schema or without.
pub(crate) fn starter(answers: &Answers, schema: bool) -> String {
    let mut text = String::new();
    if schema {
        text += &format!("#:schema ./{SCHEMA}\n");
    }
    text += &head(answers);
    let targets = targets(answers);
    for (index, (platform, nodes)) in targets.iter().enumerate() {
        text += &target(platform, nodes, index == 0);
    }
    for (index, node) in answers.nodes.iter().enumerate() {
        text += &self::node(node, &answers.runtime, index == 0);
    }
    text += &steps(answers);
    if !answers.nodes.is_empty() {
        text += &delivery(answers, &targets);
    }
    // Columns are the formatter's business; what it refuses is told by whoever checks the text.
    format(&text).unwrap_or(text)
}

/// Nodes are dealt out in order: to the first target the first one, to the last one what is left.
fn targets(answers: &Answers) -> Vec<(&Platform, Vec<&NodeAnswer>)> {
    let mut targets: Vec<(&Platform, Vec<&NodeAnswer>)> =
        answers.platforms.iter().map(|platform| (platform, Vec::new())).collect();
    let last = targets.len().saturating_sub(1);
    for (index, node) in answers.nodes.iter().enumerate() {
        if let Some((_, nodes)) = targets.get_mut(index.min(last)) {
            nodes.push(node);
        }
    }
    targets
}

/// A TOML string. JSON's escapes are TOML's, but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn key(name: &str) -> String {
    if name_problem(name).is_none() && !name.contains('.') { name.to_owned() } else { quoted(name) }
}

/// `arm64`, `armv7`.
fn target_name(platform: &Platform) -> String {
    format!("{}{}", platform.arch(), platform.variant().unwrap_or_default())
}

fn head(answers: &Answers) -> String {
    let name = quoted(&answers.name);
    let engine = quoted(&answers.engine);
    format!(
        r#"# From a git commit to verified on the node. `pipeline steps` explains the step kinds. Lines behind a `#` are options.
version = 1

[pipeline]
name = {name}
engine = {engine} # docker, buildx, podman, buildah, or auto: the first of them that works
# description = "One line for `pipeline list`"

# Values that `--set tag=2` changes, written as ${{vars.tag}} below.
# [vars]
# tag = "1"
"#
    )
}

fn target(platform: &Platform, nodes: &[&NodeAnswer], first: bool) -> String {
    let name = target_name(platform);
    let mut text = format!("\n[targets.{}]\nplatform = {}\n", key(&name), quoted(&platform.to_string()));
    if !nodes.is_empty() {
        let nodes: Vec<String> = nodes.iter().map(|node| quoted(&node.name)).collect();
        text += &format!("nodes = [{}]\n", nodes.join(", "));
    }
    if first {
        text += &format!("# vars = {{ tag = \"1-{name}\" }} # for this target only\n");
    }
    text
}

fn node(node: &NodeAnswer, runtime: &str, first: bool) -> String {
    let mut text = format!(
        "\n[nodes.{}]\nhost = {}\nruntime = {}\n",
        key(&node.name),
        quoted(&node.host),
        quoted(runtime)
    );
    if first {
        text += "# sudo = true                     # run commands there through `sudo -n`\n\
                 # identity = \"/home/me/.ssh/edge\" # a key of its own\n";
    }
    text
}

fn steps(answers: &Answers) -> String {
    let branch = match &answers.branch {
        Some(branch) => format!("branch = {}\n", quoted(branch)),
        None => "# branch = \"main\" # or `tag`, or `commit`; the repository's default branch without any\n"
            .into(),
    };
    let (url, image) = (quoted(&answers.url), quoted(&answers.image.short));
    let archive = quoted(&format!("{}.${{target.name}}.img", answers.name));
    format!(
        r#"
# QEMU, so that this machine executes what it builds for other architectures.
[[step]]
uses = "binfmt-register"
# via = "container" # brings QEMU along where this machine has no package of it

[[step]]
uses = "git-checkout"
url = {url}
{branch}
# Another base image for a Dockerfile that was not written for these platforms.
# [[step]]
# uses = "patch-FROM"
# from = "alpine:3.20"

[[step]]
uses = "build"
tag = {image}
# dockerfile = "docker/Dockerfile"
# args = {{ VERSION = "${{vars.tag}}" }}

# Nothing leaves this machine before this has passed.
# [[step]]
# uses = "smoke"
# argv = ["uname", "-m"]

[[step]]
uses = "save"
path = {archive}
"#
    )
}

fn delivery(answers: &Answers, targets: &[(&Platform, Vec<&NodeAnswer>)]) -> String {
    let all = targets.iter().all(|(_, nodes)| !nodes.is_empty());
    let with_nodes = targets.iter().filter(|(_, nodes)| !nodes.is_empty());
    let names: Vec<String> = with_nodes.map(|(platform, _)| quoted(&target_name(platform))).collect();
    let only = if all { String::new() } else { format!("targets = [{}]\n", names.join(", ")) };
    let mut text = format!("\n[[step]]\nuses = \"scp\"\n{only}");
    if answers.runtime == "cri-o" {
        let dest = quoted(&format!("containers-storage:{}", answers.image.full));
        text += &format!(
            "\n# CRI-O imports no archives: skopeo, on the node, writes into its storage.\n\
             [[step]]\nuses = \"skopeo-copy\"\n{only}dest = {dest}\n"
        );
    } else {
        text += &format!("\n[[step]]\nuses = \"load\"\n{only}");
    }
    if matches!(answers.runtime.as_str(), "cri-o" | "containerd") {
        text += &format!("\n[[step]]\nuses = \"crictl-verify\"\n{only}");
    }
    text
}
