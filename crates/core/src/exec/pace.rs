//! A node's `bandwidth`: what feeds commands there waits for its turn.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use os_pipe::PipeWriter;
use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionbio;

use super::poll::poll;

/// Turns in a second. One that comes late makes up for the time of one.
const TURNS: u32 = 20;

/// The most in a turn, in bytes: a pipe takes no more.
const LARGEST: u64 = 64 << 10;

/// Between two looks whether the reader has ended, where it does not read and a child of its holds the pipe open.
const LOOK: Duration = Duration::from_millis(100);

/// The paces of a run, by node: all that is fed there at the same time shares one.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<BTreeMap<String, Arc<Pace>>>);

impl Paces {
    /// The node's, of so many bytes a second.
    pub(super) fn of(&self, node: &str, bytes: u64) -> Arc<Pace> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(paces.entry(node.to_owned()).or_insert_with(|| Arc::new(Pace::new(bytes))))
    }
}

/// Turns, one after the other, that take as long as their bytes may.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes in a second.
    rate: u64,
    /// When the next turn begins.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), next: Mutex::default() }
    }

    /// How many bytes a turn has at most.
    fn chunk(&self) -> usize {
        usize::try_from((self.rate / u64::from(TURNS)).clamp(1, LARGEST)).unwrap_or(1)
    }

    /// Takes the next turn; how long to wait for it.
    fn turn(&self, now: Instant, bytes: usize) -> Duration {
        let takes = Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.rate);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // Time in which nothing was sent is lost, or a stall would be followed by a flood.
        let late = now.checked_sub(Duration::from_secs(1) / TURNS).unwrap_or(now);
        let begin = next.map_or(now, |next| next.max(late));
        *next = Some(begin + takes);
        begin.saturating_duration_since(now)
    }

    /// Hands the file on, from where it stands to its end, or until nobody reads it or `over` is closed. The position
    /// moves with it. `now` is the run's time.
    pub(super) fn feed(
        &self,
        mut file: &File,
        mut pipe: PipeWriter,
        now: &dyn Fn() -> Instant,
        over: &Receiver<()>,
    ) -> io::Result<()> {
        // Of the pipe's this end alone.
        ioctl_fionbio(&pipe, true)?;
        let mut buffer = vec![0; self.chunk()];
        loop {
            let mut chunk = match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if over.recv_timeout(self.turn(now(), chunk.len())) == Err(RecvTimeoutError::Disconnected) {
                return Ok(());
            }
            while !chunk.is_empty() {
                poll(&mut [PollFd::new(&pipe, PollFlags::OUT)], Some(LOOK))?;
                if over.try_recv() == Err(TryRecvError::Disconnected) {
                    return Ok(());
                }
                match pipe.write(chunk) {
                    Ok(length) => chunk = &chunk[length..],
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Takes turns of `bytes` until `for_long` is over, doing nothing else; how many bytes those were.
    fn taken(pace: &Pace, begin: Instant, for_long: Duration, bytes: usize) -> usize {
        let (mut now, mut sum) = (begin, 0);
        loop {
            now += pace.turn(now, bytes);
            if now >= begin + for_long {
                return sum;
            }
            sum += bytes;
        }
    }

    #[test]
    fn no_stretch_of_time_gets_more_than_its_share() {
        let begin = Instant::now();
        for rate in [1000, 999_999, 1 << 20, 100_000_000_000] {
            let pace = Pace::new(rate);
            let chunk = pace.chunk();
            assert!(chunk as u64 <= (rate / 20).max(1));
            for (from, long) in [(0, 100), (10_000, 400), (10_500, 60)] {
                let (from, long) = (Duration::from_millis(from), Duration::from_millis(long));
                let sum = taken(&pace, begin + from, long, chunk) as u64;
                let share = rate * u64::try_from(long.as_millis()).unwrap() / 1000;
                assert!(sum.abs_diff(share) <= rate / 10, "{rate}: {sum} of {share}");
            }
        }
    }

    #[test]
    fn those_at_once_share() {
        let (pace, now) = (Pace::new(1000), Instant::now());
        let waits = [0, 50, 100, 150].map(Duration::from_millis);
        assert_eq!([0; 4].map(|_| pace.turn(now, 50)), waits);
        let paces = Paces::default();
        paces.of("a", 1000).turn(now, 50);
        assert_eq!(paces.of("a", 1000).turn(now, 50), waits[1]);
        assert_eq!(paces.of("b", 1000).turn(now, 50), waits[0]);
    }

    fn file(length: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; length]).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn the_file_arrives_from_where_it_stands_and_no_sooner_than_it_may() {
        let mut file = file(300_000);
        file.seek(io::SeekFrom::Start(100_000)).unwrap();
        let (mut reader, pipe) = os_pipe::pipe().unwrap();
        let (_going, over) = mpsc::channel();
        let begun = Instant::now();
        let read = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all.len())
        });
        Pace::new(1_000_000).feed(&file, pipe, &Instant::now, &over).unwrap();
        assert_eq!(read.join().unwrap().unwrap(), 200_000);
        assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
        assert_eq!(file.stream_position().unwrap(), 300_000);
    }

    #[test]
    fn it_ends_with_its_reader_and_with_the_command() {
        let file = file(10_000_000);
        let (reader, pipe) = os_pipe::pipe().unwrap();
        let (going, over) = mpsc::channel();
        drop(reader);
        Pace::new(1 << 30).feed(&file, pipe, &Instant::now, &over).unwrap();
        // A reader that does not read, of a command that has ended.
        for rate in [1 << 30, 1] {
            let (_reader, pipe) = os_pipe::pipe().unwrap();
            let (file, (going, over)) = (&file, mpsc::channel());
            let begun = Instant::now();
            thread::scope(|scope| {
                let fed = scope.spawn(move || Pace::new(rate).feed(file, pipe, &Instant::now, &over));
                thread::sleep(Duration::from_millis(200));
                assert!(!fed.is_finished());
                drop(going);
                fed.join().unwrap().unwrap();
            });
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        drop(going);
    }
}
