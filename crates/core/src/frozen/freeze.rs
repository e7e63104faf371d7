//! From a plan to its frozen form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use petgraph::Direction::Incoming;

use super::{CiJobs, Frozen, RecipeFile, Select, Step, Target, VERSION};
use crate::doctor;
use crate::image::Digest;
use crate::lock;
use crate::plan::{Action, Engine, InstanceId, NodeIndex, Plan, Register, SecretFrom};
use crate::planner::{Stage, chain, stages};
use crate::platform::Platform;
use crate::spec::CiSpec;

/// Where a plan comes from: what the plan itself does not tell.
#[derive(Debug, Clone)]
pub struct Origin<'o> {
    /// The version of this program.
    pub program: &'o str,
    /// The recipe's folder, absolute.
    pub folder: &'o Path,
    /// The recipe's files, itself first.
    pub files: Vec<RecipeFile>,
    /// See [`Frozen::platform`].
    pub platform: Platform,
    /// See [`Frozen::commit`].
    pub commit: Option<String>,
    /// See [`Frozen::set`].
    pub set: BTreeMap<String, String>,
    /// See [`Frozen::env`].
    pub env: BTreeMap<String, String>,
    /// See [`Frozen::select`].
    pub select: Select,
    /// Where CI runs what.
    pub ci: &'o CiSpec,
    /// Environment variables of all steps that nobody may see.
    pub secret: &'o [String],
    /// Which engine is used was found out on this machine, as the recipe leaves it open.
    pub auto: bool,
}

impl Frozen {
    /// Freezes a plan.
    pub fn of(plan: &Plan, origin: Origin<'_>) -> Self {
        let stages = stages(plan);
        let mut frozen = Self {
            version: VERSION,
            program: origin.program.to_owned(),
            recipe: plan.recipe.clone(),
            targets: targets(plan, &origin),
            ci: CiJobs::of(origin.ci, origin.secret),
            instances: plan.order().into_iter().map(|node| step(plan, &stages, node)).collect(),
            platform: origin.platform,
            commit: origin.commit,
            files: origin.files,
            lock: (!plan.lock.is_empty()).then(|| Digest::of(lock::write(&plan.lock).as_bytes())),
            set: origin.set,
            env: origin.env,
            select: origin.select,
            digest: None,
        };
        frozen.digest = Some(frozen.own_digest());
        frozen
    }

    /// The digest of everything but itself.
    pub(super) fn own_digest(&self) -> Digest {
        let bare = Self { digest: None, ..self.clone() };
        Digest::of(&serde_json::to_vec(&bare).unwrap_or_default())
    }

    /// As a file.
    pub fn to_json(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }
}

fn step(plan: &Plan, stages: &BTreeMap<InstanceId, Stage>, node: NodeIndex) -> Step {
    let instance = &plan.graph[node];
    let after: BTreeSet<_> =
        plan.graph.neighbors_directed(node, Incoming).map(|before| plan.graph[before].id.clone()).collect();
    Step {
        id: instance.id.clone(),
        kind: instance.kind.to_string(),
        target: instance.target.as_deref().map(str::to_owned),
        node: instance.node.as_deref().map(str::to_owned),
        stage: stages[&instance.id],
        after: after.into_iter().collect(),
    }
}

fn targets(plan: &Plan, origin: &Origin<'_>) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for instance in plan.graph.node_weights() {
        let (Some(name), Some(platform)) = (&instance.target, &instance.platform) else { continue };
        if targets.iter().all(|target| *target.name != **name) {
            let chain = chain(plan, name);
            targets.push(target(&chain, origin, name, platform));
        }
    }
    targets
}

fn target(chain: &Plan, origin: &Origin<'_>, name: &str, platform: &Platform) -> Target {
    let is_engine = |tool: &String| Engine::ALL.into_iter().any(|engine| engine.tool() == tool);
    let (engines, tools): (Vec<String>, Vec<String>) =
        doctor::tools(chain, origin.folder).into_iter().partition(|tool| origin.auto && is_engine(tool));
    let runner = origin.ci.runner(platform);
    let own = || chain.graph.node_weights().filter(|instance| instance.target.as_deref() == Some(name));
    let nodes: BTreeSet<&str> = own().filter_map(|instance| instance.node.as_deref()).collect();
    let secrets = chain.secrets().into_iter().filter_map(|from| match from {
        SecretFrom::Env(name) => Some(name.clone()),
        SecretFrom::File(_) => None,
    });
    let mut actions = chain.graph.node_weights().flat_map(|instance| &instance.actions);
    Target {
        name: name.to_owned(),
        platform: platform.clone(),
        runner: runner.labels,
        native: runner.native,
        any_engine: !engines.is_empty(),
        tools,
        nodes: nodes.into_iter().map(str::to_owned).collect(),
        secrets: secrets.collect(),
        privileged: actions.any(
            |action| matches!(action, Action::EnsureBinfmt(ensure) if ensure.register != Register::Never),
        ),
    }
}
