//! Where boxes stand across the flow: chains in straight lines, as close together as they can be.
//!
//! What continues each other becomes a block of one place (the idea of Brandes and Köpf). Blocks are packed, and then move
//! towards what they are linked to as far as their neighbours let them.

use super::Task;
use super::layers::{Layers, Vertex};

/// Rounds of moving.
const ROUNDS: usize = 10;

/// The middle of each vertex, across. Lanes come one after the other.
pub(super) struct Across {
    pub(super) middle: Vec<i32>,
    pub(super) lanes: Vec<(i32, i32)>,
}

struct Blocks {
    of: Vec<usize>,
    members: Vec<Vec<usize>>,
}

/// Places all vertices.
pub(super) fn align(layers: &Layers, task: &Task) -> Across {
    let blocks = blocks(layers);
    let mut place = pack(layers, task, &blocks);
    for round in 0..ROUNDS {
        settle(layers, task, &blocks, &mut place, round % 2 == 0);
    }
    let mut middle: Vec<i32> = blocks.of.iter().map(|block| place[*block]).collect();
    let mut lanes = Vec::with_capacity(task.lanes.len());
    let mut start = task.margin;
    for (lane, least) in task.lanes.iter().enumerate() {
        let of_lane = || layers.vertices.iter().enumerate().filter(|(_, vertex)| vertex.lane == lane);
        let left = of_lane().map(|(at, vertex)| middle[at] - vertex.half).min().unwrap_or(0);
        let right = of_lane().map(|(at, vertex)| middle[at] + vertex.half).max().unwrap_or(0);
        if of_lane().next().is_none() {
            lanes.push((start, start));
            continue;
        }
        let breadth = (right - left + 2 * task.margin).max(*least);
        let shift = start + (breadth - (right - left)) / 2 - left;
        for at in of_lane().map(|(at, _)| at).collect::<Vec<_>>() {
            middle[at] += shift;
        }
        lanes.push((start, start + breadth));
        start += breadth + task.margin;
    }
    Across { middle, lanes }
}

/// Each vertex with at most one before and one after it, where no two such links cross.
fn blocks(layers: &Layers) -> Blocks {
    let positions = layers.positions();
    let count = layers.vertices.len();
    // How far a straight line could go on from here.
    let mut reach = vec![0usize; count];
    for rank in layers.ranks.iter().rev() {
        for &vertex in rank {
            reach[vertex] = continuations(layers, vertex).map(|next| reach[next] + 1).max().unwrap_or(0);
        }
    }
    let mut next: Vec<Option<usize>> = vec![None; count];
    for rank in &layers.ranks {
        let mut wanted: Vec<(usize, usize)> = rank
            .iter()
            .filter_map(|&vertex| {
                let best = continuations(layers, vertex)
                    .max_by_key(|&lower| (reach[lower], std::cmp::Reverse(positions[lower])))?;
                Some((vertex, best))
            })
            .collect();
        wanted.sort_by_key(|(upper, lower)| (std::cmp::Reverse(reach[*lower]), positions[*upper]));
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for (upper, lower) in wanted {
            let pair = (positions[upper], positions[lower]);
            if taken.iter().all(|other| (other.0 < pair.0) == (other.1 < pair.1)) {
                taken.push(pair);
                next[upper] = Some(lower);
            }
        }
    }
    let mut blocks = Blocks { of: vec![usize::MAX; count], members: Vec::new() };
    for &vertex in layers.ranks.iter().flatten() {
        if blocks.of[vertex] != usize::MAX {
            continue;
        }
        let chain: Vec<usize> = std::iter::successors(Some(vertex), |at| next[*at]).collect();
        for member in &chain {
            blocks.of[*member] = blocks.members.len();
        }
        blocks.members.push(chain);
    }
    blocks
}

/// What has its trunk from here.
fn continuations(layers: &Layers, vertex: usize) -> impl Iterator<Item = usize> {
    layers.vertices[vertex]
        .outs
        .iter()
        .filter(|wire| layers.within_lane(**wire))
        .map(|wire| (wire, layers.wires[*wire].lower))
        .filter(|(wire, lower)| layers.vertices[*lower].trunk == Some(**wire))
        .map(|(_, lower)| lower)
}

/// Neighbours in one rank and lane, and how far apart their middles are at least.
fn neighbours<'l>(layers: &'l Layers, task: &Task) -> impl Iterator<Item = (usize, usize, i32)> + use<'l> {
    let beside = task.beside;
    layers.ranks.iter().flat_map(|rank| rank.windows(2)).filter_map(move |pair| {
        let (left, right) = (&layers.vertices[pair[0]], &layers.vertices[pair[1]]);
        (left.lane == right.lane).then(|| (pair[0], pair[1], apart(left, right, beside)))
    })
}

fn apart(left: &Vertex, right: &Vertex, beside: i32) -> i32 {
    let both_pass = left.item.is_none() && right.item.is_none();
    left.half + right.half + if both_pass { 0 } else { beside }
}

/// Every block as far left as it can be.
fn pack(layers: &Layers, task: &Task, blocks: &Blocks) -> Vec<i32> {
    let count = blocks.members.len();
    let mut after: Vec<Vec<(usize, i32)>> = vec![Vec::new(); count];
    let mut waiting = vec![0usize; count];
    for (left, right, apart) in neighbours(layers, task) {
        after[blocks.of[left]].push((blocks.of[right], apart));
        waiting[blocks.of[right]] += 1;
    }
    let mut place = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|block| waiting[*block] == 0).collect();
    while let Some(block) = ready.pop() {
        for &(right, apart) in &after[block] {
            place[right] = place[right].max(place[block] + apart);
            waiting[right] -= 1;
            if waiting[right] == 0 {
                ready.push(right);
            }
        }
    }
    place
}

/// One round of moving, from one side to the other.
fn settle(layers: &Layers, task: &Task, blocks: &Blocks, place: &mut [i32], rightwards: bool) {
    let count = blocks.members.len();
    let mut lefts: Vec<Vec<(usize, i32)>> = vec![Vec::new(); count];
    let mut rights = lefts.clone();
    for (left, right, apart) in neighbours(layers, task) {
        let (left, right) = (blocks.of[left], blocks.of[right]);
        lefts[right].push((left, apart));
        rights[left].push((right, apart));
    }
    let mut blocks_in_turn: Vec<usize> = (0..count).collect();
    blocks_in_turn.sort_by_key(|block| if rightwards { place[*block] } else { -place[*block] });
    for block in blocks_in_turn {
        let mut wanted = wanted(layers, blocks, place, block);
        if wanted.is_empty() {
            continue;
        }
        wanted.sort_unstable();
        let half = wanted.len() / 2;
        let to =
            if wanted.len() % 2 == 1 { wanted[half] } else { i32::midpoint(wanted[half - 1], wanted[half]) };
        let least = lefts[block].iter().map(|(left, apart)| place[*left] + apart).max();
        let most = rights[block].iter().map(|(right, apart)| place[*right] - apart).min();
        let to = most.map_or(to, |most| to.min(most));
        place[block] = least.map_or(to, |least| to.max(least));
    }
}

/// Where the ends of a block's lines to other blocks would like it to be.
fn wanted(layers: &Layers, blocks: &Blocks, place: &[i32], block: usize) -> Vec<i32> {
    let mut wanted = Vec::new();
    for &member in &blocks.members[block] {
        let vertex = &layers.vertices[member];
        for &wire in vertex.ins.iter().chain(&vertex.outs).filter(|wire| layers.within_lane(**wire)) {
            let wire = &layers.wires[wire];
            let (upper, lower) = (blocks.of[wire.upper], blocks.of[wire.lower]);
            if upper == lower {
                continue;
            }
            wanted.push(if lower == block { place[upper] - wire.end } else { place[lower] + wire.end });
        }
    }
    wanted
}
