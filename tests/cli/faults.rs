//! A machine that is short of something, or whose clock is wrong: a clear error or the right result, and the next run is right.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use pipeline_core::event::EventKind;
use pipeline_testkit::{find, require, skip};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount, unmount,
};
use rustix::process::geteuid;

use crate::PIPELINE;
use crate::chain::{bound, chain, change, fill, recovers, refused, right, steps};
use crate::lab::{Lab, Ran};

/// Does it in a mount namespace of its own, or skips the test.
fn apart(test: impl FnOnce() + Send) {
    let begin = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        Ok(())
    };
    std::thread::scope(|scope| {
        let begun = scope.spawn(move || begin().map(|()| test()));
        let begun: Result<(), std::io::Error> =
            begun.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Err(error) = begun {
            skip(&format!("needs a mount namespace: {error}"));
        }
    });
}

#[test]
fn a_workspace_that_only_reads_is_refused() {
    let lab = chain();
    apart(|| {
        let here = lab.space.path(".").canonicalize().unwrap();
        for case in ["nothing was done yet", "all was done"] {
            mount_bind(&here, &here).unwrap();
            mount_remount(&here, MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
            lab.output(&["plan"]).must(0);
            lab.output(&["explain"]).must(0);
            let ran = lab.output(&["run"]);
            refused(&ran, 5, &[".pipeline", "Read-only file system", "on a disk that can be written to"]);
            unmount(&here, UnmountFlags::empty()).unwrap();
            let (ran, _) = recovers(&lab, case);
            assert_eq!(ran.is_empty(), case == "all was done", "{case}");
        }
    });
}

#[test]
fn a_workspace_of_somebody_else_is_refused() {
    if geteuid().is_root() {
        require!("setpriv");
    }
    let lab = chain();
    fs::set_permissions(lab.space.path("."), fs::Permissions::from_mode(0o555)).unwrap();
    let ran = Ran::of(&mut bound(&lab, &["run"]));
    fs::set_permissions(lab.space.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    refused(&ran, 5, &[".pipeline", "Permission denied", "make it readable and writable"]);
    recovers(&lab, "writable again");
}

#[test]
fn a_full_disk_is_told_and_with_room_all_is_right() {
    const DISK: usize = 512 << 10;
    let lab = chain();
    apart(|| {
        let here = lab.space.path(".").canonicalize().unwrap();
        let (mut failed, mut succeeded) = (0, 0);
        for done_before in [false, true] {
            for pages in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 40] {
                let case = format!("{pages} pages free, done before: {done_before}");
                mount("tmpfs", &here, "tmpfs", MountFlags::empty(), Some(c"size=512k")).unwrap();
                fill(&lab);
                if done_before {
                    lab.output(&["run"]).must(0);
                    change(&lab);
                }
                let ran = on_full_disk(&lab, DISK, pages);
                assert!([0, 1, 5].contains(&ran.code), "{case}: {} {}", ran.code, ran.stderr);
                assert!(!ran.stderr.contains("panicked"), "{case}: {}", ran.stderr);
                if ran.code == 0 {
                    right(&lab, &case);
                    succeeded += 1;
                } else {
                    assert!(ran.stderr.contains("No space left on device"), "{case}: {}", ran.stderr);
                    assert!(ran.stderr.contains("make room on the disk"), "{case}: {}", ran.stderr);
                    failed += 1;
                }
                let _ = fs::remove_file(lab.space.path("ballast"));
                recovers(&lab, &case);
                // What a run has left has two seconds to go: nobody may be in the folder then.
                let gone = (0..20).any(|_| {
                    let done = unmount(&here, UnmountFlags::empty()).is_ok();
                    if !done {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    done
                });
                assert!(gone, "{case}: somebody is still in the folder");
            }
        }
        assert!(failed > 4 && succeeded > 1, "{failed} failed, {succeeded} succeeded");
    });
}

/// A run with so many pages free.
fn on_full_disk(lab: &Lab, disk: usize, pages: usize) -> Ran {
    let ballast = lab.space.path("ballast");
    // Up to the last page, then some of it is given back.
    let _ = fs::write(&ballast, vec![1; disk]);
    let file = File::options().write(true).open(&ballast).unwrap();
    let full = file.metadata().unwrap().len();
    file.set_len(full.saturating_sub(pages as u64 * 4096)).unwrap();
    lab.output(&["run"])
}

#[test]
fn few_open_files_are_told_or_enough() {
    require!("prlimit");
    let lab = Lab::new();
    let steps: String = (0..40)
        .map(|n| {
            format!(
                "[[step]]\nid = \"s{n}\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"echo {n} >f{n}\"]\noutputs = {{ file = \"f{n}\" }}\n"
            )
        })
        .collect();
    lab.recipe(&format!("version = 1\n{steps}"));
    let made = || (0..40).filter(|n| lab.space.path(format!("f{n}")).exists()).count();
    // 64 do for the usual number of jobs; where they do not, that is told, and what to do about it.
    for (files, jobs, enough) in [(64, "4", true), (64, "64", false), (16, "4", false), (6, "4", false)] {
        let mut command = lab.space.command(find("prlimit").unwrap());
        command.arg(format!("--nofile={files}")).arg(crate::PIPELINE).args(["run", "--force", "-j", jobs]);
        let ran = Ran::of(&mut command);
        let case = format!("{files} files, {jobs} jobs");
        assert!(!ran.stderr.contains("panicked"), "{case}: {}", ran.stderr);
        if ran.code == 0 {
            assert_eq!(made(), 40, "{case}");
        } else {
            assert!(!enough && [1, 2, 3, 5].contains(&ran.code), "{case}: {} {}", ran.code, ran.stderr);
            assert!(ran.stderr.contains("Too many open files"), "{case}: {}", ran.stderr);
            assert!(ran.stderr.contains("allow more open files (`ulimit -n`)"), "{case}: {}", ran.stderr);
            assert!(!ran.stderr.contains("room on the disk"), "{case}: {}", ran.stderr);
        }
        lab.output(&["run"]).must(0);
        assert_eq!(made(), 40, "{case}");
    }
}

const YEAR: Duration = Duration::from_hours(365 * 24);

#[test]
fn times_of_files_decide_nothing() {
    let lab = chain();
    lab.output(&["run"]).must(0);
    let now = SystemTime::now();
    for time in [now - YEAR, now + YEAR] {
        let set = |file: &str| {
            let file = File::open(lab.space.path(file)).unwrap();
            file.set_modified(time).unwrap();
        };
        for file in ["in", "one", "two", "three", "pipeline.toml", ".pipeline/state", ".pipeline/lock"] {
            set(file);
        }
        assert_eq!(recovers(&lab, "touched").0, Vec::<String>::new());
        // Nor does the same time hide another content.
        change(&lab);
        set("in");
        assert_eq!(recovers(&lab, "changed").0, ["one", "two"]);
        lab.space.write("two", "other");
        set("two");
        assert_eq!(recovers(&lab, "written over").0, ["two"]);
    }
}

#[test]
fn a_clock_that_is_a_year_off_decides_nothing() {
    require!("faketime");
    let lab = chain();
    // The steps that ran, and the year that they ran in. Folders of runs are called by times: one is there at a time.
    let at = |offset: &str| {
        let mut command = lab.space.command(find("faketime").unwrap());
        let ran = Ran::of(command.args(["-f", offset, crate::PIPELINE, "run"])).must(0);
        assert!(!ran.stderr.contains("warning"), "{offset}: {}", ran.stderr);
        right(&lab, offset);
        let year: i64 = lab.events()[0].at.to_string()[..4].parse().unwrap();
        let steps = steps(&lab);
        fs::remove_dir_all(lab.space.path(".pipeline/runs")).unwrap();
        (steps, year)
    };
    let nothing = Vec::<String>::new();
    let (ran, next_year) = at("+1y");
    assert_eq!(ran, ["one", "three", "two"]);
    assert_eq!(recovers(&lab, "after a run of next year").0, nothing);
    change(&lab);
    fs::remove_dir_all(lab.space.path(".pipeline/runs")).unwrap();
    let (ran, last_year) = at("-1y");
    assert_eq!((ran, next_year - last_year), (vec!["one".to_owned(), "two".to_owned()], 2));
    for offset in ["+1y", "-1y"] {
        assert_eq!(at(offset).0, nothing, "{offset}");
    }
    assert_eq!(recovers(&lab, "after a run of last year").0, nothing);
}

#[test]
fn nuls_are_shown_and_kept_as_text() {
    let lab = Lab::new();
    let script = "printf 'a\\0b\\n\\0\\0'; printf '\\0' >&2; printf 'x\\0' >out";
    lab.recipe(&format!(
        "version = 1\n[[step]]\nid = \"nuls\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '''{script}''']\noutputs = {{ file = \"out\" }}\n"
    ));
    let ran = lab.output(&["run", "-v"]).must(0);
    assert!(!ran.stderr.contains('\0'), "{:?}", ran.stderr);
    assert!(ran.stderr.contains("a\\0b") || ran.stderr.contains("a\\u{0}b"), "{:?}", ran.stderr);
    let log = fs::read(lab.run_folder().join("logs/nuls@host.log")).unwrap();
    assert!(!log.contains(&0));
    assert!(lab.events().iter().any(|event| matches!(event.kind, EventKind::Line { .. })));
    assert_eq!(fs::read(lab.space.path("out")).unwrap(), b"x\0");
    lab.output(&["run"]).must(0);
    assert_eq!(steps(&lab), Vec::<String>::new());
}

#[test]
fn what_is_cut_on_stdout_does_not_pass_for_the_whole() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"exit\"]\n");
    let to = |what: &str, args: &str| {
        Ran::of(lab.space.command("/bin/sh").args(["-c", &format!("\"$0\" {args} {what}"), PIPELINE]))
    };
    for args in ["plan --format json", "run --progress json", "history", "status", "schema", "man run"] {
        let ran = to(">/dev/full", args).must(1);
        let told = "error[place::unprinted]: not all could be written to stdout: No space left";
        assert!(ran.stderr.contains(told), "{args}: {}", ran.stderr);
        // Nobody wants any.
        to(">&-", args).must(0);
        let head = format!("| {} -n 0", find("head").unwrap().display());
        assert!(!to(&head, args).must(0).stderr.contains("error"), "{args}");
    }
}

/// As systemd-nspawn has it.
#[test]
fn mounts_below_proc_that_others_hide_cost_no_namespace() {
    apart(|| {
        let lab = Lab::new();
        lab.recipe("version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"exit\"]\n");
        let has_one = || lab.output(&["doctor"]).stdout.contains("a run has a PID namespace");
        if !has_one() {
            return skip("needs a PID namespace");
        }
        let hidden = lab.space.write("hidden", "");
        mount_bind(hidden, "/proc/sys/kernel/domainname").unwrap();
        mount("none", "/proc/sys", "tmpfs", MountFlags::empty(), None).unwrap();
        assert!(has_one());
    });
}

#[test]
fn what_cannot_be_removed_is_not_counted_as_removed() {
    apart(|| {
        let lab = Lab::new();
        lab.recipe("version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"exit\"]\n");
        lab.output(&["run"]).must(0);
        let first = lab.run_folder();
        (0..2).for_each(|_| drop(lab.output(&["run", "--force"]).must(0)));
        mount("none", first.join("logs"), "tmpfs", MountFlags::empty(), None).unwrap();
        let told = lab.output(&["clean", "--runs=1"]).must(1).stderr;
        assert!(told.contains("error[history::not-removed]") && told.contains("\n1 run removed, "), "{told}");
    });
}
