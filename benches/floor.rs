//! What a benchmark compares with, and what it measures with; one file, compiled by itself.
//!
//!     floor lap SECONDS COMMAND...      runs a command
//!     floor spawn COUNT MODE            /bin/true COUNT times, two at once: the least that a run of steps can cost
//!     floor stat COUNT                  asks for the files `o/s0`, `o/s1`, ...: the least that a run with nothing to do takes
//!
//! Each prints the milliseconds on the clock and of CPU (user and system, with all children), the MiB of the largest
//! process, those milliseconds of CPU that were spent here and not in children, and the exit code.
//!
//! It is a small program since a child's peak of memory is never seen below the memory of the one that started it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

const LATE: i32 = 124;

#[repr(C)]
#[derive(Default)]
struct Usage {
    user: [i64; 2],
    system: [i64; 2],
    memory: i64,
    rest: [i64; 13],
}

impl Usage {
    fn cpu(&self) -> f64 {
        [self.user, self.system].iter().map(|[seconds, micros]| *seconds as f64 * 1e3 + *micros as f64 / 1e3).sum()
    }
}

unsafe extern "C" {
    fn getrusage(who: i32, usage: *mut Usage) -> i32;
    fn kill(process: i32, signal: i32) -> i32;
}

fn usage(who: i32) -> Usage {
    let mut usage = Usage::default();
    assert_eq!(unsafe { getrusage(who, &raw mut usage) }, 0);
    usage
}

fn own() -> Usage {
    usage(0)
}

fn children() -> Usage {
    usage(-1)
}

/// Not what `getrusage` says of this process: that remembers who started it.
fn memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    peak.trim().trim_end_matches(" kB").parse::<f64>().expect("kB") / 1024.0
}

fn lap(seconds: u64, command: &[String]) -> (Usage, f64, i32) {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    let id = i32::try_from(child.id()).expect("a process number");
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        let late = end.recv_timeout(Duration::from_secs(seconds)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            unsafe { kill(id, 9) };
        }
        late
    });
    let status = child.wait().expect("wait");
    drop(ended);
    let late = guard.join().expect("the guard");
    let usage = children();
    let memory = usage.memory as f64 / 1024.0;
    (usage, memory, if late { LATE } else { status.code().unwrap_or(255) })
}

/// One after another, until `count` are done. Output goes into one pipe and is read, as an engine has to.
fn spawn(next: &AtomicUsize, count: usize, captured: bool) {
    while next.fetch_add(1, Ordering::Relaxed) < count {
        let mut command = Command::new("/bin/true");
        command.stdin(Stdio::null());
        if captured {
            let (mut read, write) = io::pipe().expect("pipe");
            command.stdout(write.try_clone().expect("pipe")).stderr(write);
            let mut child = command.spawn().expect("/bin/true");
            drop(command);
            read.read_to_end(&mut Vec::new()).expect("output");
            child.wait().expect("wait");
        } else {
            command.status().expect("/bin/true");
        }
    }
}

fn main() {
    let began = Instant::now();
    let words: Vec<String> = env::args().skip(1).collect();
    let count = || words[1].parse::<usize>().expect("a number");
    let (cpu, memory, code) = match words[0].as_str() {
        "lap" => {
            let (usage, memory, code) = lap(count() as u64, &words[2..]);
            (usage.cpu(), memory, code)
        }
        "spawn" => {
            let (next, count, captured) = (AtomicUsize::new(0), count(), words[2] == "captured");
            thread::scope(|scope| {
                scope.spawn(|| spawn(&next, count, captured));
                spawn(&next, count, captured);
            });
            (own().cpu() + children().cpu(), memory(), 0)
        }
        "stat" => {
            for step in 0..count() {
                fs::metadata(format!("o/s{step}")).expect("a file");
            }
            (own().cpu(), memory(), 0)
        }
        other => panic!("no such mode: {other}"),
    };
    println!("{} {cpu} {memory} {} {code}", began.elapsed().as_secs_f64() * 1e3, own().cpu());
}
