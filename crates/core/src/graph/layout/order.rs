//! The order in each rank: lanes beside each other, and in a lane as few crossings as some sweeps find.

use super::layers::Layers;

/// Sweeps down and up.
const SWEEPS: usize = 12;
/// Barycentres are whole numbers, in parts of a place.
const PARTS: usize = 1024;

/// Orders all ranks.
pub(super) fn order(layers: &mut Layers) {
    let mut best = (crossings(layers), layers.ranks.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let count = layers.ranks.len();
        for step in 1..count {
            sort(layers, if down { step } else { count - 1 - step }, down);
        }
        let now = crossings(layers);
        if now < best.0 {
            best = (now, layers.ranks.clone());
        }
    }
    layers.ranks = best.1;
}

/// Sorts one rank by the mean place of each vertex's neighbours in the rank before or after.
fn sort(layers: &mut Layers, rank: usize, down: bool) {
    let positions = layers.positions();
    let mut keyed: Vec<(usize, usize, usize)> = layers.ranks[rank]
        .iter()
        .map(|&vertex| {
            let own = &layers.vertices[vertex];
            let wires = if down { &own.ins } else { &own.outs };
            let places: Vec<usize> = wires
                .iter()
                .filter(|wire| layers.within_lane(**wire))
                .map(|wire| &layers.wires[*wire])
                .map(|wire| positions[if down { wire.upper } else { wire.lower }])
                .collect();
            let mean = if places.is_empty() {
                positions[vertex] * PARTS
            } else {
                places.iter().sum::<usize>() * PARTS / places.len()
            };
            (own.lane, mean, vertex)
        })
        .collect();
    // Stable: of equals, the order stays.
    keyed.sort_by_key(|(lane, mean, _)| (*lane, *mean));
    layers.ranks[rank] = keyed.into_iter().map(|(_, _, vertex)| vertex).collect();
}

/// How many pairs of lines cross inside lanes.
fn crossings(layers: &Layers) -> usize {
    let positions = layers.positions();
    let mut total = 0;
    for rank in &layers.ranks {
        let mut seen: Vec<usize> = Vec::new();
        for &vertex in rank {
            let mut lower: Vec<usize> = layers.vertices[vertex]
                .outs
                .iter()
                .filter(|wire| layers.within_lane(**wire))
                .map(|wire| positions[layers.wires[*wire].lower])
                .collect();
            lower.sort_unstable();
            // `seen` is sorted, so that those to the right are counted by a search.
            for place in &lower {
                total += seen.len() - seen.partition_point(|other| other <= place);
            }
            for place in lower {
                let at = seen.partition_point(|other| *other <= place);
                seen.insert(at, place);
            }
        }
    }
    total
}
