//! What may pass, and how long it is waited for: a delivery then begins again with its question, and goes on from what is
//! there.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{Failure, FailureKind};

/// After a lost connection.
const RECONNECT: &[u64] = &[1, 3, 6];

/// While another delivery works on the same blob: a dead one gives up after 20 s.
const OTHERS: &[u64] = &[2; 15];

/// Why a turn did not end well.
#[derive(Debug)]
pub(super) enum Setback {
    /// It will not be otherwise next time.
    Lasting(Failure),
    /// The connection was lost.
    Broken(Failure),
    /// Another delivery is at it, or was.
    Others(Failure),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Unreachable => Self::Broken(failure),
            _ => Self::Lasting(failure),
        }
    }
}

/// Waits grow with each turn that has brought nothing, and end.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Connections that were lost since something has changed on the node.
    lost: usize,
    /// Turns since then in which others were at it. These say nothing of the connection.
    behind: usize,
    seen: Option<HashMap<String, u64>>,
}

impl Patience {
    /// The node has answered: this is what it keeps of earlier turns, and others'.
    pub(super) fn heard(&mut self, spool: &HashMap<String, u64>) {
        if self.seen.as_ref() != Some(spool) {
            self.seen = Some(spool.clone());
            (self.lost, self.behind) = (0, 0);
        }
    }

    /// How long to wait for another turn, or why there is none.
    pub(super) fn after(&mut self, setback: Setback) -> Result<(Failure, Duration), Failure> {
        let (failure, waits, turns) = match setback {
            Setback::Lasting(failure) => return Err(failure),
            // A node that has never answered is down.
            Setback::Broken(failure) if self.seen.is_none() => return Err(failure),
            Setback::Broken(failure) => (failure, RECONNECT, &mut self.lost),
            Setback::Others(failure) => (failure, OTHERS, &mut self.behind),
        };
        let Some(wait) = waits.get(*turns) else { return Err(failure) };
        *turns += 1;
        Ok((failure, Duration::from_secs(*wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(size: u64) -> HashMap<String, u64> {
        [("a.partial".to_owned(), size)].into()
    }

    fn broken() -> Setback {
        Failure::new(FailureKind::Unreachable, "gone").into()
    }

    #[test]
    fn a_connection_is_made_again_for_as_long_as_that_brings_something() {
        let mut patience = Patience::default();
        for round in 0..10 {
            patience.heard(&spool(round));
            for wait in [1, 3] {
                assert_eq!(patience.after(broken()).unwrap().1, Duration::from_secs(wait));
                patience.heard(&spool(round));
            }
        }
        patience.after(broken()).unwrap();
        assert_eq!(patience.after(broken()).unwrap_err().kind, FailureKind::Unreachable);
    }

    #[test]
    fn waiting_for_the_receiver_of_a_lost_connection_takes_no_reconnection_away() {
        let mut patience = Patience::default();
        patience.heard(&spool(1));
        patience.after(broken()).unwrap();
        for _ in 0..OTHERS.len() {
            let others = Setback::Others(Failure::new(FailureKind::Io, "another delivery"));
            patience.after(others).unwrap();
            patience.heard(&spool(1));
        }
        assert_eq!(patience.after(broken()).unwrap().1, Duration::from_secs(3));
    }

    #[test]
    fn what_lasts_is_not_waited_for_nor_a_node_that_never_answered() {
        let mut patience = Patience::default();
        patience.after(broken()).unwrap_err();
        patience.heard(&spool(0));
        patience.after(broken()).unwrap();
        let full = Failure::new(FailureKind::NoSpace, "full");
        assert_eq!(patience.after(full.into()).unwrap_err().kind, FailureKind::NoSpace);
    }
}
