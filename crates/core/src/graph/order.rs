//! In which order boxes are listed.

use std::collections::BTreeSet;

/// What comes first stands first. Of what could be next it is one of the same group, there rather one of the same node,
/// then one without a group, then the first as the recipe has it. In a circle, which steps can form although instances
/// never do, the first breaks it.
pub(super) fn order(
    count: usize,
    links: impl Iterator<Item = (usize, usize)>,
    group: &[Option<usize>],
    node: &[Option<&str>],
) -> Vec<usize> {
    let mut waiting = vec![0usize; count];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (from, to) in links {
        waiting[to] += 1;
        after[from].push(to);
    }
    // One heap of what may come next for each group, the first for what has none.
    let groups = group.iter().flatten().max().map_or(1, |most| most + 2);
    let heap = |index: usize| group[index].map_or(0, |group| group + 1);
    let mut ready: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); groups];
    let mut left: BTreeSet<usize> = (0..count).collect();
    for index in (0..count).filter(|index| waiting[*index] == 0) {
        ready[heap(index)].insert(index);
    }
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut current = 0;
    while let Some(lowest) = left.first().copied() {
        let on_node = order.last().and_then(|last| node[*last]);
        let next = ready[current]
            .iter()
            .find(|index| on_node.is_some() && node[**index] == on_node)
            .or_else(|| ready[current].first())
            .or_else(|| ready[0].first())
            .or_else(|| ready.iter().filter_map(BTreeSet::first).min())
            .copied()
            .unwrap_or(lowest);
        left.remove(&next);
        current = heap(next);
        ready[current].remove(&next);
        order.push(next);
        for &to in &after[next] {
            waiting[to] = waiting[to].saturating_sub(1);
            if waiting[to] == 0 && left.contains(&to) {
                ready[heap(to)].insert(to);
            }
        }
    }
    order
}
