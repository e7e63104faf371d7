//! What bounds instances besides the two pools of workers: mutexes, the recipe's own pools and its nodes. Pure.
//!
//! An instance that finds one of its gates full is parked at that gate. A gate that has room lets the best of those parked
//! at it try again; who comes and then does not take the room (it was skipped meanwhile, or parks at its other gate) passes
//! the turn on.

use std::collections::{BinaryHeap, HashMap};

use crate::plan::{Instance, Pool};

/// One bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Gate<'p> {
    Mutex(&'p str),
    Share(&'p str, u32),
    Node(&'p str, u32),
}

impl<'p> Gate<'p> {
    /// Those of an instance.
    pub(super) fn of(instance: &'p Instance) -> impl Iterator<Item = Self> {
        let mutex = instance.mutex.as_deref().map(Gate::Mutex);
        let share = instance.share.as_ref().map(|share| Gate::Share(&share.pool, share.at_once));
        let node = instance.node.as_deref().zip(instance.node_bound);
        mutex.into_iter().chain(share).chain(node.map(|(node, at_once)| Gate::Node(node, at_once)))
    }

    fn room(self) -> u32 {
        match self {
            Gate::Mutex(_) => 1,
            Gate::Share(_, at_once) | Gate::Node(_, at_once) => at_once.max(1),
        }
    }
}

/// All of them. `R` orders those that wait at one: the greatest goes first.
#[derive(Debug)]
pub(super) struct Gates<'p, R> {
    inside: HashMap<Gate<'p>, u32>,
    /// By pool of workers too: one that has no worker must not keep the room from another's.
    parked: HashMap<(Gate<'p>, Pool), BinaryHeap<R>>,
}

impl<'p, R: Ord> Gates<'p, R> {
    pub(super) fn new() -> Self {
        Self { inside: HashMap::new(), parked: HashMap::new() }
    }

    fn is_full(&self, gate: Gate<'p>) -> bool {
        self.inside.get(&gate).is_some_and(|inside| *inside >= gate.room())
    }

    /// Takes a place at all of the instance's gates, or parks it at the first that is full and takes none.
    pub(super) fn enter(&mut self, instance: &'p Instance, rank: R) -> bool {
        match Gate::of(instance).find(|gate| self.is_full(*gate)) {
            Some(full) => {
                self.parked.entry((full, instance.pool)).or_default().push(rank);
                false
            }
            None => {
                Gate::of(instance).for_each(|gate| *self.inside.entry(gate).or_default() += 1);
                true
            }
        }
    }

    /// Gives the places back.
    pub(super) fn leave(&mut self, instance: &'p Instance) {
        for gate in Gate::of(instance) {
            self.inside.entry(gate).and_modify(|inside| *inside -= 1);
        }
    }

    /// Those that may try again now that the instance does not stand at its gates: one for each pool of workers.
    pub(super) fn turn(&mut self, instance: &'p Instance) -> Vec<(Pool, R)> {
        let mut next = Vec::new();
        for gate in Gate::of(instance) {
            if self.is_full(gate) {
                continue;
            }
            for pool in [Pool::Local, Pool::Node] {
                let best = self.parked.get_mut(&(gate, pool)).and_then(BinaryHeap::pop);
                next.extend(best.map(|rank| (pool, rank)));
            }
        }
        next
    }
}
