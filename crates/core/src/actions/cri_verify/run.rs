//! The image runs on the node: a pod of one container, what it prints or answers, and its end.
//!
//! The pod is found by a label that says whose it is: this recipe's folder on this machine, and this instance. Two runs
//! with one label cannot be under way at once, so whatever has it when a run begins was left by one that was killed.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::crictl::Crictl;
use super::{TIMEOUT, reach, served, watch::Watched};
use crate::actions::{Performer, PodSpec, Pods};
use crate::event::Failure;
use crate::exec::ActionCx;
use crate::image::Digest;
use crate::plan::{Command, CriExpect, CriPod, CriRun, Node, own_folder};

/// The label of our pods.
const LABEL: &str = "io.pipeline.run";

/// The log's name in the pod's folder.
const LOG: &str = "container.log";

/// The names that a pod has for us.
struct Names {
    label: (String, String),
    dir: String,
}

impl Names {
    fn of(pod: &CriPod, cx: &ActionCx<'_>) -> Self {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let whose = format!("{machine}\0{}\0{}", cx.here().display(), pod.name);
        let value = Digest::of(whose.as_bytes()).hex()[..16].to_owned();
        Self { dir: format!("{}/.verify-{value}", pod.dir), label: (LABEL.into(), value) }
    }
}

pub(in crate::actions) fn perform(
    wanted: &CriRun,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    let names = Names::of(&wanted.pod, cx);
    let spec = spec(wanted, &names, cx)?;
    let node = reach::node(&wanted.pod.node, cx)?;
    with_pods(&wanted.pod, node, performer, cx, &|pods| {
        let left = pods.remove(&names.label).map_err(not_removed(node))?;
        if left > 0 {
            cx.say(format!("node `{}` had {left} pods of an earlier run: removed", node.name));
        }
        let enter = Command::new(["sh", "-c", &own_folder(""), "sh", &wanted.pod.dir, &names.dir]);
        cx.run(&enter.on_node(&node.name))?;
        let watched = Watched { wanted, node, pods, spec: &spec, cx, since: cx.now() };
        match &wanted.expect {
            CriExpect::Exit { code, stdout } => watched.ends(*code, stdout.as_ref()),
            CriExpect::Http(http) => served::serves(&watched, http),
        }
    })
}

/// Nothing of it is left on the node afterwards.
pub(in crate::actions) fn end(
    pod: &CriPod,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<(), Failure> {
    let names = Names::of(pod, cx);
    let node = reach::node(&pod.node, cx)?;
    with_pods(pod, node, performer, cx, &|pods| pods.remove(&names.label).map_err(not_removed(node)))?;
    cx.run(&Command::new(["rm", "-rf", "--", &names.dir]).on_node(&node.name)).map(drop)
}

fn not_removed(node: &Node) -> impl Fn(Failure) -> Failure {
    let text = format!("a pod of ours could not be removed from node `{}`", node.name);
    move |failure| Failure { message: format!("{text}: {}", failure.message), ..failure }
}

fn with_pods<T>(
    pod: &CriPod,
    node: &Node,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
    use_them: &dyn Fn(&dyn Pods) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let endpoint = pod.endpoint.as_deref();
    let by_crictl = || use_them(&Crictl { node: &node.name, endpoint, cx });
    let by_socket = |socket: &Path| use_them(&*performer.cri.pods(socket, TIMEOUT)?);
    reach::reach(node, endpoint, cx, &by_crictl, &by_socket)
}

fn spec(wanted: &CriRun, names: &Names, cx: &ActionCx<'_>) -> Result<PodSpec, Failure> {
    let word = |text| cx.resolve(text).map(|word| word.to_string_lossy().into_owned());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(PodSpec {
        name: wanted.pod.name.clone(),
        // A pod that could not be removed must not be in the way of the next one.
        uid: format!("{}-{}", names.label.1, now.as_millis()),
        label: names.label.clone(),
        log_directory: names.dir.clone(),
        log_path: LOG.into(),
        cgroup_parent: String::new(),
        host_network: wanted.host_network,
        image: wanted.reference.clone(),
        command: wanted.argv.iter().map(word).collect::<Result<_, _>>()?,
        env: wanted
            .env
            .iter()
            .map(|(name, text)| Ok((name.clone(), word(text)?)))
            .collect::<Result<_, Failure>>()?,
    })
}
