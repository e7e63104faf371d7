//! A node's CRI runtime has exactly the image that was built: through crictl there, else through its socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{CriImage, Performer};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{Command, CriVerify, Ssh, Text};
use crate::platform::Platform;

const TIMEOUT: Duration = Duration::from_secs(30);

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

pub(super) fn perform(
    wanted: &CriVerify,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    let node = cx.nodes().get(&wanted.node).ok_or_else(|| {
        Failure::new(FailureKind::Internal, format!("the plan has no node `{}`", wanted.node))
    })?;
    let id = cx.resolve(&wanted.id)?.to_string_lossy().into_owned();
    let machine = machine(wanted, cx)?;
    let has_crictl =
        cx.run_any(&Command::new(["sh", "-c", "command -v crictl"]).on_node(&wanted.node))?.code == 0;
    let image = if has_crictl {
        by_crictl(wanted, cx)?
    } else {
        let Some(socket) = wanted.endpoint.as_deref().and_then(|endpoint| endpoint.strip_prefix("unix://"))
        else {
            return Err(Failure::new(FailureKind::Tool, format!("node `{}` has no crictl", wanted.node))
                .help(
                    "install crictl there, or name the node's socket: `cri = \"unix:///run/crio/crio.sock\"`",
                ));
        };
        cx.say(format!("node `{}` has no crictl: asking {socket}", wanted.node));
        match &node.ssh {
            None => by_socket(wanted, performer, Path::new(socket))?,
            Some(ssh) => {
                let folder = tempfile::Builder::new().prefix("pipeline-").tempdir().map_err(|error| {
                    Failure::new(FailureKind::Io, format!("no room for a forwarded socket: {error}"))
                })?;
                let local = folder.path().join("cri.sock");
                forwarded(ssh, socket, &local, cx, &|| by_socket(wanted, performer, &local))?
            }
        }
    };
    compare(wanted, &id, machine.as_ref(), image, cx)
}

/// The node's own platform.
fn machine(wanted: &CriVerify, cx: &ActionCx<'_>) -> Result<Option<Platform>, Failure> {
    if let Some(platform) = &wanted.node_platform {
        return Ok(Some(platform.clone()));
    }
    let answer = cx.run(&Command::new(["uname", "-m"]).on_node(&wanted.node))?;
    Ok(Platform::from_uname(String::from_utf8_lossy(&answer.stdout).trim()))
}

fn by_crictl(wanted: &CriVerify, cx: &ActionCx<'_>) -> Result<Option<CriImage>, Failure> {
    let mut command = Command::new(["crictl", "--timeout", "30s"]);
    if let Some(endpoint) = &wanted.endpoint {
        command = command.args(["--runtime-endpoint", endpoint, "--image-endpoint", endpoint]);
    }
    let command = command.args(["inspecti", "--output", "json", &wanted.reference]).on_node(&wanted.node);
    let answer = cx.run_any(&command)?;
    if answer.code != 0 {
        return not_inspected(wanted, cx).map(|()| None);
    }
    let parsed: Inspecti = serde_json::from_slice(&answer.stdout).map_err(|error| {
        Failure::new(
            FailureKind::Tool,
            format!("crictl on node `{}` printed something else: {error}", wanted.node),
        )
    })?;
    let info = match parsed.info {
        serde_json::Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, value.to_string())).collect()
        }
        _ => BTreeMap::new(),
    };
    Ok(Some(CriImage {
        id: parsed.status.id,
        repo_tags: parsed.status.repo_tags,
        pinned: parsed.status.pinned,
        info,
    }))
}

/// crictl could not show the image: is it missing, or is the runtime? The list tells, and goes to the log.
fn not_inspected(wanted: &CriVerify, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let mut list = Command::new(["crictl", "--timeout", "30s"]);
    if let Some(endpoint) = &wanted.endpoint {
        list = list.args(["--runtime-endpoint", endpoint, "--image-endpoint", endpoint]);
    }
    let listed = cx.run_any(&list.args(["images", "--output", "json"]).on_node(&wanted.node))?;
    if listed.code != 0 {
        return Err(Failure::new(
            FailureKind::Unreachable,
            format!(
                "crictl on node `{}` gets no answer from the CRI runtime (exit code {})",
                wanted.node, listed.code
            ),
        )
        .help("is the runtime running, and is the node's `cri` its socket? The log has crictl's own words"));
    }
    let list: Images = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    let names: Vec<&str> =
        list.images.iter().flat_map(|image| &image.repo_tags).map(String::as_str).collect();
    cx.say(format!("node `{}` has {} images: {}", wanted.node, list.images.len(), names.join(", ")));
    if names.contains(&wanted.reference.as_str()) {
        return Err(Failure::new(
            FailureKind::Tool,
            format!("crictl on node `{}` lists `{}` but cannot show it", wanted.node, wanted.reference),
        )
        .help("the log has crictl's own words"));
    }
    Ok(())
}

fn by_socket(
    wanted: &CriVerify,
    performer: &Performer<'_>,
    socket: &Path,
) -> Result<Option<CriImage>, Failure> {
    performer.cri.image(socket, &wanted.reference, TIMEOUT).map_err(|message| {
        Failure::new(FailureKind::Unreachable, format!("node `{}`: {message}", wanted.node))
            .help("is the runtime running, and is the node's `cri` its socket?")
    })
}

/// Asks while ssh forwards the node's socket to a local one.
fn forwarded<T>(
    ssh: &Ssh,
    remote: &str,
    local: &Path,
    cx: &ActionCx<'_>,
    ask: &dyn Fn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let forward = format!("{}:{remote}", local.display());
    // The remote command tells that the connection stands, and holds it until its stdin ends.
    let argv: Vec<Text> = ssh
        .ssh(&["-o", "ClearAllForwardings=no", "-o", "ExitOnForwardFailure=yes", "-L", &forward])
        .into_iter()
        .chain(["echo ready; exec cat >/dev/null".into()])
        .collect();
    cx.beside(&argv, "ready", ask)
}

fn compare(
    wanted: &CriVerify,
    id: &str,
    machine: Option<&Platform>,
    image: Option<CriImage>,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    let CriVerify { node, reference, platform, .. } = wanted;
    let mismatch = |message: String| Failure::new(FailureKind::Mismatch, message);
    let Some(image) = image else {
        return Err(mismatch(format!("node `{node}` does not have the image `{reference}`"))
            .help("is this the reference that was delivered, with its registry and tag? `crictl images` on the node lists what is there"));
    };
    let found =
        if image.id.starts_with("sha256:") { image.id.clone() } else { format!("sha256:{}", image.id) };
    if found != id {
        return Err(mismatch(format!(
            "`{reference}` on node `{node}` is another image: it has the id {found}, and {id} was built"
        ))
        .help("deliver the image again; somebody else may have put an image under this name"));
    }
    if !image.repo_tags.iter().any(|tag| tag == reference) {
        let names = image.repo_tags.join(", ");
        return Err(mismatch(format!(
            "node `{node}` has the image, but not under the name `{reference}`: it is called {names}"
        ))
        .help("pods that name it would make the kubelet pull; deliver it under the full name"));
    }
    match config_platform(&image.info) {
        Some((os, architecture, variant)) => {
            if !platform.matches_config(&os, &architecture, variant.as_deref()) {
                return Err(mismatch(format!(
                    "`{reference}` on node `{node}` is for {os}/{architecture}, not for {platform}"
                )));
            }
        }
        None => cx.say(format!("node `{node}` does not tell the image's architecture")),
    }
    if let Some(machine) = machine
        && !machine.runs_natively(platform)
        && !wanted.emulates.contains(platform)
    {
        return Err(mismatch(format!(
            "node `{node}` is a {machine} machine and cannot run an image for {platform}"
        ))
        .help(format!(
            "send this image to another node, or declare `emulates = [\"{platform}\"]` on this one"
        )));
    }
    if !image.pinned {
        cx.say(format!(
            "`{reference}` is not pinned on node `{node}`: the kubelet may remove it when the disk fills up; \
             list it in `pinned_images` (CRI-O), or label it io.cri-containerd.pinned=pinned (containerd)"
        ));
    }
    cx.say(format!("node `{node}` has `{reference}`: {found}, {platform}"));
    Ok(())
}

/// `os`, `architecture` and `variant` from the runtime's verbose information.
fn config_platform(info: &BTreeMap<String, String>) -> Option<(String, String, Option<String>)> {
    // crictl shows the parts of the document by name; the socket gives the whole under one key.
    let parse = |text: &String| serde_json::from_str::<serde_json::Value>(text).ok();
    let spec = info
        .get("imageSpec")
        .and_then(parse)
        .or_else(|| info.get("info").and_then(parse).and_then(|info| info.get("imageSpec").cloned()))?;
    let field = |name: &str| spec.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let os = field("os").unwrap_or_else(|| "linux".into());
    Some((os, field("architecture")?, field("variant").filter(|variant| !variant.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_in_the_words_of_crictl_and_of_the_socket() {
        let spec = r#"{"architecture":"arm","os":"linux","variant":"v7"}"#;
        let want = Some(("linux".to_owned(), "arm".to_owned(), Some("v7".to_owned())));
        assert_eq!(config_platform(&BTreeMap::from([("imageSpec".into(), spec.into())])), want);
        let whole = format!(r#"{{"chainID":"x","imageSpec":{spec}}}"#);
        assert_eq!(config_platform(&BTreeMap::from([("info".into(), whole)])), want);
        assert_eq!(config_platform(&BTreeMap::new()), None);
    }
}
