//! Signals from outside: a thread that receives them and passes them on. Unaware of what a run is.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator;

type Handler = Box<dyn Fn(i32) + Send>;

/// The signals that end a run.
pub const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// Receives the signals that end a run, for as long as it lives.
///
/// Install it before anything starts: what comes before a run takes it is kept for the run. A signal that was ignored
/// when the process began (`nohup`, a shell's background job) stays ignored. When it is dropped, its threads end, and the
/// signals are lost: they do not get back what they did before.
#[derive(Debug)]
pub struct Signals {
    relay: Relay,
    thread: Option<(iterator::Handle, JoinHandle<()>)>,
    parent: Option<(UnixStream, JoinHandle<()>)>,
}

impl Signals {
    /// Begins to receive.
    pub fn install() -> io::Result<Self> {
        Self::receive(Relay::send)
    }

    /// Begins to receive what a parent process says over `link`: a byte for each signal, in the order in which they came.
    /// SIGTSTP is answered with the same byte as soon as the run stands still. The end of `link` is the parent's end, and
    /// as good as SIGKILL.
    ///
    /// A signal that comes to this process itself is heard too, but is no second one: who signals every process of a
    /// group or of a name means it once.
    pub fn from_parent(link: UnixStream) -> io::Result<Self> {
        let mut signals = Self::receive(Relay::send_itself)?;
        let (to, mut reader) = (signals.relay.clone(), link.try_clone()?);
        let thread = std::thread::Builder::new().name("parent".into()).spawn(move || {
            let mut byte = [0];
            while matches!(reader.read(&mut byte), Ok(1)) {
                to.send_of_parent(i32::from(byte[0]));
                if i32::from(byte[0]) == SIGTSTP {
                    let _ = reader.write_all(&byte);
                }
            }
            to.send(SIGKILL);
        })?;
        signals.parent = Some((link, thread));
        Ok(signals)
    }

    fn receive(pass: impl Fn(&Relay, i32) + Send + 'static) -> io::Result<Self> {
        let ignored = ignored();
        let wanted = ENDING.into_iter().filter(|number| !ignored.contains(number));
        let mut signals = iterator::Signals::new(wanted)?;
        let handle = signals.handle();
        let relay = Relay::default();
        let to = relay.clone();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                pass(&to, signal);
            }
        })?;
        Ok(Self { relay, thread: Some((handle, thread)), parent: None })
    }

    /// Receives nothing from outside, only what is sent through the relay: for tests and for embedding.
    pub fn by_hand() -> (Self, Relay) {
        let relay = Relay::default();
        (Self { relay: relay.clone(), thread: None, parent: None }, relay)
    }

    /// While something is done before a run, `handler` gets the signals that end one.
    pub fn meanwhile<T>(&self, handler: impl Fn(i32) + Send + 'static, done: impl FnOnce() -> T) -> T {
        self.attach(move |signal| {
            if ENDING.contains(&signal) || signal == SIGKILL {
                handler(signal);
            }
        });
        let done = done();
        self.detach();
        done
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
        if let Some((link, thread)) = self.parent.take() {
            let _ = link.shutdown(Shutdown::Both);
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
    /// Of those that end a run, one has been passed on.
    asked: bool,
    /// It came to this process itself, and the parent has not told of it yet.
    unpaired: bool,
}

impl Relay {
    /// As if the process had received the signal of that number.
    pub fn send(&self, signal: i32) {
        self.lock().pass(signal);
    }

    /// Came to this process, while a parent speaks for it.
    fn send_itself(&self, signal: i32) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.asked, true) {
            state.unpaired = true;
            state.pass(signal);
        }
    }

    /// Came to the parent.
    fn send_of_parent(&self, signal: i32) {
        let mut state = self.lock();
        if ![SIGTSTP, SIGCONT].contains(&signal) {
            state.asked = true;
            if std::mem::take(&mut state.unpaired) {
                return;
            }
        }
        state.pass(signal);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RelayState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelayState {
    fn pass(&mut self, signal: i32) {
        match &self.handler {
            Some(handler) => handler(signal),
            None => self.waiting.push(signal),
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

/// Those of [`ENDING`] that this process ignores. None where the kernel does not tell.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // Bit 0 is signal 1.
    ENDING.into_iter().filter(|number| mask & (1 << (number - 1)) != 0).collect()
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

    /// A pair of a parent's end and signals that it speaks for; what arrives.
    fn with_parent() -> (UnixStream, Signals, Arc<Mutex<Vec<i32>>>) {
        let (parent, child) = UnixStream::pair().unwrap();
        let signals = Signals::from_parent(child).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = seen.clone();
        signals.attach(move |signal| to.lock().unwrap().push(signal));
        (parent, signals, seen)
    }

    #[test]
    fn a_signal_to_parent_and_child_is_one() {
        for itself_first in [true, false] {
            let (mut parent, signals, seen) = with_parent();
            // The answer to SIGTSTP tells that everything before it has been heard.
            let mut tell = |byte: i32| {
                parent.write_all(&[u8::try_from(byte).unwrap(), 20]).unwrap();
                parent.read_exact(&mut [0]).unwrap();
            };
            if itself_first {
                signals.relay.send_itself(15);
                tell(15);
            } else {
                tell(15);
                signals.relay.send_itself(15);
            }
            signals.relay.send_itself(15);
            tell(2);
            let seen: Vec<i32> = seen.lock().unwrap().iter().copied().filter(|n| *n != SIGTSTP).collect();
            assert_eq!(seen, [15, 2]);
        }
    }

    #[test]
    fn the_end_of_the_parent_ends_everything() {
        let (parent, mut signals, seen) = with_parent();
        drop(parent);
        signals.parent.take().unwrap().1.join().unwrap();
        assert_eq!(*seen.lock().unwrap(), [SIGKILL]);
    }
}
