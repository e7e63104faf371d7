//! `binfmt-register` on the machine's own table, which stays as it is, and on a private one.

use std::fs;

use crate::kit::Work;
use crate::require_lab;

const RECIPE: &str = "[targets.arm64]\nplatform = \"linux/arm64\"\n[targets.s390x]\nplatform = \"linux/s390x\"\n\
    [[step]]\nid = \"emulation\"\nuses = \"binfmt-register\"\n";

/// Name and text of every entry.
fn table() -> Vec<(String, String)> {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let mut entries: Vec<_> = entries
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            Some((entry.file_name().into_string().unwrap(), text))
        })
        .collect();
    entries.sort();
    entries
}

#[test]
fn what_is_registered_stays() {
    let _lab = require_lab!();
    if !table().iter().any(|(_, text)| text.contains("aarch64")) {
        pipeline_testkit::skip(
            "QEMU for arm64 is not registered (apt-get install binfmt-support qemu-user-static)",
        );
        return;
    }
    let work = Work::new(&RECIPE.replace("[targets.s390x]\nplatform = \"linux/s390x\"\n", ""));
    let before = table();
    for _ in 0..2 {
        // Nothing to change, so nothing to allow.
        let mut command = work.pipeline(&["run", "--force"]);
        let outcome = work.outcome(&mut command).exits(0);
        assert!(
            outcome.lines("emulation").contains("linux/arm64: was registered"),
            "{}",
            outcome.lines("emulation")
        );
    }
    assert_eq!(table(), before);
}

#[test]
fn what_is_missing_is_registered_in_a_private_table() {
    let _lab = require_lab!();
    pipeline_testkit::require!("unshare", "qemu-aarch64-static", "qemu-s390x-static");
    let work = Work::new(RECIPE);
    let private = |script: &str| {
        let mount = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77\n";
        let mut command = work.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &format!("{mount}{script}"), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_pipeline"));
        command
    };
    let before = table();
    let refused = work.outcome(&mut private("exec \"$1\" run"));
    if refused.code == Some(77) {
        pipeline_testkit::skip("the kernel has no binfmt_misc for each user namespace (Linux 6.7 or later)");
        return;
    }
    let refused = refused.exits(5).says("linux/arm64, linux/s390x").says("--allow-privileged");
    assert!(refused.events.is_empty(), "something was started");
    let script = "\"$1\" run --allow-privileged || exit; cd /proc/sys/fs/binfmt_misc && cat $(ls | grep qemu); \
        cd - >/dev/null && exec \"$1\" run --force";
    let outcome = work.outcome(&mut private(script)).exits(0);
    let flags = outcome.stdout.lines().filter_map(|line| line.strip_prefix("flags: "));
    assert_eq!(flags.filter(|flags| flags.contains('F')).count(), 2, "{}", outcome.stdout);
    // The second run of the script found them.
    let log = outcome.lines("emulation");
    assert!(
        log.contains("linux/arm64: was registered") && log.contains("linux/s390x: was registered"),
        "{log}"
    );
    assert_eq!(table(), before, "the machine's own table");
}
