//! Several runs as one: the parts of a plan that machines shared, and attempts at them.

use std::collections::BTreeMap;
use std::time::Duration;

use petgraph::visit::EdgeRef;

use super::{Account, Course};
use crate::event::Status;
use crate::plan::{InstanceId, NodeIndex, Plan};

/// The run of one part.
#[derive(Debug, Clone)]
pub struct Part {
    /// What happened.
    pub account: Account,
    /// What was to be done; none where that is lost.
    pub plan: Option<Plan>,
}

/// See [`merge`].
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Everything that was to be done.
    pub plan: Plan,
    /// What happened, by the clock of the run that began first.
    pub account: Account,
    /// Whose word counts for an instance: the number of the part.
    pub from: BTreeMap<InstanceId, usize>,
}

/// What one run says of an instance. The greatest counts: whoever did something, and of several attempts the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// It was made there, and did not come from elsewhere.
    own: bool,
    did: Did,
    began: Option<jiff::Timestamp>,
    part: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Did {
    Nothing,
    Looked,
    Something,
}

/// Makes one of several runs. Times of other machines are taken as their clocks had them.
pub fn merge(parts: &[Part]) -> Merged {
    let mut words: BTreeMap<&InstanceId, (Word, Option<NodeIndex>)> = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        let places: BTreeMap<&InstanceId, NodeIndex> = match &part.plan {
            Some(plan) => plan.graph.node_indices().map(|node| (&plan.graph[node].id, node)).collect(),
            None => BTreeMap::new(),
        };
        for id in places.keys().copied().chain(part.account.courses.keys()) {
            let place = places.get(id).copied();
            let received =
                part.plan.as_ref().zip(place).is_some_and(|(plan, at)| plan.graph[at].is_received());
            let did = did(part.account.course(id));
            let word = Word { own: !received, did, began: part.account.began, part: number };
            let best = words.entry(id).or_insert((word, place));
            if word > best.0 {
                *best = (word, place);
            }
        }
    }
    let mut merged = Merged { account: summed(parts), ..Merged::default() };
    let begun = merged.account.began;
    for (id, (word, _)) in &words {
        let part = &parts[word.part];
        merged.from.insert((*id).clone(), word.part);
        if let Some(course) = part.account.course(id) {
            let course = later(course.clone(), since(begun, part.account.began));
            merged.account.courses.insert((*id).clone(), course);
        }
    }
    merged.plan = plan(parts, &words);
    merged.account.total = words.len();
    let all_ended = parts.iter().all(|part| part.account.counts.is_some());
    merged.account.counts = all_ended.then(|| merged.account.so_far());
    merged
}

fn did(course: Option<&Course>) -> Did {
    match course.and_then(Course::status) {
        Some(Status::UpToDate) => Did::Looked,
        Some(Status::Skipped { .. }) => Did::Nothing,
        None if course.is_none_or(|course| course.attempts.is_empty()) => Did::Nothing,
        _ => Did::Something,
    }
}

/// All that is no instance's.
fn summed(parts: &[Part]) -> Account {
    let mut all =
        Account { began: parts.iter().filter_map(|part| part.account.began).min(), ..Account::default() };
    let mut runs = Vec::new();
    for Part { account, .. } in parts {
        all.recipe.clone_from(&account.recipe);
        all.jobs = all.jobs.max(account.jobs);
        all.elapsed = all.elapsed.max(since(all.began, account.began) + account.elapsed);
        all.interrupted = all.interrupted.or(account.interrupted);
        all.emulators.extend(account.emulators.clone());
        all.builders.extend(account.builders.clone());
        all.tools.extend(account.tools.clone());
        all.warnings.extend(account.warnings.iter().cloned());
        runs.push(account.run.as_str());
    }
    all.run = runs.join(", ");
    all
}

fn since(first: Option<jiff::Timestamp>, began: Option<jiff::Timestamp>) -> Duration {
    let since = first.zip(began).map(|(first, began)| began.duration_since(first));
    since.and_then(|since| since.try_into().ok()).unwrap_or_default()
}

fn later(mut course: Course, by: Duration) -> Course {
    course.attempts.iter_mut().for_each(|at| *at += by);
    course.commands.iter_mut().for_each(|(at, _)| *at += by);
    if let Some((at, _)) = &mut course.end {
        *at += by;
    }
    course
}

/// Each instance as whoever did it had it, and every edge that somebody knew.
fn plan(parts: &[Part], words: &BTreeMap<&InstanceId, (Word, Option<NodeIndex>)>) -> Plan {
    let mut all = Plan::default();
    let mut places: BTreeMap<&InstanceId, NodeIndex> = BTreeMap::new();
    // In the order of the parts, each in its own: as the recipe has it.
    for (number, part) in parts.iter().enumerate() {
        let Some(plan) = &part.plan else { continue };
        all.recipe.clone_from(&plan.recipe);
        all.nodes.extend(plan.nodes.clone());
        all.places.extend(plan.places.clone());
        for node in plan.graph.node_indices() {
            let instance = &plan.graph[node];
            if words.get(&instance.id).is_some_and(|(word, _)| word.part == number) {
                places.insert(&instance.id, all.graph.add_node(instance.clone()));
            }
        }
    }
    for plan in parts.iter().filter_map(|part| part.plan.as_ref()) {
        for edge in plan.graph.edge_references() {
            let ends = (places.get(&plan.graph[edge.source()].id), places.get(&plan.graph[edge.target()].id));
            let (Some(from), Some(to)) = ends else { continue };
            if all.graph.edges_connecting(*from, *to).all(|known| known.weight() != edge.weight()) {
                all.graph.add_edge(*from, *to, edge.weight().clone());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind, Failure, FailureKind};
    use crate::plan::{Edge, Instance};

    fn id(step: &str) -> InstanceId {
        InstanceId::new(step, None, None)
    }

    /// A run that began so many seconds after the first, with what it did; `-` in front of what it received.
    fn part(began: i64, did: &[(&str, Status)]) -> Part {
        let at = jiff::Timestamp::from_second(1_000 + began).unwrap();
        let event = |seq, kind| Event { seq, at, elapsed: Duration::from_secs(seq), kind };
        let (run, recipe) = (format!("r{began}"), "app".to_owned());
        let mut account = Account::default();
        account
            .on(&event(0, EventKind::RunStarted { version: 1, run, recipe, instances: did.len(), jobs: 2 }));
        let mut plan = Plan { recipe: "app".into(), ..Plan::default() };
        let mut last = None;
        for (seq, (name, status)) in (1..).zip(did) {
            let instance = id(name.trim_start_matches('-'));
            let kind = if name.starts_with('-') { crate::plan::RECEIVED } else { "run" };
            let node = plan.graph.add_node(Instance::new(instance.clone(), kind, Vec::new()));
            if let Some(last) = last.replace(node) {
                plan.graph.add_edge(last, node, Edge::Needs);
            }
            if !matches!(status, Status::Skipped { .. }) {
                account.on(&event(seq, EventKind::Started { instance: instance.clone(), attempt: 1 }));
            }
            let (status, took) = (status.clone(), Duration::from_secs(1));
            account.on(&event(seq, EventKind::Finished { instance, status, took, attempts: 1 }));
        }
        let counts = account.so_far();
        account.on(&event(9, EventKind::RunFinished { counts }));
        Part { account, plan: Some(plan) }
    }

    #[test]
    fn whoever_made_something_is_believed_and_the_last_of_several() {
        let failed = || Status::Failed(Failure::new(FailureKind::Timeout, "x"));
        let parts = [
            part(
                0,
                &[("source", Status::Done), ("image", failed()), ("save", Status::Skipped { because: None })],
            ),
            part(60, &[("-source", Status::Done), ("image", Status::Done), ("save", Status::Done)]),
            part(90, &[("-save", Status::Done), ("deliver", Status::Done)]),
        ];
        for order in [[0, 1, 2], [2, 1, 0]] {
            let parts: Vec<Part> = order.iter().map(|at| parts[*at].clone()).collect();
            let merged = merge(&parts);
            let from = |step: &str| order[merged.from[&id(step)]];
            assert_eq!([from("source"), from("image"), from("save"), from("deliver")], [0, 1, 1, 2]);
            let counts = merged.account.counts.unwrap();
            assert_eq!((counts.done, counts.failed, counts.skipped), (4, 0, 0));
            assert!(merged.plan.graph.node_weights().all(|instance| !instance.is_received()));
            assert_eq!((merged.plan.graph.node_count(), merged.plan.graph.edge_count()), (4, 3));
            let began = merged.account.course(&id("deliver")).and_then(Course::began).unwrap();
            assert_eq!(began, Duration::from_secs(92));
            assert_eq!(merged.account.elapsed, Duration::from_secs(99));
        }
    }

    #[test]
    fn a_run_that_was_killed_is_no_end_of_the_whole() {
        let mut parts = [part(0, &[("a", Status::Done)]), part(5, &[("b", Status::Done)])];
        parts[1].account.counts = None;
        assert_eq!(merge(&parts).account.counts, None);
        parts[1].plan = None;
        assert_eq!(merge(&parts).account.courses.len(), 2);
        assert_eq!(merge(&[]).account.total, 0);
    }
}
