//! A terminal: its keys, and what appears on it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// Long enough for a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// Its key.
pub const CTRL_C: u8 = 3;
/// Its key.
pub const CTRL_Z: u8 = 26;

/// A pseudo terminal.
#[derive(Debug)]
pub struct Terminal {
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// The command will have it as stdin, stdout and stderr.
    pub fn open(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let end = OpenOptions::new().read(true).write(true).open(name).unwrap();
        // As a terminal of a careful person: who writes in the background is stopped.
        let mut settings = tcgetattr(&end).unwrap();
        settings.local_modes |= LocalModes::TOSTOP;
        tcsetattr(&end, OptionalActions::Now, &settings).unwrap();
        command.stdin(end.try_clone().unwrap()).stdout(end.try_clone().unwrap()).stderr(end);
        let keys = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, shown) = (keys.try_clone().unwrap(), screen.clone());
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end: nobody has the other side open.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { keys, screen, reader }
    }

    /// Of this size; until it is set, nobody knows one.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keys, size).unwrap();
    }

    /// Somebody presses that key.
    pub fn press(&mut self, key: u8) {
        self.keys.write_all(&[key]).unwrap();
    }

    /// Keys are shown when they are pressed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.keys).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// All that was written to it so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// All that was written to it, when nobody has it open any more.
    #[track_caller]
    pub fn whole(&self) -> String {
        let begun = Instant::now();
        while !self.reader.is_finished() {
            assert!(begun.elapsed() < PATIENCE, "somebody has the terminal still open");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.text()
    }

    /// Waits until that text has appeared.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` is not in: {}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
