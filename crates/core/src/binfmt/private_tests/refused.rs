//! What is refused, with the table left as it was.

use super::*;

private!(a_check_registers_nothing_and_its_advice_does, |table| {
    let check = || ensure(&table.binfmt, &[foreign()], &table.host, false);
    let Err(BinfmtError::NotRegistered { command, .. }) = check() else { panic!() };
    assert_eq!(command, "apt-get install qemu-user-static");
    if table.qemu(&foreign()).is_none() {
        return;
    }
    let Err(BinfmtError::NotRegistered { command, .. }) = check() else { panic!() };
    assert_eq!(table.assess(&foreign()), Assessment::Missing);
    assert!(table.names().is_empty());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    assert_eq!(check().unwrap()[0].status, Status::AlreadyReady);
});

private!(an_entry_of_our_name_with_other_contents_is_kept_and_refused, |table| {
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

private!(what_is_disabled_is_not_enabled_silently, |table| {
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

private!(an_interpreter_others_can_write_is_refused_before_and_after, |table| {
    let Some(path) = table.qemu(&foreign()) else { return };
    mode(&path, 0o775);
    let error = table.ensure(&foreign()).unwrap_err();
    assert!(matches!(&error, BinfmtError::Broken { problem: Problem::NotTrusted { .. }, .. }), "{error}");
    assert!(table.names().is_empty());
    mode(&path, 0o755);
    table.ensure(&foreign()).unwrap();
    mode(&path, 0o757);
    assert_eq!(table.problem(&foreign()), Problem::NotTrusted { interpreter: path, owner: 0, mode: 0o757 });
});

private!(an_interpreter_that_cannot_run_in_containers_is_refused, |table| {
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

private!(a_mask_too_narrow_or_too_wide_is_a_problem, |table| {
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
    let too_wide = Problem::TooWide { entry: table.binfmt.mount.join("wide"), host: table.host.to_string() };
    assert_eq!(table.problem(&foreign()), too_wide);
    assert_eq!(table.problem(&table.host), too_wide);
});

private!(a_read_only_table_is_an_error_that_says_where_to_go, |table| {
    if table.qemu(&foreign()).is_none() {
        return;
    }
    let mount = &table.binfmt.mount;
    assert!(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(mount).status().unwrap().success());
    let error = table.ensure(&foreign()).unwrap_err().to_string();
    assert!(error.contains("register on the host"), "{error}");
});

private!(a_path_the_kernel_cannot_take_is_refused, |table| {
    let Some(path) = table.qemu(&foreign()) else { return };
    let odd = table.dir.path().join("a:b");
    fs::create_dir(&odd).unwrap();
    fs::rename(&path, odd.join(path.file_name().unwrap())).unwrap();
    let binfmt = Binfmt { interpreter_dirs: vec![odd], ..table.binfmt.clone() };
    let error = ensure(&binfmt, &[foreign()], &table.host, true).unwrap_err().to_string();
    assert!(error.contains("absolute paths without"), "{error}");
    assert!(table.names().is_empty());
});

private!(without_a_table_only_the_machines_own_platform_runs, |table| {
    let mount = table.dir.path().join("nothing");
    let binfmt = Binfmt { mount: mount.clone(), ..table.binfmt.clone() };
    assert_eq!(assess(&binfmt, &table.host, &table.host), Assessment::Native);
    assert_eq!(assess(&binfmt, &foreign(), &table.host), Assessment::Broken(Problem::NotMounted { mount }));
    let error = ensure(&binfmt, &[table.host.clone(), foreign()], &table.host, true).unwrap_err().to_string();
    assert!(error.contains("mount -t binfmt_misc"), "{error}");
});
