//! Signals from outside: a thread that receives them and passes them on. Unaware of what a run is.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

type Handler = Box<dyn Fn(i32) + Send>;

/// Receives SIGINT, SIGTERM and SIGHUP for as long as it lives.
///
/// Install it before anything starts: what comes before a run takes it is kept for the run. A signal that was ignored
/// when the process began (`nohup`, a shell's background job) stays ignored. When it is dropped, its thread ends, and the
/// signals are lost: they do not get back what they did before.
#[derive(Debug)]
pub struct Signals {
    relay: Relay,
    thread: Option<(iterator::Handle, JoinHandle<()>)>,
}

impl Signals {
    /// Begins to receive.
    pub fn install() -> io::Result<Self> {
        let ignored = ignored();
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|n| ignored & (1 << (n - 1)) == 0);
        let mut signals = iterator::Signals::new(wanted)?;
        let handle = signals.handle();
        let relay = Relay::default();
        let to = relay.clone();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                to.send(signal);
            }
        })?;
        Ok(Self { relay, thread: Some((handle, thread)) })
    }

    /// Receives nothing from outside, only what is sent through the relay: for tests and for embedding.
    pub fn by_hand() -> (Self, Relay) {
        let relay = Relay::default();
        (Self { relay: relay.clone(), thread: None }, relay)
    }

    /// From now on `handler` gets the signals, first those that have come already.
    pub(super) fn attach(&self, handler: impl Fn(i32) + Send + 'static) {
        let mut state = self.relay.lock();
        for signal in state.waiting.drain(..) {
            handler(signal);
        }
        state.handler = Some(Box::new(handler));
    }

    /// From now on signals are kept again.
    pub(super) fn detach(&self) {
        self.relay.lock().handler = None;
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.detach();
        if let Some((handle, thread)) = self.thread.take() {
            handle.close();
            let _ = thread.join();
        }
    }
}

/// Passes signals on to whoever is attached, and keeps them until somebody is.
#[derive(Clone, Default)]
pub struct Relay(Arc<Mutex<RelayState>>);

#[derive(Default)]
struct RelayState {
    handler: Option<Handler>,
    waiting: Vec<i32>,
}

impl Relay {
    /// As if the process had received the signal of that number.
    pub fn send(&self, signal: i32) {
        let mut state = self.lock();
        match &state.handler {
            Some(handler) => handler(signal),
            None => state.waiting.push(signal),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RelayState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

/// The mask of signals that this process ignores, bit 0 for number 1. Nothing where the kernel does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_before_the_run_is_kept_for_it() {
        let (signals, relay) = Signals::by_hand();
        relay.send(2);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = seen.clone();
        signals.attach(move |signal| to.lock().unwrap().push(signal));
        relay.send(15);
        assert_eq!(*seen.lock().unwrap(), [2, 15]);
    }
}
