//! The graph in ranks: a line that passes ranks gets a vertex in each of them, so that it is given room there.

use std::collections::BTreeMap;

use super::{Task, length};

/// The room of a line that passes a rank.
const PASSING: i32 = 10;
/// Between two lines that end at one box.
const ENDS: i32 = 14;
/// From a line's end to its label, and from that to the next line.
const LABEL: i32 = 6;
/// From the edge of a box to the nearest line, and between lines where there are many.
const EDGE: i32 = 5;
/// As many lines that lead nowhere else join before they reach a box.
const JOIN: usize = 3;

/// A box, or a line where it passes a rank.
#[derive(Debug)]
pub(super) struct Vertex {
    pub(super) lane: usize,
    pub(super) item: Option<usize>,
    /// Half of its size across the flow.
    pub(super) half: i32,
    pub(super) ins: Vec<usize>,
    pub(super) outs: Vec<usize>,
    /// The line in `ins` that ends in the middle.
    pub(super) trunk: Option<usize>,
}

/// A piece of a line, from one rank to the next. Ties that go the same way share it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) upper: usize,
    pub(super) lower: usize,
    pub(super) dashed: bool,
    /// Where it ends, from the middle of the lower vertex.
    pub(super) end: i32,
    /// It joins the others that end there, instead of branching off from those that begin with it.
    pub(super) joins: bool,
    label: i32,
    carries: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) vertices: Vec<Vertex>,
    pub(super) wires: Vec<Wire>,
    /// Vertices in their order across.
    pub(super) ranks: Vec<Vec<usize>>,
    /// For each tie its wires, downwards.
    pub(super) paths: Vec<Vec<usize>>,
}

impl Layers {
    /// Items are the first vertices. The order in ranks is the items' own.
    pub(super) fn new(task: &Task, rank_of: &[usize]) -> Self {
        let lanes = task.items.iter().map(|item| item.lane);
        let vertices = lanes.zip(&task.items).enumerate().map(|(index, (lane, item))| Vertex {
            lane,
            item: Some(index),
            half: (item.breadth + 1) / 2,
            ins: Vec::new(),
            outs: Vec::new(),
            trunk: None,
        });
        let mut layers = Self {
            vertices: vertices.collect(),
            wires: Vec::new(),
            ranks: vec![Vec::new(); rank_of.iter().max().map_or(0, |last| last + 1)],
            paths: Vec::new(),
        };
        let mut passing: BTreeMap<(usize, bool, usize), usize> = BTreeMap::new();
        let mut known: BTreeMap<(usize, usize, bool), usize> = BTreeMap::new();
        for tie in &task.ties {
            let (source, last) = (tie.from.min(tie.to), tie.from.max(tie.to));
            let mut path = Vec::new();
            let mut upper = source;
            for rank in rank_of[source] + 1..=rank_of[last] {
                let lower = if rank == rank_of[last] {
                    last
                } else {
                    *passing.entry((source, tie.dashed, rank)).or_insert_with(|| layers.pass(source))
                };
                let wire = *known
                    .entry((upper, lower, tie.dashed))
                    .or_insert_with(|| layers.connect(upper, lower, tie.dashed));
                layers.wires[wire].carries |= tie.carries;
                if lower == last {
                    layers.wires[wire].label = layers.wires[wire].label.max(tie.label);
                }
                path.push(wire);
                upper = lower;
            }
            layers.paths.push(path);
        }
        let mut all: Vec<(usize, usize, usize)> =
            rank_of.iter().enumerate().map(|(item, rank)| (item, *rank, item)).collect();
        all.extend(passing.iter().map(|((source, _, rank), vertex)| (*source, *rank, *vertex)));
        all.sort_by_key(|(source, _, vertex)| (layers.vertices[*vertex].lane, *source, *vertex));
        for (_, rank, vertex) in all {
            layers.ranks[rank].push(vertex);
        }
        layers
    }

    fn pass(&mut self, source: usize) -> usize {
        let lane = self.vertices[source].lane;
        let (ins, outs) = (Vec::new(), Vec::new());
        self.vertices.push(Vertex { lane, item: None, half: PASSING / 2, ins, outs, trunk: None });
        self.vertices.len() - 1
    }

    fn connect(&mut self, upper: usize, lower: usize, dashed: bool) -> usize {
        let wire = self.wires.len();
        self.wires.push(Wire { upper, lower, dashed, end: 0, joins: false, label: 0, carries: false });
        self.vertices[upper].outs.push(wire);
        self.vertices[lower].ins.push(wire);
        wire
    }

    /// Both ends are in one lane.
    pub(super) fn within_lane(&self, wire: usize) -> bool {
        let Wire { upper, lower, .. } = self.wires[wire];
        self.vertices[upper].lane == self.vertices[lower].lane
    }

    /// The place of each vertex in its rank.
    pub(super) fn positions(&self) -> Vec<usize> {
        let mut positions = vec![0; self.vertices.len()];
        for rank in &self.ranks {
            rank.iter().enumerate().for_each(|(position, vertex)| positions[*vertex] = position);
        }
        positions
    }

    /// Decides where on a box each line ends: the trunk in the middle, the others beside it in the order in which they come.
    pub(super) fn place_ends(&mut self) {
        let positions = self.positions();
        for vertex in 0..self.vertices.len() {
            self.join(vertex);
            let mut ins = self.vertices[vertex].ins.clone();
            ins.sort_by_key(|wire| (positions[self.wires[*wire].upper], self.wires[*wire].dashed));
            let Some(middle) = self.trunk(&ins) else { continue };
            self.vertices[vertex].trunk = Some(ins[middle]);
            if self.vertices[vertex].item.is_none() {
                continue;
            }
            let joined = |wire: &Wire, other: &Wire| wire.joins && other.joins && wire.dashed == other.dashed;
            // Without labels they move together so that the box need not grow.
            let beside = length(middle.max(ins.len() - 1 - middle)).max(1);
            let ends = ((self.vertices[vertex].half - EDGE) / beside).clamp(EDGE, ENDS);
            let room = |label: i32| if label > 0 { label + 2 * LABEL } else { ends };
            let (mut left, mut right) = (0, room(self.wires[ins[middle]].label));
            // Rightwards from the middle, then leftwards; what joins ends where its neighbour does.
            for at in middle + 1..ins.len() {
                let (before, label) = (ins[at - 1], self.wires[ins[at]].label);
                if joined(&self.wires[before], &self.wires[ins[at]]) {
                    self.wires[ins[at]].end = self.wires[before].end;
                } else {
                    self.wires[ins[at]].end = right;
                    right += room(label);
                }
            }
            for at in (0..middle).rev() {
                let (after, label) = (ins[at + 1], self.wires[ins[at]].label);
                if joined(&self.wires[after], &self.wires[ins[at]]) {
                    self.wires[ins[at]].end = self.wires[after].end;
                } else {
                    left -= room(label);
                    self.wires[ins[at]].end = left;
                }
            }
            // The last label ends at the box's edge; the last line does not.
            let right = if self.wires[ins[ins.len() - 1]].label > 0 { right } else { right - ends + EDGE };
            let half = self.vertices[vertex].half;
            self.vertices[vertex].half = half.max(right).max(EDGE - left);
        }
    }

    /// Lines that lead to one box only, and are many, reach it as one.
    fn join(&mut self, vertex: usize) {
        for dashed in [false, true] {
            let alone = |wire: &usize| {
                let own = &self.wires[*wire];
                let outs = &self.vertices[own.upper].outs;
                own.dashed == dashed
                    && outs.iter().filter(|out| self.wires[**out].dashed == dashed).count() == 1
            };
            let joining: Vec<usize> = self.vertices[vertex].ins.iter().copied().filter(alone).collect();
            if joining.len() >= JOIN {
                for wire in joining {
                    self.wires[wire].joins = true;
                }
            }
        }
    }

    /// Which line ends in the middle: one that comes straight from a box, and brings something.
    fn trunk(&self, ins: &[usize]) -> Option<usize> {
        let middle = length(ins.len().saturating_sub(1));
        (0..ins.len()).min_by_key(|at| {
            let wire = &self.wires[ins[*at]];
            let passes = self.vertices[wire.upper].item.is_none();
            (!self.within_lane(ins[*at]), !wire.carries, passes, (2 * length(*at) - middle).abs())
        })
    }
}
