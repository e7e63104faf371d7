//! What came of a run: target by target, the images and where they arrived, and what a reader has to know.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use petgraph::visit::EdgeRef;

use super::{Account, Link, critical_path};
use crate::event::{Failure, Status, Traffic};
use crate::plan::{Action, Artifact, Edge, Instance, InstanceId, Late, NodeIndex, Plan, Value};
use crate::platform::Platform;

/// What came of a run that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// As the plan has them; what runs once is of none of them.
    pub targets: Vec<Target>,
    /// The chain that the run was as long as; empty where nothing ran.
    pub critical: Vec<Link>,
    /// What was done by a later attempt, and by which.
    pub flaky: Vec<(InstanceId, u32)>,
    /// What failed, in the order of the plan.
    pub failed: Vec<(InstanceId, Failure)>,
    /// What did not start, by the failed instance that it needed.
    pub skipped: BTreeMap<InstanceId, Vec<InstanceId>>,
    /// Of all deliveries, where there was one.
    pub traffic: Option<Traffic>,
}

/// What came of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its platform.
    pub platform: Platform,
    /// From the first of its instances that ran to the last; none where none did.
    pub took: Option<Duration>,
    /// So many of its instances are there, made now or before.
    pub there: usize,
    /// It has so many.
    pub total: usize,
    /// What was built, or is there since an earlier run.
    pub images: Vec<Image>,
}

/// An image that a step of the run builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// By which instance.
    pub instance: InstanceId,
    /// Its full name.
    pub reference: String,
    /// The digest of its configuration.
    pub id: String,
    /// It was built in this run.
    pub is_new: bool,
    /// How long that took.
    pub took: Duration,
    /// Archives of it, relative to the recipe's folder.
    pub archives: Vec<String>,
    /// Where it arrived.
    pub nodes: Vec<Arrival>,
}

/// An image on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The node.
    pub node: String,
    /// What crossed the wire, where `deliver` took it there in this run.
    pub traffic: Option<Traffic>,
    /// A step asked the node's runtime, and it has this image.
    pub is_verified: bool,
}

impl Account {
    /// An output of an instance, as far as it is known: `reference`, `id`, `path`.
    pub fn output(&self, instance: &Instance, name: &str) -> Option<String> {
        let output = instance.outputs.iter().find(|output| output.name == name)?;
        let value = |instance: &str, name: &str| {
            let course = self.courses.get(&InstanceId::new(instance, None, None))?;
            course.values.get(name).map(String::as_str)
        };
        match &output.value {
            Value::Known(text) => {
                let late = |late: &Late| value(&late.instance, &late.output);
                text.resolve(Path::new("."), &late).ok().map(|text| text.to_string_lossy().into_owned())
            }
            Value::Late(_) => value(instance.id.as_str(), name).map(str::to_owned),
        }
    }
}

impl Outcome {
    /// Of a plan, by the account of a run of it.
    pub fn of(plan: &Plan, account: &Account) -> Self {
        let mut outcome = Self { critical: critical_path(plan, account), ..Self::default() };
        let order = plan.order();
        for at in &order {
            let id = &plan.graph[*at].id;
            let Some(course) = account.course(id) else { continue };
            if course.is_flaky() {
                outcome.flaky.push((id.clone(), course.tried));
            }
            match course.status() {
                Some(Status::Failed(failure) | Status::Allowed(failure)) => {
                    outcome.failed.push((id.clone(), failure.clone()));
                }
                Some(Status::Skipped { because: Some(other) }) => {
                    outcome.skipped.entry(other.clone()).or_default().push(id.clone());
                }
                _ => {}
            }
            if let Some(traffic) = course.traffic {
                let all = outcome.traffic.get_or_insert_default();
                all.sent += traffic.sent;
                all.sent_layers += traffic.sent_layers;
                all.avoided += traffic.avoided;
                all.avoided_layers += traffic.avoided_layers;
                all.sending += traffic.sending;
            }
        }
        outcome.targets = targets(plan, account, &order);
        outcome
    }
}

fn targets(plan: &Plan, account: &Account, order: &[NodeIndex]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut spans: BTreeMap<String, (Duration, Duration)> = BTreeMap::new();
    for at in order {
        let instance = &plan.graph[*at];
        let (Some(name), Some(platform)) = (&instance.target, &instance.platform) else { continue };
        let index = targets.iter().position(|target| target.name == **name).unwrap_or_else(|| {
            let (name, platform) = (name.to_string(), platform.clone());
            targets.push(Target { name, platform, took: None, there: 0, total: 0, images: Vec::new() });
            targets.len() - 1
        });
        let target = &mut targets[index];
        target.total += 1;
        let Some(course) = account.course(&instance.id) else { continue };
        target.there += usize::from(course.is_there());
        if let (Some(began), Some((ended, _))) = (course.began(), &course.end) {
            let span = spans.entry(target.name.clone()).or_insert((began, *ended));
            *span = (span.0.min(began), span.1.max(*ended));
        }
        if course.is_there()
            && makes_image(instance)
            && let (Some(reference), Some(id)) =
                (account.output(instance, "reference"), account.output(instance, "id"))
        {
            let mut image = Image {
                instance: instance.id.clone(),
                reference,
                id,
                is_new: instance.kind == "build" && course.status() == Some(&Status::Done),
                took: course.took,
                archives: Vec::new(),
                nodes: Vec::new(),
            };
            follow(plan, account, *at, &mut image);
            target.images.push(image);
        }
    }
    for target in &mut targets {
        target.took = spans.get(&target.name).map(|(began, ended)| ended.saturating_sub(*began));
    }
    targets
}

fn makes_image(instance: &Instance) -> bool {
    instance.actions.iter().any(|action| matches!(action, Action::ImageId(_)))
}

/// Where an image went: along the artifacts that are made of it.
fn follow(plan: &Plan, account: &Account, from: NodeIndex, image: &mut Image) {
    let (mut todo, mut seen) = (vec![from], vec![from]);
    while let Some(at) = todo.pop() {
        for edge in plan.graph.edges(at) {
            let carries = matches!(
                edge.weight(),
                Edge::Artifact(
                    Artifact::Image | Artifact::Archive | Artifact::NodeFile | Artifact::NodeImage
                )
            );
            let next = edge.target();
            // An image that is built on this one is another.
            if !carries || seen.contains(&next) || makes_image(&plan.graph[next]) {
                continue;
            }
            seen.push(next);
            todo.push(next);
            arrived(account, &plan.graph[next], image);
        }
    }
}

fn arrived(account: &Account, instance: &Instance, image: &mut Image) {
    let Some(course) = account.course(&instance.id).filter(|course| course.is_there()) else { return };
    let seals = |action: &Action| matches!(action, Action::SealArchive(_));
    if instance.actions.iter().any(seals)
        && let Some(path) = account.output(instance, "path")
    {
        image.archives.push(path);
    }
    let Some(node) = &instance.node else { return };
    let is_verified = instance.actions.iter().any(|action| matches!(action, Action::CriVerify(_)));
    // A file on a node has a path as well; an image in a store has not.
    let is_image =
        account.output(instance, "path").is_none() && account.output(instance, "reference").is_some();
    if !(is_image || is_verified) {
        return;
    }
    match image.nodes.iter_mut().find(|arrival| arrival.node == *node) {
        Some(arrival) => {
            arrival.is_verified |= is_verified;
            arrival.traffic = arrival.traffic.or(course.traffic);
        }
        None => image.nodes.push(Arrival { node: node.clone(), traffic: course.traffic, is_verified }),
    }
}
