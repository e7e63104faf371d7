//! The recipe of a shipment.

use pipeline_core::plan::Runtime;
use toml::{Table, Value};

use super::Refusal;
use super::image::{From, ShipImage};
use super::node::{ShipNode, name_of};
use crate::args::ShipArgs;
use crate::exit_code;

/// The target of nodes with a CRI runtime.
const VERIFIED: &str = "cri";

/// `pipeline.toml` with the steps `local-image`, `deliver` and, where there is a CRI runtime, `crictl-verify`.
pub(crate) fn text(image: &ShipImage, nodes: &[ShipNode], args: &ShipArgs) -> Result<String, Refusal> {
    let mut recipe = Table::new();
    recipe.insert("version".into(), Value::Integer(1));
    recipe.insert("pipeline".into(), table([("name", Some(text_of("ship")))]));
    // docker and podman have no CRI socket to ask: a target of their own, without the check.
    let has_cri = |node: &&ShipNode| !matches!(node.runtime, Some(Runtime::Docker | Runtime::Podman));
    let (asked, others): (Vec<&ShipNode>, Vec<&ShipNode>) =
        nodes.iter().partition(|node| has_cri(node) && !args.no_verify);
    let target = |nodes: &[&ShipNode]| {
        let names = nodes.iter().map(|node| text_of(&node.name)).collect();
        let platform = text_of(&image.platform.to_string());
        let target = table([("platform", Some(platform)), ("nodes", Some(Value::Array(names)))]);
        (!nodes.is_empty()).then_some(target)
    };
    recipe.insert("targets".into(), table([(VERIFIED, target(&asked)), ("image", target(&others))]));
    let mut tables = Table::new();
    for node in nodes {
        tables.insert(node.name.clone(), node_table(node, args)?);
    }
    recipe.insert("nodes".into(), Value::Table(tables));
    let (name, engine, archive) = match &image.from {
        From::Engine(engine, name) => (Some(text_of(name)), Some(text_of(engine)), None),
        From::Archive(path) => {
            let path = path.to_str().ok_or_else(|| {
                Refusal::new(
                    "usage::bad-value",
                    exit_code::USAGE,
                    format!("the path {} is not UTF-8", path.display()),
                )
            })?;
            (None, None, Some(text_of(path)))
        }
    };
    let mut steps = vec![
        table([
            ("id", Some(text_of("found"))),
            ("uses", Some(text_of("local-image"))),
            ("name", name),
            ("engine", engine),
            ("archive", archive),
            ("reference", Some(text_of(&image.reference))),
        ]),
        table([("uses", Some(text_of("deliver")))]),
    ];
    if !asked.is_empty() {
        let targets = Value::Array(vec![text_of(VERIFIED)]);
        steps.push(table([("uses", Some(text_of("crictl-verify"))), ("targets", Some(targets))]));
    }
    recipe.insert("step".into(), Value::Array(steps));
    toml::to_string(&recipe)
        .map_err(|error| Refusal::new("usage::bad-value", exit_code::USAGE, error.to_string()))
}

fn node_table(node: &ShipNode, args: &ShipArgs) -> Result<Value, Refusal> {
    let path = |path: &Option<std::path::PathBuf>| -> Result<Option<Value>, Refusal> {
        let Some(path) = path else { return Ok(None) };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let text = absolute.to_str().ok_or_else(|| {
            Refusal::new(
                "usage::bad-value",
                exit_code::USAGE,
                format!("the path {} is not UTF-8", path.display()),
            )
        })?;
        Ok(Some(text_of(text)))
    };
    let remote = node.host.is_some();
    let emulates = args.emulates.iter().map(|platform| text_of(platform)).collect::<Vec<_>>();
    Ok(table([
        ("host", node.host.as_deref().map(text_of)),
        ("port", node.port.map(|port| Value::Integer(i64::from(port)))),
        ("ssh-config", path(&args.ssh_config)?.filter(|_| remote)),
        ("identity", path(&args.identity)?.filter(|_| remote)),
        ("sudo", args.sudo.then_some(Value::Boolean(true))),
        ("runtime", node.runtime.map(|runtime| text_of(name_of(runtime)))),
        ("cri", args.cri.as_deref().or(node.cri.as_deref()).map(text_of)),
        ("dir", args.dir.as_deref().map(text_of)),
        ("emulates", (!emulates.is_empty()).then_some(Value::Array(emulates))),
        ("storage", args.storage.as_deref().map(storage).transpose()?),
    ]))
}

/// `[DRIVER@]ROOT[+RUNROOT]`
fn storage(text: &str) -> Result<Value, Refusal> {
    let (driver, rest) = match text.split_once('@') {
        Some((driver, rest)) => (Some(driver), rest),
        None => (None, text),
    };
    let (root, runroot) = match rest.split_once('+') {
        Some((root, runroot)) => (root, Some(runroot)),
        None => (rest, None),
    };
    if !root.starts_with('/') {
        return Err(Refusal::new(
            "usage::bad-value",
            exit_code::USAGE,
            format!("`{}` names no absolute folder", text.escape_debug()),
        )
        .help("write `--storage overlay@/var/lib/containers/storage+/run/containers/storage`"));
    }
    Ok(table([
        ("driver", driver.map(text_of)),
        ("root", Some(text_of(root))),
        ("runroot", runroot.map(text_of)),
    ]))
}

/// A value in which no `${…}` is one.
fn text_of(text: &str) -> Value {
    Value::String(text.replace("${", "$${"))
}

fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Table(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}
