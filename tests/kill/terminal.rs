//! A terminal: its keys, and what appears on it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::witness::PATIENCE;

pub(crate) const CTRL_C: u8 = 3;
pub(crate) const CTRL_Z: u8 = 26;

pub(crate) struct Terminal {
    keys: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// The command will have it as stdin, stdout and stderr.
    pub(crate) fn open(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let end = OpenOptions::new().read(true).write(true).open(name).unwrap();
        // As a terminal of a careful person: who writes in the background is stopped.
        let mut settings = rustix::termios::tcgetattr(&end).unwrap();
        settings.local_modes |= rustix::termios::LocalModes::TOSTOP;
        rustix::termios::tcsetattr(&end, rustix::termios::OptionalActions::Now, &settings).unwrap();
        command.stdin(end.try_clone().unwrap()).stdout(end.try_clone().unwrap()).stderr(end);
        let keys = File::from(master);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (keys.try_clone().unwrap(), screen.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end: nobody has the other side open.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { keys, screen }
    }

    pub(crate) fn press(&mut self, key: u8) {
        self.keys.write_all(&[key]).unwrap();
    }

    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until that text has appeared.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` is not in: {}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
