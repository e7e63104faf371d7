//! Who lives, told by connections.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Long enough for a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The listener that the processes of steps connect to.
pub(crate) struct Witness {
    listener: TcpListener,
    members: Vec<(String, BufReader<TcpStream>)>,
}

impl Witness {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, members: Vec::new() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Waits until so many have connected in all.
    #[track_caller]
    pub(crate) fn expect(&mut self, count: usize) {
        let begun = Instant::now();
        while self.members.len() < count {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut reader = BufReader::new(stream);
                    let mut name = String::new();
                    reader.read_line(&mut name).unwrap();
                    self.members.push((name.trim().to_owned(), reader));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(begun.elapsed() < PATIENCE, "{} of {count} have come", self.members.len());
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Ends the members of that name: their read returns.
    pub(crate) fn release(&mut self, name: &str) {
        let count = self.members.len();
        self.members.retain(|(member, _)| member != name);
        assert!(self.members.len() < count, "nobody is called {name}");
    }

    /// Every connection is closed by the other side, and no further one was made, within `limit`.
    #[track_caller]
    pub(crate) fn all_end(&mut self, limit: Duration) {
        let begun = Instant::now();
        for (name, reader) in &mut self.members {
            let left = limit.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
            reader.get_ref().set_read_timeout(Some(left)).unwrap();
            match reader.read(&mut [0]) {
                Ok(0) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                other => panic!("`{name}` lives {limit:?} later: {other:?}"),
            }
        }
        self.members.clear();
        while let Ok((mut late, _)) = self.listener.accept() {
            late.set_nonblocking(false).unwrap();
            late.set_read_timeout(Some(limit)).unwrap();
            let end = late.read_to_end(&mut Vec::new());
            assert!(end.is_ok(), "one that came late lives: {end:?}");
        }
    }
}
