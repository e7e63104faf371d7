//! Steps that print without measure. `scripts/soak logs` does the same with gigabytes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::Lab;

/// The most that one process of the program had in memory, of `pid` and what is below it.
fn peak(pid: u32) -> u64 {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    if !fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("pipeline")) {
        return 0;
    }
    let own = read("status")
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok());
    let below = read(&format!("task/{pid}/children"))
        .split_whitespace()
        .map(|child| peak(child.parse().unwrap()))
        .max();
    own.unwrap_or(0).max(below.unwrap_or(0))
}

/// The same of a command, until it ends.
fn most(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    most
}

#[test]
fn memory_and_disk_are_bounded_and_the_end_is_shown() {
    let lab = Lab::new();
    let printers = [
        "i=0; while [ $i -lt 40 ]; do cat lines; i=$((i+1)); done",
        "cat zeros zeros zeros zeros",
        "cat long long long long long long long long",
        "printf \"\\033]0;\"; cat long long long long",
    ];
    let mut recipe = String::from("version = 1\n[defaults.run]\nmax-log = \"1 MiB\"\n");
    for (index, printer) in printers.iter().enumerate() {
        recipe += &format!(
            "[[step]]\nid = \"s{index}\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '''{printer}; echo; echo the end; exit 3''']\n"
        );
    }
    lab.recipe(&recipe);
    lab.space.write("lines", "a line of a log, about as long as they are\n".repeat(10_000));
    lab.space.write("zeros", vec![0; 2 << 20]);
    lab.space.write("long", "x".repeat(4 << 20));
    let most = most(&mut lab.pipeline(&["run", "-j", "4", "-k"]));
    assert!(most > 0 && most < 64 * 1024, "{most} KiB");
    let folder = lab.run_folder();
    for index in 0..printers.len() {
        let log = fs::read_to_string(folder.join(format!("logs/s{index}@host.log"))).unwrap();
        assert!(log.len() < 5 << 18, "s{index}: {} bytes", log.len());
        assert!(log.contains("\nthe end\n# failed: "), "s{index}: {}", &log[log.len() - 300..]);
        assert!(log.contains(" lines are left out here: `max-log` bounds the log\n"), "s{index}");
        assert!(!log.contains('\0') && !log.contains('\u{1b}'));
    }
    let events = fs::metadata(folder.join("events.jsonl")).unwrap().len();
    assert!(events < 12 << 20, "{events} bytes");
}

/// A log that is larger than the bound on memory. PIPELINE_TEST_LOG_MB=1000 makes it a gigabyte.
#[test]
fn a_log_is_shown_followed_and_exported_in_bounded_memory() {
    let megabytes: u64 =
        std::env::var("PIPELINE_TEST_LOG_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let lab = Lab::new();
    // Long ones, as each takes time.
    lab.space.write("lines", format!("{}\n", "x".repeat(9_999)).repeat(100));
    lab.recipe(&format!(
        "version = 1\n[[step]]\nid = \"print\"\nuses = \"run\"\nmax-log = \"3 GiB\"\n\
         argv = [\"sh\", \"-c\", \"i=0; while [ $i -lt {megabytes} ]; do cat lines; i=$((i+1)); done; exit 3\"]\n"
    ));
    let bound = |args: &[&str]| {
        let most = most(&mut lab.pipeline(args));
        println!("{args:?}: at most {} MB", most / 1024);
        assert!(most > 0 && most < 64 * 1024, "{args:?}: {most} KiB");
    };
    bound(&["run", "--junit", "out.xml", "--trace", "out.json", "--report", "out.html"]);
    let log = lab.run_folder().join("logs/print@host.log");
    assert!(fs::metadata(&log).unwrap().len() > megabytes * 990_000);
    assert!(lab.space.read("out.xml").len() < 100_000 && lab.space.read("out.json").len() < 100_000);
    for args in [
        &["logs", "print"][..],
        &["logs", "print", "-n", "9000"],
        &["logs", "print", "--follow"],
        &["history"],
        &["status"],
        &["export", "--junit", "out.xml", "--trace", "out.json"],
        &["report", "-o", "out.html"],
    ] {
        bound(args);
    }
    // And from the events alone.
    fs::remove_file(&log).unwrap();
    bound(&["logs", "print"]);
}
