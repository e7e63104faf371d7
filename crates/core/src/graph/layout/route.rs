//! The lines: straight along the flow, and across it on tracks between two ranks.

use super::align::Across;
use super::layers::{Layers, Wire};
use super::tracks::tracks;
use super::{Picture, Point, Task, length};

/// Between two tracks.
const TRACK: i32 = 9;
/// From a rank to the first track.
const BEFORE: i32 = 12;
/// From the last track to the next rank: an arrow fits in.
const AFTER: i32 = 16;
/// Places ranks and draws all lines.
pub(super) fn route(layers: &Layers, task: &Task, across: &Across) -> Picture {
    let begin = |wire: &Wire| across.middle[wire.upper];
    let mut ends: Vec<i32> = layers.wires.iter().map(|wire| across.middle[wire.lower] + wire.end).collect();
    let mut track_of = vec![0; layers.wires.len()];
    let mut starts = Vec::with_capacity(layers.ranks.len());
    let mut along = 0;
    for rank in &layers.ranks {
        starts.push(along);
        along += task.depth;
        let mut wires = rank.iter().flat_map(|vertex| &layers.vertices[*vertex].outs).peekable();
        if wires.peek().is_none() {
            continue;
        }
        let (buses, tracks) = tracks(layers, &wires.copied().collect::<Vec<_>>(), across, &mut ends);
        for (bus, track) in buses.iter().zip(&tracks) {
            for wire in &bus.wires {
                track_of[*wire] = along + BEFORE + TRACK * length(*track);
            }
        }
        let used = tracks.iter().max().map_or(0, |last| TRACK * length(*last));
        along += BEFORE + used + AFTER + task.label_depth;
    }
    let mut rank_of = vec![0; layers.vertices.len()];
    for (rank, vertices) in layers.ranks.iter().enumerate() {
        for vertex in vertices {
            rank_of[*vertex] = rank;
        }
    }
    let place =
        |vertex: usize| (across.middle[vertex] - layers.vertices[vertex].half, starts[rank_of[vertex]]);
    let boxes = (0..task.items.len()).map(|item| {
        let (left, along) = place(item);
        (left, left + 2 * layers.vertices[item].half, along)
    });
    let line = |path: &Vec<usize>| {
        let mut line: Vec<Point> = Vec::new();
        for (at, &index) in path.iter().enumerate() {
            let wire = &layers.wires[index];
            let (from, to) = (begin(wire), ends[index]);
            if at == 0 {
                line.push((from, starts[rank_of[wire.upper]] + task.depth));
            }
            if from != to {
                line.extend([(from, track_of[index]), (to, track_of[index])]);
            }
            if at + 1 == path.len() {
                line.push((to, starts[rank_of[wire.lower]]));
            }
        }
        line
    };
    let lines = layers.paths.iter().zip(&task.ties).map(|(path, tie)| {
        let mut line = line(path);
        if tie.from > tie.to {
            line.reverse();
        }
        line
    });
    let breadth = across.lanes.iter().map(|(_, right)| *right).max().unwrap_or(0) + task.margin;
    Picture {
        boxes: boxes.collect(),
        lines: lines.collect(),
        lanes: across.lanes.clone(),
        breadth,
        depth: along,
    }
}
