//! The time that a run has had: it stands still while the run is stopped, as by Ctrl-Z.
//!
//! Deadlines are set and looked at in this time, so that a step that was given a minute gets a minute, whatever came in
//! between. It is never ahead of the monotonic clock, hence `poll` with what is left until a deadline wakes too early
//! at worst.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How long it has stood still so far.
    lost: Duration,
    /// Since when it stands still.
    since: Option<Instant>,
}

impl Clock {
    pub(super) fn now(&self) -> Instant {
        let state = self.lock();
        let at = state.since.unwrap_or_else(Instant::now);
        at.checked_sub(state.lost).unwrap_or(at)
    }

    pub(super) fn stop(&self) {
        self.lock().since.get_or_insert_with(Instant::now);
    }

    pub(super) fn go_on(&self) {
        let mut state = self.lock();
        if let Some(since) = state.since.take() {
            state.lost += since.elapsed();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_and_goes_on_from_there() {
        let clock = Clock::default();
        let begun = Instant::now();
        clock.stop();
        let stopped = clock.now();
        std::thread::sleep(Duration::from_millis(50));
        clock.stop();
        assert_eq!(clock.now(), stopped);
        clock.go_on();
        clock.go_on();
        let now = clock.now();
        assert!(now >= stopped);
        assert!(now + Duration::from_millis(50) <= Instant::now());
        assert!(now >= begun);
    }
}
