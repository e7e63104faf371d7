//! Lowers every instance, dependencies first, and finds two that would write the same thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::expand::{Member, Members};
use super::limits::Limits;
use super::link::Graph;
use super::targets::Target;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::plan::{
    Action, Basis, Builder, CopyFile, Edge, Engine, Instance, Late, Node, Output, Place, Pool, Probe,
    Register, Text, Value, WriteFile,
};
use crate::platform::Platform;
use crate::spec::{NoOutput, Scope, Values, View};
use crate::steps::{Claim, Configured, Lower, Lowered, One, Resolved};

/// What lowering needs to know.
pub(super) struct Context<'c> {
    pub(super) values: &'c Values<'c>,
    pub(super) name: &'c str,
    pub(super) configured: &'c [Configured<'c>],
    pub(super) members: &'c Members,
    pub(super) nodes: &'c BTreeMap<String, Node>,
    pub(super) builders: &'c BTreeMap<String, Builder>,
    pub(super) engine: Engine,
}

type Outputs = BTreeMap<String, Text>;

/// See [`Plan`](crate::plan::Plan).
pub(super) struct Finished {
    pub(super) graph: DiGraph<Instance, Edge>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) builders: BTreeMap<String, Builder>,
    pub(super) places: BTreeMap<String, String>,
    pub(super) notes: Vec<String>,
}

/// The finished graph and the nodes that it uses.
pub(super) fn lower(context: &Context<'_>, graph: &Graph, diagnostics: &mut Diagnostics) -> Option<Finished> {
    let members = &context.members.list;
    let order = petgraph::algo::toposort(graph, None).ok()?;
    let names = Names {
        steps: context.configured.iter().map(|step| step.step.id.value.as_str().into()).collect(),
        targets: context.members.targets.iter().map(|target| target.name.as_str().into()).collect(),
    };
    let mut plan = graph.map(|_, &index| bare(context, &names, index), |_, edge| edge.clone());
    // None of those that could not be lowered.
    let mut outputs: Vec<Option<Outputs>> = vec![None; members.len()];
    let mut claims: BTreeMap<String, (Claim, usize)> = BTreeMap::new();
    let platforms: Vec<Vec<Platform>> =
        context.members.applies.iter().map(|of| platforms(context, of)).collect();
    let (mut failed, mut notes) = (false, Vec::new());
    let mut places = places(context);
    for at in order {
        let index = graph[at];
        let platforms = &platforms[members[index].step];
        let instance = &mut plan[at];
        let Some((out, rest)) = one(context, graph, at, &outputs, platforms, instance, diagnostics) else {
            failed = true;
            continue;
        };
        for note in rest.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        for (key, span) in rest.asked {
            places.entry(key.to_string()).or_insert_with(|| place(context, span.start));
        }
        for claim in rest.claims {
            if let Some((_, other)) = claims.insert(claim.key(context.nodes), (claim.clone(), index)) {
                // In the order of the recipe.
                diagnostics.push(two_writers(context, &claim, other.min(index), other.max(index)));
                failed = true;
            }
        }
        outputs[index] = Some(out);
    }
    // In the order of keys a folder comes before what is in it, if not always right before.
    let mut folders: Vec<&(Claim, usize)> = Vec::new();
    for entry in claims.values() {
        folders.retain(|folder| folder.0.holds(&entry.0));
        if let Some((_, first)) = folders.iter().find(|folder| folder.1 != entry.1) {
            diagnostics.push(two_writers(context, &entry.0, *first, entry.1));
            failed = true;
        }
        folders.push(entry);
    }
    if failed || diagnostics.has_errors() {
        return None;
    }
    let mut used = BTreeMap::new();
    for name in plan.node_weights().flat_map(nodes_of) {
        if !used.contains_key(name)
            && let Some(node) = context.nodes.get(name)
        {
            used.insert(name.to_owned(), node.clone());
        }
    }
    let building: BTreeSet<&str> = plan.node_weights().flat_map(Instance::builders).collect();
    let builders = context.builders.iter().filter(|(name, _)| building.contains(name.as_str()));
    let builders = builders.map(|(name, builder)| (name.clone(), builder.clone())).collect();
    Some(Finished { graph: plan, nodes: used, builders, places, notes })
}

fn place(context: &Context<'_>, offset: usize) -> String {
    let at = context.values.recipe.files.sources.position(offset);
    format!("{}:{}:{}", at.file, at.line, at.column)
}

/// Where the steps are.
fn places(context: &Context<'_>) -> BTreeMap<String, String> {
    let step = |configured: &Configured<'_>| {
        let step = configured.step;
        (step.id.value.clone(), place(context, step.span.start))
    };
    context.configured.iter().map(step).collect()
}

/// Names that many instances share, by index.
struct Names {
    steps: Vec<Arc<str>>,
    targets: Vec<Arc<str>>,
}

/// How many instances work with a node at the same time.
fn bound(context: &Context<'_>, node: &str) -> Option<u32> {
    let (_, spec) = context.values.recipe.nodes.iter().find(|(name, _)| name.value == node)?;
    spec.max_parallel.map(|most| u32::from(most.get()))
}

/// An instance as it is before it is lowered.
fn bare(context: &Context<'_>, names: &Names, index: usize) -> Instance {
    let member = &context.members.list[index];
    let configured = &context.configured[member.step];
    let common = &configured.step.common;
    let remote = || member.node.as_ref().and_then(|node| context.nodes.get(node)?.ssh.as_ref()).is_some();
    let on_node = common.scope.unwrap_or_else(|| configured.body.scope()) == Scope::Node;
    Instance {
        id: member.id.clone(),
        step: names.steps[member.step].clone(),
        kind: configured.kind.into(),
        target: member.target.map(|target| names.targets[target].clone()),
        platform: member.target.map(|target| context.members.targets[target].platform.clone()),
        node: member.node.clone(),
        actions: Vec::new(),
        cleanup: Vec::new(),
        outputs: Vec::new(),
        probe: Probe::Unknown,
        basis: Basis::default(),
        pool: if on_node && remote() { Pool::Node } else { Pool::Local },
        mutex: common.mutex.as_ref().map(|mutex| mutex.value.clone()),
        share: None,
        node_bound: member.node.as_ref().and_then(|node| bound(context, node)),
        timeout: None,
        silent_timeout: None,
        max_log: None,
        retry: None,
        allow_failure: common.allow_failure.unwrap_or(false),
    }
}

fn nodes_of(instance: &Instance) -> impl Iterator<Item = &str> {
    let places = instance.actions.iter().chain(&instance.cleanup).filter_map(Action::node);
    places.chain(instance.node.as_deref())
}

/// Lowers one instance; its outputs, and what else came of it.
fn one(
    context: &Context<'_>,
    graph: &Graph,
    at: NodeIndex,
    outputs: &[Option<Outputs>],
    platforms: &[Platform],
    instance: &mut Instance,
    diagnostics: &mut Diagnostics,
) -> Option<(Outputs, Lowered)> {
    let members = &context.members.list;
    let member = &members[graph[at]];
    let configured = &context.configured[member.step];
    let target = member.target.map(|target| &context.members.targets[target]);
    let before = |id: &str| {
        graph
            .neighbors_directed(at, petgraph::Direction::Incoming)
            .map(|node| graph[node])
            .find(|&other| context.configured[members[other].step].step.id.value == id)
    };
    let output = |id: &str, name: &str| -> Result<Text, NoOutput> {
        // What is unknown, not visible or wrong in itself has been reported.
        let outputs = before(id).and_then(|producer| outputs[producer].as_ref()).ok_or(NoOutput::Reported)?;
        outputs.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = outputs.keys().map(String::as_str).collect();
            if known.is_empty() {
                return NoOutput::Because(format!("step `{id}` has no outputs"), None);
            }
            let help = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("it has {}", list_names(&known)));
            NoOutput::Because(format!("step `{id}` has no output `{name}`"), Some(help))
        })
    };
    let view = View {
        target: target.map(|target| target.member(context.values.recipe)),
        node: member.node.as_deref(),
        output: &output,
    };
    let (inputs, set) = inputs(context, graph, at, outputs);
    let node = match &member.node {
        Some(name) => Some(context.nodes.get(name)?),
        None => None,
    };
    let reported = diagnostics.len();
    let mut cx = Lower {
        id: &member.id,
        span: configured.step.span.clone(),
        recipe: context.name,
        values: context.values,
        view,
        node,
        nodes: context.nodes,
        builders: context.builders,
        platforms,
        engine: context.engine,
        inputs: &inputs,
        set: &set,
        partial: context.members.partial[member.step],
        diagnostics,
    };
    // All that is wrong, and not only the first thing that the kind stumbles over.
    for (name, place) in &configured.step.names {
        if let Err(diagnostic) = cx.values.name(name, place, cx.view) {
            cx.refuse(diagnostic);
        }
    }
    let lowered = configured.body.lower(&mut cx);
    let common = &configured.step.common;
    let limits = Limits::read(common, &context.values.recipe.pools, &mut cx);
    let mut env = BTreeMap::new();
    let mut refused = false;
    for (name, value) in &common.env {
        match cx.text(value) {
            Ok(text) => {
                env.insert(name.clone(), text);
            }
            Err(_) => refused = true,
        }
    }
    if refused || diagnostics.len() > reported {
        return None;
    }
    let (Ok(mut lowered), Ok(limits)) = (lowered, limits) else { return None };
    put_env(&mut lowered, &env);
    pin_hosts(&mut lowered, context.nodes);
    // Most have one, and there are very many of them.
    lowered.actions.shrink_to_fit();
    let (listed, map) = finish_outputs(member, &mut lowered);
    instance.actions = std::mem::take(&mut lowered.actions);
    instance.cleanup = std::mem::take(&mut lowered.cleanup);
    instance.outputs = listed;
    instance.probe = lowered.probe.take().unwrap_or(Probe::Unknown);
    instance.basis = std::mem::take(&mut lowered.basis);
    instance.basis.always |= common.always.unwrap_or(false);
    limits.put(instance);
    super::rollout::bound(configured, instance);
    Some((map, lowered))
}

/// The platforms of some targets, each once.
fn platforms(context: &Context<'_>, targets: &[usize]) -> Vec<Platform> {
    let mut platforms = Vec::new();
    for &target in targets {
        let platform = &context.members.targets[target].platform;
        if !platforms.contains(platform) {
            platforms.push(platform.clone());
        }
    }
    platforms
}

/// What an instance consumes; all that it consumes of targets, where it is of none itself.
type Inputs<'o> = (BTreeMap<&'static str, Resolved<'o>>, Vec<One<'o>>);

fn inputs<'o>(
    context: &Context<'o>,
    graph: &Graph,
    at: NodeIndex,
    outputs: &'o [Option<Outputs>],
) -> Inputs<'o> {
    let member = &context.members.list[graph[at]];
    let body = &context.configured[member.step].body;
    let (mut inputs, mut set) = (BTreeMap::new(), BTreeMap::new());
    for input in body.inputs() {
        for edge in graph.edges_directed(at, petgraph::Direction::Incoming) {
            let Edge::Artifact(artifact) = edge.weight() else { continue };
            let producer = graph[edge.source()];
            let made = &context.members.list[producer];
            let step = &context.configured[made.step].step.id.value;
            let named = input.named.is_none_or(|named| named.value == *step);
            if named
                && input.accepts.contains(artifact)
                && let Some(outputs) = &outputs[producer]
            {
                let resolved = Resolved { artifact: *artifact, step, outputs };
                inputs.insert(input.key, resolved);
                if let Some(target) = made.target.filter(|_| body.joins()) {
                    let Target { name, platform, .. } = &context.members.targets[target];
                    set.insert(target, One { target: name, platform, input: resolved });
                }
            }
        }
    }
    (inputs, set.into_values().collect())
}

/// The step's `env` reaches every command of it: here through the environment, on a node through `env`, as ssh passes none.
fn put_env(lowered: &mut Lowered, env: &BTreeMap<String, Text>) {
    if env.is_empty() {
        return;
    }
    let probe = match &mut lowered.probe {
        Some(Probe::Actions(actions)) => Some(actions),
        _ => None,
    };
    let actions = lowered.actions.iter_mut().chain(&mut lowered.cleanup).chain(probe.into_iter().flatten());
    let commands = actions.flat_map(|action| match action {
        Action::Command(command) => vec![command],
        Action::CopyFile(copy) => {
            let CopyFile { enter, whole, rest, land, discard, .. } = &mut **copy;
            vec![enter, whole, rest, land, discard]
        }
        Action::Checkout(checkout) => {
            checkout.env.extend(env.clone());
            Vec::new()
        }
        Action::PinBases(bases) => vec![&mut bases.inspect],
        Action::CheckIndex(check) => vec![&mut check.skopeo],
        Action::ImageId(id) => vec![&mut id.inspect],
        Action::EnsureBinfmt(ensure) => match &mut ensure.register {
            Register::Container(command) => vec![command],
            Register::Host | Register::Never => Vec::new(),
        },
        _ => Vec::new(),
    });
    for command in commands {
        match command.place {
            Place::Here | Place::Builder(_) => command.env.extend(env.clone()),
            Place::Node(_) => {
                let pairs = env.iter().map(|(name, value)| Text::from(format!("{name}=")).then(value));
                command.argv.splice(0..0, std::iter::once(Text::from("env")).chain(pairs));
            }
        }
    }
}

/// A pinned host key stands in a file of its own before the first connection is made.
fn pin_hosts(lowered: &mut Lowered, nodes: &BTreeMap<String, Node>) {
    let mut pins = Vec::new();
    for action in &lowered.actions {
        let Some(name) = action.node() else { continue };
        let Some(ssh) = nodes.get(name).and_then(|node| node.ssh.as_ref()) else { continue };
        if let (Some(file), Some(key)) = (&ssh.known_hosts, &ssh.host_key)
            && !pins.iter().any(|(path, _)| path == file)
        {
            pins.push((file.clone(), format!("* {key}\n")));
        }
    }
    for (path, contents) in pins.into_iter().rev() {
        lowered.actions.insert(0, Action::WriteFile(WriteFile { path, contents: contents.into() }));
    }
}

/// Outputs as the plan lists them, and as other steps use them.
fn finish_outputs(member: &Member, lowered: &mut Lowered) -> (Vec<Output>, Outputs) {
    let mut listed = Vec::new();
    let mut map = Outputs::new();
    let fixed =
        std::mem::take(&mut lowered.outputs).into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in fixed.chain(std::mem::take(&mut lowered.named_outputs)) {
        let text = match &value {
            Value::Known(text) => text.clone(),
            Value::Late(grammar) => Text::from_late(Late {
                instance: member.id.to_string(),
                output: name.clone(),
                grammar: *grammar,
            }),
        };
        map.insert(name.clone(), text);
        listed.push(Output { name, value });
    }
    (listed, map)
}

fn two_writers(context: &Context<'_>, claim: &Claim, first: usize, second: usize) -> Diagnostic {
    let (first, second) = (&context.members.list[first], &context.members.list[second]);
    let step = |member: &Member| context.configured[member.step].step;
    let diagnostic = Diagnostic::error(
        "plan::two-writers",
        format!("`{}` and `{}` would both write {claim}", first.id, second.id),
    )
    .at(
        &step(second).span,
        if first.step == second.step {
            "both are of this step".to_owned()
        } else {
            format!("`{}` writes it", second.id)
        },
    );
    if first.step == second.step {
        diagnostic.help("put `${target.name}` into the name, so that each target has its own")
    } else {
        diagnostic
            .at(&step(first).span, format!("`{}` writes it too", first.id))
            .help("give one of them another name")
    }
}
