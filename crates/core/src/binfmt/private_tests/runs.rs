//! What runs, and what was made of what does not.

use super::*;

private!(every_platform_is_registered_once_and_then_found_ready, |table| {
    for platform in Platform::all() {
        let Some(path) = table.qemu(&platform) else { continue };
        let native = table.host.runs_natively(&platform);
        let first = table.ensure(&platform).unwrap();
        let expected = if native { Status::Native } else { Status::Registered };
        assert_eq!((first.status, first.argv0_kept, first.replaced), (expected, true, false), "{platform}");
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

private!(debians_own_registration_is_ready_and_its_version_is_known, |table| {
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
    assert_eq!((ensured.status, ensured.replaced, ensured.argv0_kept), (Status::AlreadyReady, false, true));
    assert_eq!(ensured.qemu_version, Some(version));
});

private!(of_many_at_once_one_registers_and_all_are_content, |table| {
    if table.qemu(&foreign()).is_none() {
        return;
    }
    let all: Vec<Status> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| table.ensure(&foreign()).unwrap().status)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(all.iter().filter(|status| **status == Status::Registered).count(), 1, "{all:?}");
    assert_eq!(table.names().len(), 1);
});

private!(without_the_flag_f_nothing_is_ready_and_with_it_a_missing_file_is, |table| {
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

private!(without_the_flag_p_it_is_ready_and_says_so, |table| {
    let Some(path) = table.qemu(&foreign()) else { return };
    table.write("register", &Registration::of(&foreign()).line(&path, "F").unwrap());
    let ensured = table.ensure(&foreign()).unwrap();
    assert_eq!((ensured.status, ensured.argv0_kept), (Status::AlreadyReady, false));
});

private!(an_interpreter_that_does_not_know_p_is_registered_without_it, |table| {
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

private!(what_registers_and_does_not_run_is_removed_again, |table| {
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

private!(what_does_not_end_is_killed, |table| {
    // here: jmp here
    let Some(path) = table.fake(&foreign(), &[0xeb, 0xfe]) else { return };
    table.write("register", &Registration::of(&foreign()).line(&path, FLAGS).unwrap());
    let proof = prove(&foreign(), &table.host, table.dir.path(), Duration::from_millis(300));
    assert!(matches!(proof, Err(ProofError::Timeout { .. })), "{proof:?}");
});

private!(an_emulated_platform_of_the_processor_is_not_called_native, |table| {
    let platform = Platform::parse("386").unwrap();
    let Some(path) = table.qemu(&platform) else { return };
    if table.host.arch() != "amd64" {
        println!("skipped: only amd64 runs a second platform for certain");
        return;
    }
    assert_eq!(table.ensure(&platform).unwrap().status, Status::Native);
    table.write("register", &Registration::of(&platform).line(&path, FLAGS).unwrap());
    let ensured = table.ensure(&platform).unwrap();
    assert_eq!((ensured.status, ensured.interpreter), (Status::AlreadyReady, Some(path)));
});
