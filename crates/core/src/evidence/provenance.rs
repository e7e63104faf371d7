//! What each archive of a run was made of, as the plan and the events say.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde_json::json;

use super::statement::{
    BuildDefinition, Builder, Metadata, PREDICATE, Predicate, Resource, RunDetails, STATEMENT, Statement,
    Subject,
};
use crate::event::{Event, EventKind, Status};
use crate::image::Digest;
use crate::lock::{Key, Pin};
use crate::plan::{Action, Edge, Engine, Instance, InstanceId, Plan, Value};

/// What the parameters of our statements mean: docs/design/0031.
const BUILD_TYPE: &str = "urn:pipeline:build:v1";

/// A program on somebody's machine, which is all that is claimed: Build L1.
const BUILDER: &str = "urn:pipeline:builder:local";

/// Takes the events of a run, one after the other.
#[derive(Debug, Default)]
pub struct Provenance {
    run: String,
    values: BTreeMap<InstanceId, BTreeMap<String, String>>,
    pins: BTreeMap<InstanceId, BTreeMap<Key, Pin>>,
    /// Versions of engines and emulators.
    versions: BTreeMap<String, String>,
    began: BTreeMap<InstanceId, String>,
    ended: BTreeMap<InstanceId, (Status, String)>,
}

/// An archive that a run saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// By which instance.
    pub instance: InstanceId,
    /// Where it lies, relative to the recipe's folder.
    pub path: String,
    /// The digest of the file; of a layout, that of its `index.json`.
    pub sha256: Digest,
    /// The image id.
    pub id: Digest,
    /// It was made in this run, and not before.
    pub is_new: bool,
}

impl Provenance {
    /// Takes the next event.
    pub fn on(&mut self, event: &Event) {
        let at = || event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        match &event.kind {
            EventKind::RunStarted { run, .. } => self.run.clone_from(run),
            EventKind::Started { instance, attempt: 1 } => {
                self.began.insert(instance.clone(), at());
            }
            EventKind::Output { instance, name, value } => {
                self.values.entry(instance.clone()).or_default().insert(name.clone(), value.clone());
            }
            EventKind::Pinned { instance, key, pin, .. } => {
                self.pins.entry(instance.clone()).or_default().insert(key.clone(), pin.clone());
            }
            EventKind::Emulator { platform, version: Some(version), .. } => {
                self.versions.insert(format!("qemu-{}", platform.qemu()), version.clone());
            }
            EventKind::Tool { name, version } => {
                self.versions.insert(name.clone(), version.clone());
            }
            EventKind::Finished { instance, status, .. } => {
                self.ended.insert(instance.clone(), (status.clone(), at()));
            }
            _ => {}
        }
    }

    /// The archives that the run saved, or found saved by an earlier one.
    pub fn archives(&self, plan: &Plan) -> Vec<Archive> {
        let saved = |instance: &Instance| {
            let (status, _) = self.ended.get(&instance.id)?;
            let path = instance.actions.iter().find_map(|action| match action {
                Action::SealArchive(seal) => seal.to.as_literal().map(str::to_owned),
                _ => None,
            })?;
            Some(Archive {
                path,
                sha256: Digest::parse(self.value(&instance.id, "sha256")?).ok()?,
                id: Digest::parse(&self.known(plan, instance, "id")?).ok()?,
                is_new: match status {
                    Status::Done => true,
                    Status::UpToDate => false,
                    _ => return None,
                },
                instance: instance.id.clone(),
            })
        };
        plan.order().into_iter().filter_map(|at| saved(&plan.graph[at])).collect()
    }

    /// Files that tell of the archive, by what they are called: audits of its images, and what commands made of it.
    pub fn byproducts(&self, plan: &Plan, archive: &Archive) -> Vec<(String, String)> {
        let Some(at) = find(plan, archive) else { return Vec::new() };
        let mut found = Vec::new();
        for instance in behind(plan, at).iter().map(|at| &plan.graph[*at]) {
            found.extend(audit_of(instance).map(|path| (format!("{}.audit", instance.id), path.to_owned())));
        }
        for edge in plan.graph.edges_directed(at, Direction::Outgoing) {
            let instance = &plan.graph[edge.target()];
            let is_done = matches!(self.ended.get(&instance.id), Some((Status::Done | Status::UpToDate, _)));
            for output in instance.outputs.iter().filter(|_| is_done && instance.is_own_command()) {
                if let Value::Known(path) = &output.value
                    && let Some(path) = path.as_literal()
                {
                    found.push((format!("{}.{}", instance.id, output.name), path.to_owned()));
                }
            }
        }
        found
    }

    /// The build engines that the archive came by and whose version nobody told in this run.
    pub fn untold(&self, plan: &Plan, archive: &Archive) -> BTreeSet<Engine> {
        let behind = find(plan, archive).map(|at| behind(plan, at)).unwrap_or_default();
        let engines = behind.into_iter().filter_map(|at| plan.graph[at].basis.engine);
        engines.filter(|engine| !self.versions.contains_key(engine.tool())).collect()
    }

    /// The reports of all audits that were passed, by instance.
    pub fn audits<'p>(&self, plan: &'p Plan) -> Vec<(&'p InstanceId, &'p str)> {
        let passed = |instance: &&Instance| {
            matches!(self.ended.get(&instance.id), Some((Status::Done | Status::UpToDate, _)))
        };
        let instances = plan.graph.node_weights().filter(passed);
        instances.filter_map(|instance| Some((&instance.id, audit_of(instance)?))).collect()
    }

    /// The instances that asked a node's runtime for an image, and were content.
    pub fn answers<'p>(&self, plan: &'p Plan) -> Vec<&'p InstanceId> {
        let asks = |instance: &&Instance| {
            instance.actions.iter().any(|action| matches!(action, Action::CriVerify(_)))
                && matches!(self.ended.get(&instance.id), Some((Status::Done, _)))
        };
        plan.graph.node_weights().filter(asks).map(|instance| &instance.id).collect()
    }

    /// The statement about an archive that this run saved. `plan_digest` is of the plan as it was kept, `versions` are by tool, and
    /// `byproducts` what came of the image besides.
    pub fn statement(
        &self,
        plan: &Plan,
        archive: &Archive,
        plan_digest: Option<&Digest>,
        versions: &BTreeMap<String, String>,
        byproducts: Vec<Resource>,
    ) -> Option<Statement> {
        let at = find(plan, archive)?;
        let instance = &plan.graph[at];
        let behind = behind(plan, at);
        let mut version = versions.clone();
        version.extend(self.versions.clone());
        let (_, finished) = self.ended.get(&instance.id)?;
        let started = behind.iter().filter_map(|at| self.began.get(&plan.graph[*at].id)).min();
        let sha256 = |digest: &Digest| BTreeMap::from([("sha256".to_owned(), digest.hex())]);
        let reference = self.known(plan, instance, "reference").unwrap_or_else(|| "image".into());
        Some(Statement {
            kind: STATEMENT.to_owned(),
            subject: vec![
                Subject { name: archive.path.clone(), digest: sha256(&archive.sha256) },
                Subject { name: reference, digest: sha256(&archive.id) },
            ],
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE.to_owned(),
                    external_parameters: json!({
                        "recipe": plan.recipe,
                        "step": &*instance.step,
                        "target": instance.target.as_deref(),
                        "platform": instance.platform.as_ref().map(ToString::to_string),
                    }),
                    internal_parameters: match plan_digest {
                        Some(digest) => json!({ "plan": { "sha256": digest.hex() } }),
                        None => json!({}),
                    },
                    resolved_dependencies: self.dependencies(plan, &behind),
                },
                run_details: RunDetails {
                    builder: Builder { id: BUILDER.to_owned(), version },
                    metadata: Metadata {
                        invocation_id: self.run.clone(),
                        started_on: started.unwrap_or(finished).clone(),
                        finished_on: finished.clone(),
                    },
                    byproducts,
                },
            },
        })
    }

    fn dependencies(&self, plan: &Plan, behind: &BTreeSet<NodeIndex>) -> Vec<Resource> {
        let mut found = BTreeSet::new();
        for instance in behind.iter().map(|at| &plan.graph[*at]) {
            let pins = self.pins.get(&instance.id);
            found.extend(pins.into_iter().flatten().map(|(key, pin)| pinned(key, pin)));
            for action in &instance.actions {
                let Action::Checkout(checkout) = action else { continue };
                // A commit that the recipe names is asked of nobody, and pinned by nobody.
                let has_pin = pins.is_some_and(|pins| pins.keys().any(|key| matches!(key, Key::Git { .. })));
                if let Some(commit) = self.value(&instance.id, &checkout.output).filter(|_| !has_pin) {
                    found.insert(Resource {
                        uri: Some(format!("git+{}", checkout.url)),
                        digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_owned())]),
                        ..Resource::default()
                    });
                }
            }
        }
        found.into_iter().collect()
    }

    fn value(&self, instance: &InstanceId, name: &str) -> Option<&str> {
        self.values.get(instance)?.get(name).map(String::as_str)
    }

    /// An output that is known from the plan, or by the one late value that it is.
    fn known(&self, plan: &Plan, instance: &Instance, name: &str) -> Option<String> {
        let output = instance.outputs.iter().find(|output| output.name == name)?;
        let Value::Known(text) = &output.value else {
            return self.value(&instance.id, name).map(str::to_owned);
        };
        if let Some(literal) = text.as_literal() {
            return Some(literal.to_owned());
        }
        let late = text.lates().next()?;
        let of = plan.graph.node_weights().find(|other| other.id.as_str() == late.instance)?;
        self.value(&of.id, &late.output).map(str::to_owned)
    }
}

fn find(plan: &Plan, archive: &Archive) -> Option<NodeIndex> {
    plan.graph.node_indices().find(|at| plan.graph[*at].id == archive.instance)
}

/// Where an instance leaves the report of its audit.
fn audit_of(instance: &Instance) -> Option<&str> {
    instance.actions.iter().find_map(|action| match action {
        Action::Audit(audit) => audit.report.as_literal(),
        _ => None,
    })
}

fn pinned(key: &Key, pin: &Pin) -> Resource {
    let mut resource = Resource::default();
    let mut digest = |name: &str, value: String| resource.digest.insert(name.to_owned(), value);
    match pin {
        Pin::Git(git) => {
            digest("gitCommit", git.commit.clone());
            digest("gitTree", git.tree.clone());
        }
        Pin::Image(image) => {
            digest("sha256", image.digest.unwrap_or(image.id).hex());
        }
    }
    resource.uri = Some(match key {
        Key::Git { url, reference } => format!("git+{url}@{reference}"),
        Key::Image { image, platform } => {
            resource.annotations.insert("platform".to_owned(), platform.to_string());
            format!("docker://{image}")
        }
    });
    if let Pin::Image(image) = pin {
        resource.annotations.insert("imageId".to_owned(), image.id.to_string());
    }
    resource
}

/// The instance, and all that it waited for; of what only had to come first, nothing was taken.
fn behind(plan: &Plan, of: NodeIndex) -> BTreeSet<NodeIndex> {
    let (mut found, mut open) = (BTreeSet::new(), vec![of]);
    while let Some(at) = open.pop() {
        if found.insert(at) {
            let before = plan.graph.edges_directed(at, Direction::Incoming);
            open.extend(before.filter(|edge| *edge.weight() != Edge::Gate).map(|edge| edge.source()));
        }
    }
    found
}
