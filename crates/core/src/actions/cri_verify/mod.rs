//! A node's CRI runtime has exactly the image that was built, and runs it: through crictl there, else through its socket.

mod crictl;
mod http;
mod output;
mod reach;
pub(super) mod run;
mod served;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use self::crictl::Crictl;
use super::{CriImage, Performer};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{Command, CriReport, CriVerify, Node, Runtime};
use crate::platform::Platform;

/// The longest that one call to a runtime may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Yields the image's size where that is asked for.
pub(super) fn perform(
    wanted: &CriVerify,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<Option<String>, Failure> {
    let node = reach::node(&wanted.node, cx)?;
    let id = cx.resolve(&wanted.id)?.to_string_lossy().into_owned();
    let machine = machine(wanted, cx)?;
    let (image, lists) = ask(wanted, node, performer, cx)?;
    if !lists {
        cx.say(format!(
            "node `{}` cannot list its images, though it can show one by its name: a foreign image there breaks `crictl \
             images` (cri-o#6457), such as an index that has none of the node's architecture. The runtime's words stand \
             above; `buildah images` and `podman images` still list: remove that image with `rmi`",
            node.name
        ));
    }
    let image = compare(wanted, &id, machine.as_ref(), image, cx)?;
    let answer = serde_json::json!({
        "node": node.name,
        "machine": machine.as_ref().map(ToString::to_string),
        "reference": wanted.reference,
        "image": &image,
    });
    cx.keep("node.json", cx.hide(&format!("{answer:#}\n")).as_bytes());
    let Some(report) = &wanted.report else { return Ok(None) };
    tell(wanted, report, node, &image, cx).map(|()| Some(image.size.to_string()))
}

/// The image, and whether the runtime can list all of them.
fn ask(
    wanted: &CriVerify,
    node: &Node,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<(Option<CriImage>, bool), Failure> {
    let CriVerify { endpoint, reference, report, .. } = wanted;
    let endpoint = endpoint.as_deref();
    let by_crictl = || {
        let crictl = Crictl { node: &node.name, endpoint, cx };
        let image = crictl.image(reference)?;
        Ok((image, report.is_none() || crictl.lists_images()?))
    };
    let by_socket = |socket: &Path| {
        let image = performer.cri.image(socket, reference, TIMEOUT).map_err(|message| {
            Failure::new(FailureKind::Unreachable, format!("node `{}`: {message}", node.name))
                .help("is the runtime running, and is the node's `cri` its socket?")
        })?;
        let lists =
            report.is_none() || performer.cri.count(socket, TIMEOUT).map_err(|error| cx.say(error)).is_ok();
        Ok((image, lists))
    };
    reach::reach(node, endpoint, cx, &by_crictl, &by_socket)
}

/// The node's own platform.
fn machine(wanted: &CriVerify, cx: &ActionCx<'_>) -> Result<Option<Platform>, Failure> {
    if let Some(platform) = &wanted.node_platform {
        return Ok(Some(platform.clone()));
    }
    let answer = cx.run(&Command::new(["uname", "-m"]).on_node(&wanted.node))?;
    Ok(Platform::from_uname(String::from_utf8_lossy(&answer.stdout).trim()))
}

fn compare(
    wanted: &CriVerify,
    id: &str,
    machine: Option<&Platform>,
    image: Option<CriImage>,
    cx: &ActionCx<'_>,
) -> Result<CriImage, Failure> {
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
    cx.say(format!("node `{node}` has `{reference}`: {found}, {platform}"));
    Ok(image)
}

/// Size, and whether the image stays.
fn tell(
    wanted: &CriVerify,
    report: &CriReport,
    node: &Node,
    image: &CriImage,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    let CriVerify { reference, endpoint, .. } = wanted;
    let name = &node.name;
    let pinned = if image.pinned { "pinned" } else { "not pinned" };
    cx.say(format!(
        "`{reference}` has {} bytes on node `{name}`, as the runtime counts, and is {pinned}",
        image.size
    ));
    if image.pinned {
        return Ok(());
    }
    let why = format!(
        "`{reference}` is not pinned on node `{name}`: the kubelet's image garbage collection may remove it when the \
         disk fills up and no container uses it"
    );
    let how = pin(node.runtime, reference, endpoint.as_deref());
    if report.pinned {
        return Err(Failure::new(
            FailureKind::Mismatch,
            format!("{why}\nexpected: pinned\nit is: not pinned"),
        )
        .help(how));
    }
    cx.say(format!("{why}; {how}"));
    Ok(())
}

/// How to keep an image on a node.
fn pin(runtime: Runtime, reference: &str, endpoint: Option<&str>) -> String {
    let crio = format!(
        "write `pinned_images = [\"{reference}\"]` below `[crio.image]` into a file in /etc/crio/crio.conf.d/, and \
         `systemctl reload crio`"
    );
    let address = endpoint
        .and_then(|endpoint| endpoint.strip_prefix("unix://"))
        .filter(|socket| *socket != "/run/containerd/containerd.sock")
        .map(|socket| format!(" -a {socket}"))
        .unwrap_or_default();
    let containerd = format!(
        "run `ctr{address} -n k8s.io images label {reference} io.cri-containerd.pinned=pinned` there; containerd \
         1.6 does not tell it"
    );
    match runtime {
        Runtime::CriO => crio,
        Runtime::Containerd => containerd,
        Runtime::Docker | Runtime::Podman => format!("CRI-O: {crio}; containerd: {containerd}"),
    }
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
