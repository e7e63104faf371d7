//! The ready queue against a slow model, over random graphs.

use std::collections::BTreeSet;

use petgraph::Direction::Incoming;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use proptest::prelude::*;

use super::kit::instance;
use crate::exec::queue::Queue;
use crate::plan::{Edge, Instance, Pool, Share};

/// A random plan, and what fails in it.
#[derive(Debug, Clone)]
struct Case {
    graph: DiGraph<Instance, Edge>,
    fails: Vec<bool>,
    jobs: usize,
    /// Which of the running instances ends next.
    ends: Vec<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    let node = (
        0..4usize,
        0..3usize,
        0..6usize,
        0..6u32,
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
    );
    (1..24usize)
        .prop_flat_map(move |n| {
            let edges = prop::collection::vec((0..n, 0..n, any::<bool>()), 0..n * 2);
            let ends = prop::collection::vec(0..8usize, n);
            (prop::collection::vec(node.clone(), n), edges, ends, 1..4usize)
        })
        .prop_map(|(nodes, edges, ends, jobs)| {
            let mut graph = DiGraph::new();
            let mut fails = Vec::new();
            for (index, (target, node, mutex, share, remote, fail, allow)) in nodes.into_iter().enumerate() {
                // Target 0: the step runs once.
                let id = match (target, node) {
                    (0, _) => format!("s{index}"),
                    (target, 0) => format!("s{index}@t{target}"),
                    (target, node) => format!("s{index}@t{target}@n{node}"),
                };
                let mut instance = instance(&id, Vec::new());
                instance.mutex = (mutex < 2).then(|| format!("m{mutex}"));
                // Of one place, of two, of three.
                instance.share =
                    (share < 3).then(|| Share { pool: format!("p{share}").into(), at_once: share + 1 });
                instance.pool = if remote { Pool::Node } else { Pool::Local };
                instance.allow_failure = allow;
                graph.add_node(instance);
                fails.push(fail);
            }
            for (a, b, needs) in edges.into_iter().filter(|(a, b, _)| a != b) {
                let edge = if needs { Edge::Needs } else { Edge::Gate };
                graph.add_edge(NodeIndex::new(a.min(b)), NodeIndex::new(a.max(b)), edge);
            }
            Case { graph, fails, jobs, ends }
        })
}

#[derive(Debug, Default)]
struct Played {
    started: Vec<NodeIndex>,
    skipped: BTreeSet<NodeIndex>,
}

/// Plays a case to its end and checks what must hold at each step.
fn play(case: &Case, keep_going: bool) -> Played {
    let graph = &case.graph;
    let mut longest = vec![1u64; graph.node_count()];
    // Edges go from lower to higher indices.
    for node in graph.node_indices().rev() {
        longest[node.index()] += graph.neighbors(node).map(|next| longest[next.index()]).max().unwrap_or(0);
    }
    let mut queue = Queue::new(graph, &|_| 1, (case.jobs, case.jobs), keep_going);
    let (mut played, mut running, mut ended) = (Played::default(), Vec::<NodeIndex>::new(), BTreeSet::new());
    let mut lost = Vec::<NodeIndex>::new();
    let free = |running: &[NodeIndex], node: NodeIndex| {
        let (mutex, share) = (graph[node].mutex.as_ref(), graph[node].share.as_ref());
        let inside = running.iter().filter(|other| graph[**other].share.as_ref() == share).count();
        (mutex.is_none() || running.iter().all(|other| graph[*other].mutex.as_ref() != mutex))
            && share.is_none_or(|share| inside < share.at_once as usize)
    };
    for turn in 0.. {
        while let Some(node) = queue.pop() {
            let instance = &graph[node];
            assert!(!played.started.contains(&node) && !played.skipped.contains(&node), "each once");
            assert!(
                graph.neighbors_directed(node, Incoming).all(|before| ended.contains(&before)),
                "in order"
            );
            assert!(free(&running, node), "one of a mutex, so many of a pool");
            // Nothing with a longer path was ready and free for the same pool.
            for other in graph.node_indices().filter(|other| longest[other.index()] > longest[node.index()]) {
                let could = graph[other].pool == instance.pool
                    && !played.started.contains(&other)
                    && !played.skipped.contains(&other)
                    && graph.neighbors_directed(other, Incoming).all(|before| ended.contains(&before))
                    && free(&running, other);
                assert!(!could, "the longest path first");
            }
            for failed in &lost {
                assert!(
                    keep_going || !within(&graph[*failed], instance),
                    "fail-fast within a target and node"
                );
            }
            running.push(node);
            played.started.push(node);
            let of_pool = running.iter().filter(|other| graph[**other].pool == instance.pool).count();
            assert!(of_pool <= case.jobs, "bounds");
        }
        // Nothing that could run was left lying.
        for other in graph.node_indices() {
            let pool = graph[other].pool;
            let idle = running.iter().filter(|node| graph[**node].pool == pool).count() < case.jobs
                && !played.started.contains(&other)
                && !played.skipped.contains(&other)
                && graph.neighbors_directed(other, Incoming).all(|before| ended.contains(&before))
                && free(&running, other);
            assert!(!idle, "no place stays empty");
        }
        if running.is_empty() {
            break;
        }
        let node = running.remove(case.ends.get(turn).copied().unwrap_or(0) % running.len());
        ended.insert(node);
        if case.fails[node.index()] {
            let allowed = graph[node].allow_failure;
            let skipped = queue.fail(node, allowed);
            played.skipped.extend(skipped.into_iter().map(|(skipped, _)| skipped));
            if !allowed {
                lost.push(node);
            }
        } else {
            queue.finish(node);
        }
    }
    assert!(queue.drain().is_empty(), "nothing is forgotten");
    assert_eq!(played.started.len() + played.skipped.len(), graph.node_count());
    played
}

fn within(failed: &Instance, other: &Instance) -> bool {
    failed.target.is_some()
        && failed.target == other.target
        && (failed.node.is_none() || failed.node == other.node)
}

/// What a failure upstream keeps from starting, by the definition; `skipped` is what did not start for other reasons.
fn blocked(case: &Case, skipped: &BTreeSet<NodeIndex>) -> BTreeSet<NodeIndex> {
    let mut blocked = skipped.clone();
    for node in case.graph.node_indices() {
        let by = |edge: petgraph::graph::EdgeReference<'_, Edge>| {
            let before = edge.source();
            let allowed = case.graph[before].allow_failure && *edge.weight() == Edge::Needs;
            blocked.contains(&before) || case.fails[before.index()] && !allowed
        };
        if case.graph.edges_directed(node, Incoming).any(by) {
            blocked.insert(node);
        }
    }
    blocked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keep_going_runs_exactly_what_is_not_downstream_of_a_failure(case in cases()) {
        let played = play(&case, true);
        prop_assert_eq!(played.skipped, blocked(&case, &BTreeSet::new()));
    }

    #[test]
    fn fail_fast_stops_one_delivery_and_no_other(case in cases()) {
        let played = play(&case, false);
        let graph = &case.graph;
        let failed: Vec<&Instance> = played.started.iter()
            .filter(|n| case.fails[n.index()] && !graph[**n].allow_failure)
            .map(|n| &graph[*n])
            .collect();
        let lost = |node: &NodeIndex| failed.iter().any(|failed| within(failed, &graph[*node]));
        let once = |node: &NodeIndex| graph[*node].target.is_none();
        let reasons: BTreeSet<NodeIndex> =
            played.skipped.iter().copied().filter(|node| lost(node) || once(node)).collect();
        // What did not start is lost, runs once, or is downstream of such or of a failure: nothing else.
        prop_assert!(played.skipped.is_subset(&blocked(&case, &reasons)));
        // A step that runs once is given up only when no target could use it.
        for node in played.skipped.iter().filter(|node| once(node)) {
            let below = petgraph::visit::Dfs::new(graph, *node);
            let below: Vec<NodeIndex> = petgraph::visit::Walker::iter(below, graph).collect();
            prop_assert!(below.iter().all(|below| played.skipped.contains(below)));
        }
    }
}

#[test]
fn ten_thousand_instances_take_no_time() {
    let mut graph = DiGraph::new();
    for index in 0..10_000 {
        let mut instance = instance(&format!("s{index}"), Vec::new());
        instance.mutex = Some("one".into());
        let node = graph.add_node(instance);
        for back in [1, 7, 100].into_iter().filter(|back| *back <= index && index % 3 > 0) {
            graph.add_edge(NodeIndex::new(index - back), node, Edge::Needs);
        }
    }
    let begun = std::time::Instant::now();
    let mut queue = Queue::new(&graph, &|_| 1, (2, 2), false);
    let mut done = 0;
    while let Some(node) = queue.pop() {
        queue.finish(node);
        done += 1;
    }
    assert_eq!(done, 10_000);
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
}
