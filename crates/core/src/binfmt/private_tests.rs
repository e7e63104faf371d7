//! Registration in a table of its own: each test runs again in its own user and mount namespace.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::platform::Platform;

/// Set in the namespace, where the test body runs.
const INSIDE: &str = "PIPELINE_TEST_PRIVATE_BINFMT";

struct Table {
    binfmt: Binfmt,
    dir: TempDir,
    host: Platform,
}

/// Runs `body` with an empty table, in a new process; prints why if that is impossible here.
fn private(name: &str, body: fn(&Table)) {
    if std::env::var_os(INSIDE).is_some() {
        return body(&Table::new());
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = ["-Urm", "mount", "-t", "binfmt_misc", "binfmt_misc"];
    match Command::new("unshare").args(mount).arg(dir.path()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            println!("skipped: no private binfmt_misc: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        Err(error) => {
            println!("skipped: unshare: {error}");
            return;
        }
    }
    let output = Command::new("unshare")
        .arg("-Urm")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{}::{name}", module_path!().split_once("::").unwrap().1), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{}", text.lines().filter(|line| line.starts_with("skipped")).collect::<String>());
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

impl Table {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().join("table");
        let bin = dir.path().join("bin");
        fs::create_dir(&mount).unwrap();
        fs::create_dir(&bin).unwrap();
        assert!(
            Command::new("mount").args(["-t", "binfmt_misc", "none"]).arg(&mount).status().unwrap().success()
        );
        let host = Platform::from_uname(rustix::system::uname().machine().to_str().unwrap()).unwrap();
        let binfmt = Binfmt { mount, interpreter_dirs: vec![bin], scratch: dir.path().to_owned() };
        Self { binfmt, dir, host }
    }

    /// Puts the machine's QEMU where it is looked for; owned by root in this namespace whoever runs the test.
    fn qemu(&self, platform: &Platform) -> Option<PathBuf> {
        let name = format!("qemu-{}-static", platform.qemu());
        let Ok(bytes) = fs::read(Path::new("/usr/bin").join(&name)) else {
            println!("skipped: no {name}");
            return None;
        };
        Some(self.interpreter(platform, &bytes))
    }

    fn interpreter(&self, platform: &Platform, bytes: &[u8]) -> PathBuf {
        let path = self.binfmt.interpreter_dirs[0].join(format!("qemu-{}-static", platform.qemu()));
        // Not overwritten: the kernel may hold the file.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        mode(&path, 0o755);
        path
    }

    /// An interpreter of this code, in the machine language of the only host it was written for.
    fn fake(&self, platform: &Platform, code: &[u8]) -> Option<PathBuf> {
        if self.host.arch() != "amd64" {
            println!("skipped: the stand-in for QEMU is written for amd64");
            return None;
        }
        Some(self.interpreter(platform, &program::elf(&self.host, code)))
    }

    fn write(&self, file: &str, text: &[u8]) {
        fs::write(self.binfmt.mount.join(file), text).unwrap();
    }

    fn names(&self) -> Vec<PathBuf> {
        State::read(&self.binfmt.mount).unwrap().entries.into_iter().map(|entry| entry.path).collect()
    }

    fn assess(&self, platform: &Platform) -> Assessment {
        assess(&self.binfmt, platform, &self.host)
    }

    fn ensure(&self, platform: &Platform) -> Result<Ensured, BinfmtError> {
        ensure(&self.binfmt, std::slice::from_ref(platform), &self.host, true).map(|mut list| list.remove(0))
    }

    fn problem(&self, platform: &Platform) -> Problem {
        let Assessment::Broken(assessed) = self.assess(platform) else {
            panic!("{:?}", self.assess(platform))
        };
        match self.ensure(platform) {
            Err(BinfmtError::Broken { problem, .. }) => assert_eq!(problem, assessed),
            other => panic!("{other:?}"),
        }
        assessed
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Foreign on every machine these tests are likely to run on.
fn foreign() -> Platform {
    Platform::parse("riscv64").unwrap()
}

#[test]
fn every_platform_is_registered_once_and_then_found_ready() {
    private("every_platform_is_registered_once_and_then_found_ready", |table| {
        for platform in Platform::all() {
            let Some(path) = table.qemu(&platform) else { continue };
            let native = table.host.runs_natively(&platform);
            let first = table.ensure(&platform).unwrap();
            let expected = if native { Status::Native } else { Status::Registered };
            assert_eq!(
                (first.status, first.argv0_kept, first.replaced),
                (expected, true, false),
                "{platform}"
            );
            let second = table.ensure(&platform).unwrap();
            if native {
                assert_eq!((second.status, second.interpreter), (Status::Native, None));
                continue;
            }
            assert_eq!(first.interpreter.as_ref(), Some(&path));
            assert!(first.qemu_version.as_ref().unwrap().starts_with(char::is_numeric), "{first:?}");
            assert_eq!(second, Ensured { status: Status::AlreadyReady, ..first });
            let checked = ensure(&table.binfmt, std::slice::from_ref(&platform), &table.host, false).unwrap();
            assert_eq!(checked, [second]);
            println!("{platform}: {checked:?}");
        }
    });
}

#[test]
fn debians_own_registration_is_ready_and_its_version_is_known() {
    private("debians_own_registration_is_ready_and_its_version_is_known", |table| {
        let Ok(line) = fs::read("/usr/lib/binfmt.d/qemu-riscv64.conf") else {
            println!("skipped: qemu-user-static is not installed");
            return;
        };
        table.write("register", &line);
        if fs::metadata("/usr/bin/env").unwrap().uid() != 0 {
            println!("skipped: the machine's files do not belong to root in this namespace");
            return;
        }
        let Assessment::Ready { version: Some(version), .. } = table.assess(&foreign()) else { panic!() };
        let ensured = table.ensure(&foreign()).unwrap();
        assert_eq!(
            (ensured.status, ensured.replaced, ensured.argv0_kept),
            (Status::AlreadyReady, false, true)
        );
        assert_eq!(ensured.qemu_version, Some(version));
    });
}

#[test]
fn of_many_at_once_one_registers_and_all_are_content() {
    private("of_many_at_once_one_registers_and_all_are_content", |table| {
        if table.qemu(&foreign()).is_none() {
            return;
        }
        let all: Vec<Status> = std::thread::scope(|scope| {
            let runs: Vec<_> =
                (0..8).map(|_| scope.spawn(|| table.ensure(&foreign()).unwrap().status)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        assert_eq!(all.iter().filter(|status| **status == Status::Registered).count(), 1, "{all:?}");
        assert_eq!(table.names().len(), 1);
    });
}

#[test]
fn a_check_registers_nothing() {
    private("a_check_registers_nothing", |table| {
        table.qemu(&foreign());
        let checked = ensure(&table.binfmt, &[foreign()], &table.host, false);
        assert!(matches!(checked, Err(BinfmtError::NotRegistered { .. })), "{checked:?}");
        assert_eq!(table.assess(&foreign()), Assessment::Missing);
        assert!(table.names().is_empty());
    });
}

#[test]
fn an_entry_of_our_name_with_other_contents_is_kept_and_refused() {
    private("an_entry_of_our_name_with_other_contents_is_kept_and_refused", |table| {
        table.qemu(&foreign());
        table.write("register", b":qemu-riscv64:M::\\x7fFOO::/bin/true:F");
        let entry = table.binfmt.mount.join("qemu-riscv64");
        let before = fs::read(&entry).unwrap();
        assert_eq!(
            table.problem(&foreign()),
            Problem::NameTaken { entry: entry.clone(), platform: foreign().to_string() }
        );
        assert_eq!(fs::read(&entry).unwrap(), before);
    });
}

#[test]
fn what_is_disabled_is_not_enabled_silently() {
    private("what_is_disabled_is_not_enabled_silently", |table| {
        if table.qemu(&foreign()).is_none() {
            return;
        }
        table.ensure(&foreign()).unwrap();
        table.write("qemu-riscv64", b"0");
        let entry = table.binfmt.mount.join("qemu-riscv64");
        assert_eq!(table.problem(&foreign()), Problem::EntryDisabled { entry });
        table.write("qemu-riscv64", b"1");
        table.write("status", b"0");
        let status = table.binfmt.mount.join("status");
        assert_eq!(table.problem(&foreign()), Problem::Disabled { status });
        table.write("status", b"1");
        assert_eq!(table.ensure(&foreign()).unwrap().status, Status::AlreadyReady);
    });
}

#[test]
fn an_interpreter_others_can_write_is_refused_before_and_after() {
    private("an_interpreter_others_can_write_is_refused_before_and_after", |table| {
        let Some(path) = table.qemu(&foreign()) else { return };
        mode(&path, 0o775);
        let error = table.ensure(&foreign()).unwrap_err();
        assert!(matches!(&error, BinfmtError::Broken { problem: Problem::NotTrusted { .. }, .. }), "{error}");
        assert!(table.names().is_empty());
        mode(&path, 0o755);
        table.ensure(&foreign()).unwrap();
        mode(&path, 0o757);
        assert_eq!(
            table.problem(&foreign()),
            Problem::NotTrusted { interpreter: path, owner: 0, mode: 0o757 }
        );
    });
}

#[test]
fn an_interpreter_that_cannot_run_in_containers_is_refused() {
    private("an_interpreter_that_cannot_run_in_containers_is_refused", |table| {
        let path = table.interpreter(&foreign(), &fs::read("/bin/ls").unwrap());
        let refused = |expected: Problem| match table.ensure(&foreign()) {
            Err(BinfmtError::Broken { problem, .. }) => assert_eq!(problem, expected),
            other => panic!("{other:?}"),
        };
        refused(Problem::NotStatic { interpreter: path.clone() });
        table.interpreter(&foreign(), &program::image(&foreign()).unwrap());
        let found = format!("one for {}", foreign());
        refused(Problem::WrongMachine { interpreter: path.clone(), found, host: table.host.to_string() });
        table.interpreter(&foreign(), b"#!/bin/sh\n");
        let found = "no ELF program".to_owned();
        refused(Problem::WrongMachine { interpreter: path.clone(), found, host: table.host.to_string() });
        fs::remove_file(path).unwrap();
        let error = table.ensure(&foreign()).unwrap_err();
        assert!(matches!(error, BinfmtError::NoInterpreter { .. }), "{error}");
        assert!(table.names().is_empty());
    });
}

#[test]
fn without_the_flag_f_nothing_is_ready_and_with_it_a_missing_file_is() {
    private("without_the_flag_f_nothing_is_ready_and_with_it_a_missing_file_is", |table| {
        let Some(path) = table.qemu(&foreign()) else { return };
        let entry = table.binfmt.mount.join("qemu-riscv64");
        let registration = Registration::of(&foreign());
        table.write("register", &registration.line(&path, "OP").unwrap());
        let unfixed = Problem::NoFixFlag { entry: entry.clone(), interpreter: path.clone() };
        assert_eq!(table.problem(&foreign()), unfixed);
        let elsewhere = path.with_file_name("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        let missing = Problem::InterpreterMissing { entry: entry.clone(), interpreter: path.clone() };
        assert_eq!(table.problem(&foreign()), missing);
        fs::rename(&elsewhere, &path).unwrap();
        table.write("qemu-riscv64", b"-1");

        table.write("register", &registration.line(&path, FLAGS).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(matches!(table.assess(&foreign()), Assessment::Ready { version: None, .. }));
        let ensured = table.ensure(&foreign()).unwrap();
        assert!(ensured.replaced && ensured.qemu_version.is_some(), "{ensured:?}");
    });
}

#[test]
fn without_the_flag_p_it_is_ready_and_says_so() {
    private("without_the_flag_p_it_is_ready_and_says_so", |table| {
        let Some(path) = table.qemu(&foreign()) else { return };
        table.write("register", &Registration::of(&foreign()).line(&path, "F").unwrap());
        let ensured = table.ensure(&foreign()).unwrap();
        assert_eq!((ensured.status, ensured.argv0_kept), (Status::AlreadyReady, false));
    });
}

#[test]
fn a_mask_too_narrow_or_too_wide_is_a_problem() {
    private("a_mask_too_narrow_or_too_wide_is_a_problem", |table| {
        let Some(path) = table.qemu(&foreign()) else { return };
        let mut narrow = Registration::of(&foreign());
        narrow.mask[16] = 0xff;
        table.write("register", &narrow.line(&path, FLAGS).unwrap());
        let entry = table.binfmt.mount.join("qemu-riscv64");
        assert_eq!(table.problem(&foreign()), Problem::TooNarrow { entry, platform: foreign().to_string() });
        table.write("qemu-riscv64", b"-1");
        // From here on this process can execute nothing of its own machine.
        let mut wide = Registration::of(&table.host);
        wide.name = "wide".into();
        table.write("register", &wide.line(&path, FLAGS).unwrap());
        let too_wide =
            Problem::TooWide { entry: table.binfmt.mount.join("wide"), host: table.host.to_string() };
        assert_eq!(table.problem(&foreign()), too_wide);
        assert_eq!(table.problem(&table.host), too_wide);
    });
}

#[test]
fn a_read_only_table_is_an_error_that_says_where_to_go() {
    private("a_read_only_table_is_an_error_that_says_where_to_go", |table| {
        if table.qemu(&foreign()).is_none() {
            return;
        }
        let mount = &table.binfmt.mount;
        assert!(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(mount).status().unwrap().success());
        let error = table.ensure(&foreign()).unwrap_err().to_string();
        assert!(error.contains("register on the host"), "{error}");
    });
}

#[test]
fn what_registers_and_does_not_run_is_removed_again() {
    private("what_registers_and_does_not_run_is_removed_again", |table| {
        // mov eax, 60; xor edi, edi; syscall: ends with 0 whatever it is asked to run
        let code = [0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
        if table.fake(&foreign(), &code).is_none() {
            return;
        }
        let error = table.ensure(&foreign()).unwrap_err();
        assert!(
            matches!(
                &error,
                BinfmtError::NotProven { source: ProofError::WrongStatus { status, .. }, removed: true, .. }
                    if status.code() == Some(0)
            ),
            "{error}"
        );
        assert!(table.names().is_empty());
    });
}

#[test]
fn what_does_not_end_is_killed() {
    private("what_does_not_end_is_killed", |table| {
        // here: jmp here
        let Some(path) = table.fake(&foreign(), &[0xeb, 0xfe]) else { return };
        table.write("register", &Registration::of(&foreign()).line(&path, FLAGS).unwrap());
        let proof = prove(&foreign(), &table.host, table.dir.path(), Duration::from_millis(300));
        assert!(matches!(proof, Err(ProofError::Timeout { .. })), "{proof:?}");
    });
}

#[test]
fn an_interpreter_that_does_not_know_p_is_registered_without_it() {
    private("an_interpreter_that_does_not_know_p_is_registered_without_it", |table| {
        // What QEMU makes of its arguments when nothing tells it of `P`: argc - 1 + argv[1][0].
        let code = [
            0x48, 0x8b, 0x7c, 0x24, 0x10, // mov  rdi, [rsp + 16]
            0x0f, 0xb6, 0x3f, // movzx edi, byte [rdi]
            0x03, 0x3c, 0x24, // add  edi, [rsp]
            0xff, 0xcf, // dec  edi
            0xb8, 0x3c, 0, 0, 0, // mov  eax, 60
            0x0f, 0x05, // syscall
        ];
        if table.fake(&foreign(), &code).is_none() {
            return;
        }
        let ensured = table.ensure(&foreign()).unwrap();
        assert_eq!((ensured.status, ensured.argv0_kept), (Status::Registered, false));
        let Assessment::Ready { flags, .. } = table.assess(&foreign()) else { panic!() };
        assert!(flags.contains('F') && !flags.contains('P'), "{flags}");
    });
}

#[test]
fn a_path_the_kernel_cannot_take_is_refused() {
    private("a_path_the_kernel_cannot_take_is_refused", |table| {
        let Some(path) = table.qemu(&foreign()) else { return };
        let odd = table.dir.path().join("a:b");
        fs::create_dir(&odd).unwrap();
        fs::rename(&path, odd.join(path.file_name().unwrap())).unwrap();
        let binfmt = Binfmt { interpreter_dirs: vec![odd], ..table.binfmt.clone() };
        let error = ensure(&binfmt, &[foreign()], &table.host, true).unwrap_err().to_string();
        assert!(error.contains("absolute paths without"), "{error}");
        assert!(table.names().is_empty());
    });
}

#[test]
fn without_a_table_only_the_machines_own_platform_runs() {
    private("without_a_table_only_the_machines_own_platform_runs", |table| {
        let mount = table.dir.path().join("nothing");
        let binfmt = Binfmt { mount: mount.clone(), ..table.binfmt.clone() };
        assert_eq!(assess(&binfmt, &table.host, &table.host), Assessment::Native);
        assert_eq!(
            assess(&binfmt, &foreign(), &table.host),
            Assessment::Broken(Problem::NotMounted { mount })
        );
        let error =
            ensure(&binfmt, &[table.host.clone(), foreign()], &table.host, true).unwrap_err().to_string();
        assert!(error.contains("mount -t binfmt_misc"), "{error}");
    });
}
