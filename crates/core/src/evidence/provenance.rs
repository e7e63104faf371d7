//! What each archive of a run was made of, as the plan and the events say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde_json::json;

use super::statement::{
    BuildDefinition, Builder, Metadata, PREDICATE, Predicate, Resource, RunDetails, STATEMENT, Statement,
    Subject,
};
use crate::event::Status;
use crate::history::{Account, Course};
use crate::image::Digest;
use crate::lock::{Key, Pin};
use crate::plan::{Action, Edge, Engine, Instance, InstanceId, Plan, Value};

/// What the parameters of our statements mean: docs/design/0031.
const BUILD_TYPE: &str = "urn:pipeline:build:v1";

/// A program on somebody's machine, which is all that is claimed: Build L1.
const BUILDER: &str = "urn:pipeline:builder:local";

/// What a run's account says of where its archives came from.
#[derive(Debug, Clone, Copy)]
pub struct Provenance<'a> {
    plan: &'a Plan,
    account: &'a Account,
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

impl<'a> Provenance<'a> {
    /// Of a run that has ended.
    pub fn of(plan: &'a Plan, account: &'a Account) -> Self {
        Self { plan, account }
    }

    /// The archives that the run saved, or found saved by an earlier one.
    pub fn archives(&self) -> Vec<Archive> {
        let saved = |instance: &Instance| {
            let course = self.account.course(&instance.id)?;
            let path = instance.actions.iter().find_map(|action| match action {
                Action::SealArchive(seal) => seal.to.as_literal().map(str::to_owned),
                _ => None,
            })?;
            Some(Archive {
                path,
                sha256: Digest::parse(self.value(&instance.id, "sha256")?).ok()?,
                id: Digest::parse(&self.account.output(instance, "id")?).ok()?,
                is_new: match course.status() {
                    Some(Status::Done) => true,
                    Some(Status::UpToDate) => false,
                    _ => return None,
                },
                instance: instance.id.clone(),
            })
        };
        self.plan.order().into_iter().filter_map(|at| saved(&self.plan.graph[at])).collect()
    }

    /// Files that tell of the archive, by what they are called: audits of its images, and what commands made of it.
    pub fn byproducts(&self, archive: &Archive) -> Vec<(String, String)> {
        let plan = self.plan;
        let Some(at) = find(plan, archive) else { return Vec::new() };
        let mut found = Vec::new();
        for instance in behind(plan, at).iter().map(|at| &plan.graph[*at]) {
            found.extend(audit_of(instance).map(|path| (format!("{}.audit", instance.id), path.to_owned())));
        }
        for edge in plan.graph.edges_directed(at, Direction::Outgoing) {
            let instance = &plan.graph[edge.target()];
            let is_done = self.is_there(instance);
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
    pub fn untold(&self, archive: &Archive) -> BTreeSet<Engine> {
        let plan = self.plan;
        let behind = find(plan, archive).map(|at| behind(plan, at)).unwrap_or_default();
        let engines = behind.into_iter().filter_map(|at| plan.graph[at].basis.engine);
        engines.filter(|engine| !self.account.tools.contains_key(engine.tool())).collect()
    }

    /// The reports of all audits that were passed, by instance.
    pub fn audits(&self) -> Vec<(&'a InstanceId, &'a str)> {
        let instances = self.plan.graph.node_weights().filter(|instance| self.is_there(instance));
        instances.filter_map(|instance| Some((&instance.id, audit_of(instance)?))).collect()
    }

    /// The instances that asked a node's runtime for an image, and were content.
    pub fn answers(&self) -> Vec<&'a InstanceId> {
        let asks = |instance: &&Instance| {
            instance.actions.iter().any(|action| matches!(action, Action::CriVerify(_)))
                && self.account.course(&instance.id).and_then(Course::status) == Some(&Status::Done)
        };
        self.plan.graph.node_weights().filter(asks).map(|instance| &instance.id).collect()
    }

    /// The statement about an archive that this run saved. `plan_digest` is of the plan as it was kept, `versions` are by tool, and
    /// `byproducts` what came of the image besides.
    pub fn statement(
        &self,
        archive: &Archive,
        plan_digest: Option<&Digest>,
        versions: &BTreeMap<String, String>,
        byproducts: Vec<Resource>,
    ) -> Option<Statement> {
        let (plan, account) = (self.plan, self.account);
        let at = find(plan, archive)?;
        let instance = &plan.graph[at];
        let behind = behind(plan, at);
        let mut version = versions.clone();
        version.extend(account.tools.clone());
        for (platform, emulated) in &account.emulators {
            version
                .extend(emulated.version.clone().map(|known| (format!("qemu-{}", platform.qemu()), known)));
        }
        let (finished, _) = account.course(&instance.id)?.end.as_ref()?;
        let started = behind.iter().filter_map(|at| account.course(&plan.graph[*at].id)?.began()).min();
        let sha256 = |digest: &Digest| BTreeMap::from([("sha256".to_owned(), digest.hex())]);
        let reference = account.output(instance, "reference").unwrap_or_else(|| "image".into());
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
                    resolved_dependencies: self.dependencies(&behind),
                },
                run_details: RunDetails {
                    builder: Builder { id: BUILDER.to_owned(), version },
                    metadata: Metadata {
                        invocation_id: account.run.clone(),
                        started_on: self.at(started.unwrap_or(*finished))?,
                        finished_on: self.at(*finished)?,
                    },
                    byproducts,
                },
            },
        })
    }

    fn dependencies(&self, behind: &BTreeSet<NodeIndex>) -> Vec<Resource> {
        let mut found = BTreeSet::new();
        for instance in behind.iter().map(|at| &self.plan.graph[*at]) {
            let pins = self.account.course(&instance.id).map_or(&[][..], |course| &course.pins);
            found.extend(pins.iter().map(|(key, pin, _)| pinned(key, pin)));
            for action in &instance.actions {
                let Action::Checkout(checkout) = action else { continue };
                // A commit that the recipe names is asked of nobody, and pinned by nobody.
                let has_pin = pins.iter().any(|(key, ..)| matches!(key, Key::Git { .. }));
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

    fn value(&self, instance: &InstanceId, name: &str) -> Option<&'a str> {
        self.account.course(instance)?.values.get(name).map(String::as_str)
    }

    fn is_there(&self, instance: &Instance) -> bool {
        self.account.course(&instance.id).is_some_and(Course::is_there)
    }

    /// The time of day, by when it was since the beginning.
    fn at(&self, elapsed: Duration) -> Option<String> {
        Some((self.account.began? + elapsed).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
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
