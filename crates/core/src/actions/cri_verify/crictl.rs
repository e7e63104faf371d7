//! What crictl on the node is asked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::actions::{ContainerState, CriImage, PodSpec, Pods};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::Command;

/// `crictl inspecti --output json`
#[derive(Deserialize)]
struct Inspecti {
    status: InspectiStatus,
    #[serde(default)]
    info: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InspectiStatus {
    id: String,
    #[serde(default)]
    repo_tags: Vec<String>,
    /// A string, as JSON's numbers end at 53 bits.
    #[serde(default)]
    size: String,
    #[serde(default)]
    pinned: bool,
}

/// `crictl images --output json`
#[derive(Default, Deserialize)]
struct Images {
    #[serde(default)]
    images: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    repo_tags: Vec<String>,
}

/// `crictl inspect --output json`
#[derive(Deserialize)]
struct Inspect {
    status: ContainerStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    state: String,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// Writes what the pod and its container are into the folder `$1`, and starts the pod.
const RUN: &str = "set -e; d=$1; printf %s \"$2\" >\"$d/pod.json\"; printf %s \"$3\" >\"$d/container.json\"; shift 3; \
     exec \"$@\" runp \"$d/pod.json\"";

/// Creates and starts the container of the pod `$2`.
const START: &str = "set -e; d=$1; p=$2; shift 2; c=$(\"$@\" create --no-pull \"$p\" \"$d/container.json\" \"$d/pod.json\"); \
     \"$@\" start \"$c\" >/dev/null; printf '%s\\n' \"$c\"";

/// Shows the container `$1`; exit code 44 where there is none.
const STATE: &str = "c=$1; shift; \"$@\" inspect --output json \"$c\" && exit 0; \
     l=$(\"$@\" ps --all --quiet --id \"$c\") && [ -z \"$l\" ] && exit 44; exit 1";
const GONE: i32 = 44;

/// Removes the pods with the label `$1`. Their containers are killed first: stopping the pod would grant them the
/// runtime's grace of ten seconds and more.
const REMOVE: &str = "set -e; l=$1; shift; n=0; all=$(\"$@\" pods --quiet --label \"$l\"); for p in $all; do \
     for c in $(\"$@\" ps --all --quiet --pod \"$p\"); do \"$@\" stop --timeout 0 \"$c\" >/dev/null || :; done; \
     \"$@\" stopp \"$p\" >/dev/null; \"$@\" rmp \"$p\" >/dev/null; n=$((n + 1)); done; echo $n";

/// crictl on a node.
pub(super) struct Crictl<'a> {
    pub(super) node: &'a str,
    pub(super) endpoint: Option<&'a str>,
    pub(super) cx: &'a ActionCx<'a>,
}

impl Crictl<'_> {
    fn argv(&self) -> Vec<&str> {
        let mut argv = vec!["crictl", "--timeout", "30s"];
        if let Some(endpoint) = self.endpoint {
            argv.extend(["--runtime-endpoint", endpoint, "--image-endpoint", endpoint]);
        }
        argv
    }

    fn command(&self, args: &[&str]) -> Command {
        Command::new(self.argv()).args(args.iter().copied()).on_node(self.node)
    }

    /// A script that finds crictl after its own arguments.
    fn script(&self, script: &str, args: &[&str]) -> Command {
        Command::new(["sh", "-c", script, "sh"])
            .args(args.iter().copied())
            .args(self.argv())
            .on_node(self.node)
    }

    fn parse<'t, T: Deserialize<'t>>(&self, text: &'t [u8]) -> Result<T, Failure> {
        serde_json::from_slice(text).map_err(|error| {
            let node = self.node;
            Failure::new(
                FailureKind::Tool,
                format!("crictl on node `{node}` printed something else: {error}"),
            )
        })
    }

    pub(super) fn image(&self, reference: &str) -> Result<Option<CriImage>, Failure> {
        let answer = self.cx.run_any(&self.command(&["inspecti", "--output", "json", reference]))?;
        if answer.code != 0 {
            return self.not_inspected(reference).map(|()| None);
        }
        let Inspecti { status, info } = self.parse(&answer.stdout)?;
        let info = match info {
            serde_json::Value::Object(map) => {
                map.into_iter().map(|(key, value)| (key, value.to_string())).collect()
            }
            _ => BTreeMap::new(),
        };
        let InspectiStatus { id, repo_tags, size, pinned } = status;
        Ok(Some(CriImage { id, repo_tags, size: size.parse().unwrap_or(0), pinned, info }))
    }

    /// The image could not be shown: is it missing, or is the runtime? The list tells, and goes to the log.
    fn not_inspected(&self, reference: &str) -> Result<(), Failure> {
        let node = self.node;
        let listed = self.cx.run_any(&self.command(&["images", "--output", "json"]))?;
        if listed.code != 0 {
            // One image that the runtime cannot read spoils the whole list; then the answer before was a true one.
            if self.cx.run_any(&self.command(&["version"]))?.code == 0 {
                return Ok(());
            }
            return Err(Failure::new(
                FailureKind::Unreachable,
                format!(
                    "crictl on node `{node}` gets no answer from the CRI runtime (exit code {})",
                    listed.code
                ),
            )
            .help(
                "is the runtime running, and is the node's `cri` its socket? The log has crictl's own words",
            ));
        }
        let list: Images = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        let names: Vec<&str> =
            list.images.iter().flat_map(|image| &image.repo_tags).map(String::as_str).collect();
        self.cx.say(format!("node `{node}` has {} images: {}", list.images.len(), names.join(", ")));
        if names.contains(&reference) {
            return Err(Failure::new(
                FailureKind::Tool,
                format!("crictl on node `{node}` lists `{reference}` but cannot show it"),
            )
            .help("the log has crictl's own words"));
        }
        Ok(())
    }

    /// `crictl images` works, for whoever looks at the node next.
    pub(super) fn lists_images(&self) -> Result<bool, Failure> {
        Ok(self.cx.run_any(&self.command(&["images", "--quiet"]))?.code == 0)
    }

    /// The last line that a script of crictl's prints. Where it fails that is crictl's own reason.
    fn line(&self, script: &str, args: &[&str]) -> Result<String, Failure> {
        let answer = self.cx.run_any(&self.script(&format!("exec 2>&1; {script}"), args))?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let last = text.trim_end().lines().next_back().unwrap_or_default();
        if answer.code == 0 {
            return Ok(last.to_owned());
        }
        Err(Failure::new(FailureKind::Tool, reason(&self.cx.hide(last))))
    }
}

/// What crictl's log says, less the log's form: `time="…" level=fatal msg="…"`.
fn reason(line: &str) -> String {
    let message = line.split_once(" msg=").map(|(_, message)| message);
    let text = message.and_then(|message| serde_json::from_str(message).ok());
    let text: String = text.unwrap_or_else(|| line.to_owned());
    if text.is_empty() { "crictl says nothing about it".into() } else { text.chars().take(1000).collect() }
}

impl Pods for Crictl<'_> {
    fn run(&self, pod: &PodSpec) -> Result<String, Failure> {
        let (sandbox, container) = (sandbox(pod).to_string(), container(pod).to_string());
        self.line(RUN, &[&pod.log_directory, &sandbox, &container])
    }

    fn start(&self, id: &str, pod: &PodSpec) -> Result<String, Failure> {
        self.line(START, &[&pod.log_directory, id])
    }

    fn state(&self, container: &str) -> Result<ContainerState, Failure> {
        let script = self.script(STATE, &[container]);
        let answer = self.cx.run(&Command { ok: vec![0, GONE].into(), ..script })?;
        if answer.code == GONE {
            return Ok(ContainerState::Gone);
        }
        let ContainerStatus { state, exit_code, reason, message } =
            self.parse::<Inspect>(&answer.stdout)?.status;
        if state != "CONTAINER_EXITED" {
            return Ok(ContainerState::Alive);
        }
        let reason =
            [reason, message].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
        Ok(ContainerState::Exited { code: exit_code, reason })
    }

    fn address(&self, id: &str) -> Result<String, Failure> {
        let answer = self.cx.run(&self.command(&["inspectp", "--output", "json", id]))?;
        let shown: serde_json::Value = self.parse(&answer.stdout)?;
        Ok(shown.pointer("/status/network/ip").and_then(|ip| ip.as_str()).unwrap_or_default().to_owned())
    }

    fn remove(&self, (key, value): &(String, String)) -> Result<usize, Failure> {
        let count = self.line(REMOVE, &[&format!("{key}={value}")])?;
        count
            .parse()
            .map_err(|_| Failure::new(FailureKind::Tool, format!("crictl printed something else: {count}")))
    }
}

/// Pod and container must agree on the namespaces: CRI-O refuses a container of another PID namespace than its pod says.
fn namespaces(pod: &PodSpec) -> serde_json::Value {
    let network = if pod.host_network { 2 } else { 0 };
    json!({ "namespace_options": { "network": network, "pid": 1, "ipc": 0 } })
}

fn sandbox(pod: &PodSpec) -> serde_json::Value {
    json!({
        "metadata": { "name": pod.name, "uid": pod.uid, "namespace": PodSpec::NAMESPACE, "attempt": 0 },
        "labels": { &pod.label.0: pod.label.1 },
        "log_directory": pod.log_directory,
        "linux": { "cgroup_parent": pod.cgroup_parent, "security_context": namespaces(pod) },
    })
}

fn container(pod: &PodSpec) -> serde_json::Value {
    let env: Vec<_> = pod.env.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "metadata": { "name": pod.name, "attempt": 0 },
        "image": { "image": pod.image },
        "command": pod.command,
        "envs": env,
        "log_path": pod.log_path,
        "linux": { "security_context": namespaces(pod) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_the_log_says() {
        assert_eq!(reason("time=\"x\" level=fatal msg=\"run: \\\"a\\\" is bad\""), "run: \"a\" is bad");
        assert_eq!(reason("sh: 1: crictl: not found"), "sh: 1: crictl: not found");
        assert_eq!(reason(""), "crictl says nothing about it");
    }
}
