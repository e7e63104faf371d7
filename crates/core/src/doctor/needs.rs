//! What the commands of a plan need, here and on each node. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use petgraph::visit::{Dfs, Reversed};

use crate::exec::find;
use crate::plan::{
    Action, Command, Engine, Instance, Node, NodeIndex, Part, Place, Plan, Register, Text, Value,
};
use crate::platform::Platform;

/// How certainly a tool is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Only in clean-up, for a step that may fail, when something else is missing, or what a step before it may bring.
    Perhaps,
    Certain,
}

/// A tool by its name, and where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) tool: String,
    /// The PATH that the command sets for itself; every step's own when absent.
    pub(super) path: Option<String>,
}

impl From<&str> for Named {
    fn from(tool: &str) -> Self {
        Self { tool: tool.to_owned(), path: None }
    }
}

impl Named {
    /// The tool's path, where it is there.
    pub(super) fn find(&self, here: &Path, env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
        find(OsStr::new(&self.tool), here, &self.env(env))
    }

    /// The environment in which it is found.
    pub(super) fn env<'e>(
        &self,
        env: &'e BTreeMap<OsString, OsString>,
    ) -> Cow<'e, BTreeMap<OsString, OsString>> {
        let mut env = Cow::Borrowed(env);
        if let Some(path) = &self.path {
            env.to_mut().insert("PATH".into(), path.into());
        }
        env
    }
}

/// Tools that are run on this machine.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// By name on a PATH.
    pub(super) named: BTreeMap<Named, Need>,
    /// By path, absolute.
    pub(super) paths: BTreeMap<PathBuf, Need>,
}

/// What one node is asked for.
#[derive(Debug, Default)]
pub(super) struct OnNode {
    pub(super) tools: BTreeMap<String, Need>,
    /// A step that may not fail uses it.
    pub(super) certain: bool,
    /// A step verifies images through CRI.
    pub(super) cri: bool,
    /// `scp` writes files there.
    pub(super) files: bool,
    /// The platforms of images that go there.
    pub(super) platforms: Vec<Platform>,
}

/// Every command of an instance, with how certainly it runs.
fn commands(instance: &Instance) -> impl Iterator<Item = (&Command, Need)> {
    let need = if instance.allow_failure { Need::Perhaps } else { Need::Certain };
    let actions = instance.actions.iter().flat_map(move |action| of_action(action, need));
    actions.chain(instance.cleanup.iter().flat_map(|action| of_action(action, Need::Perhaps)))
}

fn of_action(action: &Action, need: Need) -> Vec<(&Command, Need)> {
    match action {
        // It runs when an emulator is missing, and then it is the way to get one.
        Action::EnsureBinfmt(ensure) => match &ensure.register {
            Register::Container(command) => vec![(command, Need::Perhaps)],
            Register::Never | Register::Host => Vec::new(),
        },
        Action::PinBases(bases) => vec![(&bases.inspect, need)],
        Action::ImageId(id) => vec![(&id.inspect, need)],
        other => other.commands().into_iter().map(|command| (command, need)).collect(),
    }
}

fn raise<K: Ord>(needs: &mut BTreeMap<K, Need>, key: K, need: Need) {
    let entry = needs.entry(key).or_insert(need);
    *entry = need.max(*entry);
}

/// The builders that the plan uses, and the engines on them.
pub(super) fn builders(plan: &Plan) -> BTreeSet<(&str, Engine)> {
    let actions = plan.graph.node_weights().flat_map(|instance| &instance.actions);
    actions
        .filter_map(|action| match action {
            Action::MoveImage(image) => Some((image.builder.as_str(), image.engine)),
            _ => None,
        })
        .collect()
}

/// What this machine must have. Tools that an earlier step makes are left out.
pub(super) fn local(plan: &Plan, here: &Path) -> Local {
    let mut local = Local::default();
    let (after_run, made) = (after_run(plan), Made::of(plan, here));
    for index in plan.graph.node_indices() {
        let instance = &plan.graph[index];
        for tool in instance.actions.iter().flat_map(Action::tools) {
            raise(&mut local.named, Named::from(tool), Need::Certain);
        }
        // What the other kinds call, nobody makes in a recipe.
        let brought = instance.kind == "run" && after_run[index.index()];
        let most = if brought { Need::Perhaps } else { Need::Certain };
        for (command, need) in commands(instance) {
            let need = need.min(most);
            match &command.place {
                Place::Node(name) if plan.nodes.get(name).is_some_and(|node| node.ssh.is_some()) => {
                    if let Some(ssh) = named(command, "ssh", here) {
                        raise(&mut local.named, ssh, need);
                    }
                }
                // A node that is this machine is asked itself, as any node.
                Place::Node(_) => {}
                Place::Here | Place::Builder(_) => {
                    let Some(tool) = command.argv.first().and_then(|tool| known(tool, here)) else {
                        continue;
                    };
                    if tool.contains('/') {
                        let dir = command.dir.as_ref().map_or(Some(String::new()), |dir| known(dir, here));
                        let Some(dir) = dir else { continue };
                        let path = normal(&here.join(dir).join(tool));
                        if !made.before(plan, index, &path) {
                            raise(&mut local.paths, path, need);
                        }
                    } else if let Some(tool) = named(command, &tool, here) {
                        raise(&mut local.named, tool, need);
                    }
                }
            }
        }
        let asked = instance.actions.iter().filter_map(verified);
        if asked.filter_map(|name| plan.nodes.get(name)).any(|node| node.ssh.is_some()) {
            let need = if instance.allow_failure { Need::Perhaps } else { most };
            raise(&mut local.named, "ssh".into(), need);
        }
        if instance.builders().next().is_some() {
            raise(&mut local.named, "ssh".into(), Need::Certain.min(most));
        }
    }
    local
}

/// The tool on the PATH that its command sees, unless only a run knows that PATH.
fn named(command: &Command, tool: &str, here: &Path) -> Option<Named> {
    let path = match command.env.get("PATH") {
        Some(path) => Some(known(path, here)?),
        None => None,
    };
    Some(Named { tool: tool.to_owned(), path })
}

/// By instance: a `run` step on this machine comes before, if only by `needs`. What it leaves behind nobody can tell, it
/// may well install or make a tool.
fn after_run(plan: &Plan) -> Vec<bool> {
    let here = |action: &Action| matches!(action, Action::Command(command) if command.place == Place::Here);
    let mut after = vec![false; plan.graph.node_count()];
    for index in plan.order() {
        let instance = &plan.graph[index];
        if after[index.index()] || instance.kind == "run" && instance.actions.iter().any(here) {
            plan.graph.neighbors(index).for_each(|next| after[next.index()] = true);
        }
    }
    after
}

/// What each node of the plan must have.
pub(super) fn nodes(plan: &Plan) -> Vec<(&Node, OnNode)> {
    let mut needs: BTreeMap<&str, OnNode> = BTreeMap::new();
    for instance in plan.graph.node_weights() {
        for (command, need) in commands(instance) {
            let Place::Node(name) = &command.place else { continue };
            let on_node = needs.entry(name).or_default();
            on_node.certain |= need == Need::Certain;
            if let Some(tool) = command.argv.first().and_then(Text::as_literal) {
                raise(&mut on_node.tools, tool.to_owned(), need);
            }
        }
        for name in instance.actions.iter().filter_map(verified) {
            let on_node = needs.entry(name).or_default();
            on_node.cri = true;
            on_node.certain |= !instance.allow_failure;
        }
        if let Some(name) = &instance.node {
            let on_node = needs.entry(name).or_default();
            on_node.files |= instance.kind == "scp";
            let platform =
                instance.platform.as_ref().filter(|platform| !on_node.platforms.contains(platform));
            on_node.platforms.extend(platform.cloned());
        }
    }
    needs.into_iter().filter_map(|(name, on_node)| Some((plan.nodes.get(name)?, on_node))).collect()
}

/// The engines whose stores the plan uses.
pub(super) fn engines(plan: &Plan) -> BTreeSet<Engine> {
    let actions = plan.graph.node_weights().flat_map(|instance| &instance.actions);
    actions
        .filter_map(|action| match action {
            Action::PinBases(bases) => Some(bases.engine),
            Action::ImageId(id) => Some(id.engine),
            _ => None,
        })
        .collect()
}

fn verified(action: &Action) -> Option<&str> {
    match action {
        Action::CriVerify(verify) => Some(&verify.node),
        _ => None,
    }
}

/// The text, unless only a run knows it.
fn known(text: &Text, here: &Path) -> Option<String> {
    text.parts()
        .iter()
        .map(|part| match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Here => here.to_str().map(str::to_owned),
            Part::Late(_) => None,
        })
        .collect()
}

/// The paths that steps leave behind, and which steps. Looked up for every command that is called by a path, so that
/// nobody walks the graph where no step makes it.
struct Made {
    by: HashMap<PathBuf, Vec<NodeIndex>>,
    /// What is in our own folder is made by a run too.
    own: PathBuf,
}

impl Made {
    fn of(plan: &Plan, here: &Path) -> Self {
        let mut by: HashMap<PathBuf, Vec<NodeIndex>> = HashMap::new();
        for index in plan.graph.node_indices() {
            for output in &plan.graph[index].outputs {
                if let Value::Known(text) = &output.value
                    && let Some(made) = known(text, here).filter(|made| !made.is_empty())
                {
                    by.entry(normal(&here.join(made))).or_default().push(index);
                }
            }
        }
        Self { by, own: here.join(".pipeline") }
    }

    /// A step that comes before `user` leaves the path behind, or a folder above it.
    fn before(&self, plan: &Plan, user: NodeIndex, path: &Path) -> bool {
        if path.starts_with(&self.own) {
            return true;
        }
        let makers: HashSet<_> = path.ancestors().filter_map(|path| self.by.get(path)).flatten().collect();
        if makers.is_empty() {
            return false;
        }
        let reversed = Reversed(&plan.graph);
        let mut before = Dfs::new(reversed, user);
        std::iter::from_fn(|| before.next(reversed)).any(|index| index != user && makers.contains(&index))
    }
}

/// Without `.` and, as far as names tell, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
