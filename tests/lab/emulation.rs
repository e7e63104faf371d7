//! What emulation does to programs is told with its remedy, and QEMU's version is on record.

use std::fs;

use pipeline_core::event::{EventKind, FailureKind};

use crate::kit::{Outcome, Work};
use crate::require_lab;

/// A program of that ELF machine that executes its own zeros: `udf #0` on arm64.
fn program(machine: u16) -> Vec<u8> {
    let (base, size) = (0x40_0000_u64, 0x1000_u64);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for half in [2, machine] {
        elf.extend(u16::to_le_bytes(half));
    }
    elf.extend(1u32.to_le_bytes());
    for word in [base + 120, 64, 0] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend([1u32, 5].into_iter().flat_map(u32::to_le_bytes));
    for word in [0, base, base, 160, 160, size] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.resize(160, 0);
    elf
}

fn work(name: &str, engine: &str, dockerfile: &str, rest: &str) -> Work {
    let work = Work::tiny(name, engine, &[("arm64", "")], dockerfile, rest);
    work.write("context-arm64/ill", program(183));
    work.write("context-arm64/foreign", program(243));
    for file in ["ill", "foreign"] {
        crate::kit::set_executable(&work.path(format!("context-arm64/{file}")));
    }
    work
}

#[track_caller]
fn told(outcome: &Outcome, of: &str, words: &str) {
    let failure = outcome.failure(of);
    let help = failure.help.clone().unwrap_or_default();
    assert!(
        help.starts_with("linux/arm64 is emulated here") && help.contains(words),
        "{failure:?}\n{}",
        outcome.stderr
    );
    assert!(matches!(failure.kind, FailureKind::Exit { .. }), "{failure:?}");
}

/// One that nothing here emulates: RISC-V is not among what the lab registers.
#[test]
fn crashes_of_a_build_are_explained() {
    let lab = require_lab!("dockerd");
    let riscv = fs::exists("/proc/sys/fs/binfmt_misc/qemu-riscv64").unwrap();
    for engine in ["buildah", "docker"] {
        for (name, run, words) in [
            (
                "sigill",
                "COPY ill /ill\nRUN /ill; exit $?",
                "an instruction that QEMU's processor does not have",
            ),
            ("sigsegv", "RUN sh -c 'kill -SEGV $$'; exit $?", "need not be its own fault"),
            ("foreign", "COPY foreign /foreign\nRUN [\"/foreign\"]", "could not be executed at all"),
        ] {
            if name == "foreign" && riscv {
                continue;
            }
            let keys = if engine == "docker" { "network = \"none\"\n" } else { "" };
            let mut work = work(&format!("{name}-{engine}"), engine, run, keys);
            work.with_docker(lab);
            let outcome = work.run(&[]).exits(1);
            told(&outcome, "image@arm64", words);
            assert_eq!(outcome.stderr.matches("is emulated here, and").count(), 1, "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_crash_is_tried_again_where_the_recipe_says_so() {
    let _lab = require_lab!();
    let step = "[[step]]\nuses = \"smoke\"\nargv = [\"sh\", \"-c\", \"kill -SEGV $$\"]\n";
    let retry = format!("{step}retry = {{ attempts = 2, on = [\"emulation\"] }}\n");
    let outcome = work("again", "buildah", "", &retry).run(&[]).exits(1);
    told(&outcome, "smoke@arm64", "retry = { attempts");
    let attempts = |outcome: &Outcome| {
        let started = |kind: &EventKind| matches!(kind, EventKind::Started { instance, .. } if instance.as_str() == "smoke@arm64");
        outcome.events.iter().filter(|event| started(&event.kind)).count()
    };
    assert_eq!(attempts(&outcome), 2);
    // What stays is not: neither another cause, nor what emulation never gets right.
    let fails = step.replace("kill -SEGV $$", "exit 3") + "retry = { attempts = 2, on = [\"emulation\"] }\n";
    let outcome = work("fails", "buildah", "", &fails).run(&[]).exits(1);
    assert_eq!((attempts(&outcome), outcome.failure("smoke@arm64").help.clone()), (1, None));
}

#[test]
fn the_version_of_qemu_is_told_once() {
    let _lab = require_lab!();
    let targets = [("arm64", ""), ("amd64", "")];
    let step = "[[step]]\nuses = \"smoke\"\ntargets = [\"arm64\"]\nargv = [\"true\"]\n";
    let work = Work::tiny("told-once", "buildah", &targets[..1], "RUN true", step);
    let outcome = work.run(&[]).exits(0);
    let told: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Emulator { platform, interpreter, version } => {
                Some((platform.to_string(), interpreter.clone(), version.clone()))
            }
            _ => None,
        })
        .collect();
    let [(platform, interpreter, Some(version))] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(platform, "linux/arm64");
    let asked = std::process::Command::new(interpreter).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&asked.stdout).contains(version.as_str()), "{version}");
    outcome.says(&format!("linux/arm64 is emulated by QEMU {version}, {interpreter}"));
}
