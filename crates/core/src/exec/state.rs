//! The state of every instance of a run. Unaware of why it changes.

use petgraph::graph::NodeIndex;

/// Where an instance stands. The last five are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InstanceState {
    /// Something it waits for is not done. Every instance begins here. From `Running`, when it turned out that something
    /// must be made again first.
    Waiting,
    /// Everything it waits for is done, or failed and was allowed to. From `Waiting`, and from `Done` when what it left is
    /// asked for.
    Ready,
    /// Handed to a worker. From `Ready`, and only within the bounds of its pool and its mutex.
    Running,
    /// All its actions succeeded, or it need not run. From `Running`.
    Done,
    /// One failed. From `Running`.
    Failed,
    /// One failed, and the recipe allows it. From `Running`.
    Allowed,
    /// It was stopped because the run ends. From `Running`.
    Cancelled,
    /// It never started. From `Waiting` or `Ready`.
    Skipped,
}

impl InstanceState {
    /// It has not started, and may still.
    pub(super) fn is_pending(self) -> bool {
        matches!(self, Self::Waiting | Self::Ready)
    }

    fn may_become(self, next: Self) -> bool {
        match self {
            Self::Waiting => matches!(next, Self::Ready | Self::Skipped),
            Self::Ready => matches!(next, Self::Running | Self::Skipped),
            Self::Running => {
                matches!(next, Self::Done | Self::Failed | Self::Allowed | Self::Cancelled | Self::Waiting)
            }
            Self::Done => next == Self::Ready,
            Self::Failed | Self::Allowed | Self::Cancelled | Self::Skipped => false,
        }
    }
}

/// All states, changed in one place only.
#[derive(Debug)]
pub(super) struct States(Vec<InstanceState>);

impl States {
    pub(super) fn new(instances: usize) -> Self {
        Self(vec![InstanceState::Waiting; instances])
    }

    pub(super) fn get(&self, node: NodeIndex) -> InstanceState {
        self.0[node.index()]
    }

    /// The only transition.
    ///
    /// # Panics
    /// When the precondition of `next` does not hold: a defect of the queue, which no run may survive unnoticed.
    pub(super) fn set(&mut self, node: NodeIndex, next: InstanceState) {
        let now = &mut self.0[node.index()];
        assert!(now.may_become(next), "instance {} cannot go from {now:?} to {next:?}", node.index());
        *now = next;
    }

    /// The instances that have not started, and may still.
    pub(super) fn pending(&self) -> impl Iterator<Item = NodeIndex> {
        self.0.iter().enumerate().filter(|(_, state)| state.is_pending()).map(|(i, _)| NodeIndex::new(i))
    }
}
