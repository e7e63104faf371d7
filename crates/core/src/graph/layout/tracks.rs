//! The tracks of lines between two ranks.

use std::collections::{BTreeMap, BTreeSet};

use super::align::Across;
use super::layers::Layers;

/// Lines closer than that would be taken for one.
const CLOSE: i32 = 5;

/// How far an end moves when it must: as little as will do.
const ASIDE: [i32; 3] = [7, 12, 17];

/// Pieces of line that share a track: those that begin at one vertex, or those that join before one.
#[derive(Debug, Default)]
pub(super) struct Bus {
    /// Where lines come down to the track.
    from: BTreeSet<i32>,
    /// Where they go on.
    to: BTreeSet<i32>,
    pub(super) wires: Vec<usize>,
}

impl Bus {
    fn span(&self) -> (i32, i32) {
        let all = || self.from.iter().chain(&self.to).copied();
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    }

    /// It needs no track.
    fn is_straight(&self) -> bool {
        let (first, last) = self.span();
        first == last
    }
}

/// The buses of some wires, each with its track; 0 is the uppermost.
///
/// Where buses come down in line with each other's going on all round, no order of tracks is right. One of their ends is
/// moved aside then, if it is at a box.
pub(super) fn tracks(
    layers: &Layers,
    wires: &[usize],
    across: &Across,
    ends: &mut [i32],
) -> (Vec<Bus>, Vec<usize>) {
    let mut moved = BTreeSet::new();
    loop {
        let buses = buses(layers, wires, across, ends);
        let (tracks, circle) = assign(&buses);
        let from: BTreeSet<i32> = buses.iter().flat_map(|bus| &bus.from).copied().collect();
        let in_line = |end: i32| from.range(end - CLOSE..=end + CLOSE).next().is_some();
        let wire = circle
            .iter()
            .flat_map(|bus| &buses[*bus].wires)
            .find(|wire| !moved.contains(*wire) && in_line(ends[**wire]));
        let Some(&wire) = wire else { return (buses, tracks) };
        let (lower, end) = (layers.wires[wire].lower, ends[wire]);
        let (vertex, middle) = (&layers.vertices[lower], across.middle[lower]);
        let to_source = (across.middle[layers.wires[wire].upper] - end).signum();
        let aside = ASIDE
            .iter()
            .flat_map(|far| [end + far * to_source, end - far * to_source])
            .find(|aside| (aside - middle).abs() + CLOSE <= vertex.half && !in_line(*aside))
            .filter(|_| vertex.item.is_some());
        // What joins there ends there.
        for &other in wires.iter().filter(|other| layers.wires[**other].lower == lower) {
            if ends[other] == end {
                ends[other] = aside.unwrap_or(end);
                moved.insert(other);
            }
        }
    }
}

/// Those that need a track.
fn buses(layers: &Layers, wires: &[usize], across: &Across, ends: &[i32]) -> Vec<Bus> {
    let mut buses: BTreeMap<(bool, usize, bool), Bus> = BTreeMap::new();
    for &index in wires {
        let wire = &layers.wires[index];
        let shared = if wire.joins { wire.lower } else { wire.upper };
        let bus = buses.entry((wire.joins, shared, wire.dashed)).or_default();
        bus.from.insert(across.middle[wire.upper]);
        bus.to.insert(ends[index]);
        bus.wires.push(index);
    }
    buses.into_values().filter(|bus| !bus.is_straight()).collect()
}

/// A track for each bus. Those side by side share one; where one comes down in line with another's going on, it turns first,
/// as the two would look like one line. Also those that could not wait for each other, because they go round in a circle.
fn assign(buses: &[Bus]) -> (Vec<usize>, Vec<usize>) {
    let mut going_on: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, bus) in buses.iter().enumerate() {
        bus.to.iter().for_each(|to| going_on.entry(*to).or_default().push(index));
    }
    let mut below: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); buses.len()];
    let mut waiting = vec![0usize; buses.len()];
    for (index, bus) in buses.iter().enumerate() {
        let in_line = bus.from.iter().flat_map(|from| going_on.range(from - CLOSE..=from + CLOSE));
        for &other in in_line.flat_map(|(_, others)| others) {
            if other != index && below[index].insert(other) {
                waiting[other] += 1;
            }
        }
    }
    // Of those that go right, the rightmost turns first, of those that go left the leftmost: they do not cross.
    let turn = |index: &usize| {
        let bus = &buses[*index];
        let first = bus.from.first().copied().unwrap_or(0);
        let rightwards = bus.span().1 - first >= first - bus.span().0;
        (rightwards, if rightwards { -first } else { first }, *index)
    };
    let mut tracks: Vec<Option<usize>> = vec![None; buses.len()];
    let mut least = vec![0; buses.len()];
    let mut taken: Vec<Vec<(i32, i32)>> = Vec::new();
    let mut circle = Vec::new();
    for _ in 0..buses.len() {
        let open = || (0..buses.len()).filter(|index| tracks[*index].is_none());
        let next = open().filter(|index| waiting[*index] == 0).min_by_key(turn).or_else(|| {
            if circle.is_empty() {
                circle.extend(open());
            }
            open().min_by_key(turn)
        });
        let Some(next) = next else { break };
        let (first, last) = buses[next].span();
        let free = |track: &Vec<(i32, i32)>| {
            track.iter().all(|(from, to)| last + CLOSE < *from || to + CLOSE < first)
        };
        let track = (least[next]..taken.len()).find(|track| free(&taken[*track]));
        let track = track.unwrap_or_else(|| taken.len().max(least[next]));
        if track >= taken.len() {
            taken.resize(track + 1, Vec::new());
        }
        taken[track].push((first, last));
        tracks[next] = Some(track);
        for &other in &below[next] {
            waiting[other] = waiting[other].saturating_sub(1);
            least[other] = least[other].max(track + 1);
        }
    }
    (tracks.into_iter().map(Option::unwrap_or_default).collect(), circle)
}
