//! Without the right to make namespaces: the other way holds, and `pipeline doctor` says so.

use std::process::Command;

/// Root without the one capability, or whoever runs the tests.
fn doctor() -> String {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.arg("--bounding-set=-sys_admin");
    }
    let output = command.args([env!("CARGO_BIN_EXE_pipeline"), "doctor"]).current_dir("/").output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn doctor_says_which_of_the_two_holds_and_why() {
    pipeline_testkit::require!("setpriv");
    let said = doctor();
    assert!(
        said.contains("containment: a run has no PID namespace (Operation not permitted (os error 1))"),
        "{said}"
    );
}
