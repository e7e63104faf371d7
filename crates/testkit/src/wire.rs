//! A way to a node on which what is sent is counted, and that breaks where a test wants it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A proxy on loopback. It passes on for as long as the test program lives.
#[derive(Debug)]
pub struct Wire {
    /// It listens there on 127.0.0.1.
    pub port: u16,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// Bytes to the node, of all connections.
    sent: AtomicU64,
    /// The connection breaks when so many have been sent.
    most: AtomicU64,
}

impl Wire {
    /// One to `port` of 127.0.0.1.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts { sent: AtomicU64::new(0), most: AtomicU64::new(u64::MAX) });
        let wire = Self { port: near, counts: Arc::clone(&counts) };
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let counts = Arc::clone(&counts);
                thread::spawn(move || pass(near, far, Some(&counts)));
                thread::spawn(move || pass(back, forth, None));
            }
        });
        wire
    }

    /// Bytes that were sent to the node, since it was last asked.
    pub fn sent(&self) -> u64 {
        self.counts.sent.swap(0, Ordering::SeqCst)
    }

    /// Counts from here on, and breaks once when so many bytes have been sent.
    pub fn break_after(&self, bytes: u64) {
        self.sent();
        self.counts.most.store(bytes, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counts: Option<&Counts>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(counts) = counts {
            let sent = counts.sent.fetch_add(length as u64, Ordering::SeqCst) + length as u64;
            if sent > counts.most.load(Ordering::SeqCst) {
                counts.most.store(u64::MAX, Ordering::SeqCst);
                break;
            }
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}
