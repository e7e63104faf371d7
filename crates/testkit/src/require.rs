//! Tests that need real tools say so, and leave a trace when they could not run.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The variable that names the file to which skipped tests add a line `test: reason`.
pub const SKIPS_VARIABLE: &str = "PIPELINE_TEST_SKIPS";

/// Where `tool` is on this process's `PATH`. Without it, a line `skipped: needs …` is printed and
/// recorded, and the answer is `None`; the test then returns. [`crate::require!`] does both.
pub fn require(tool: &str) -> Option<PathBuf> {
    let found = find(tool);
    if found.is_none() {
        skip(&format!("needs {tool} ({})", advice(tool)));
    }
    found
}

/// Says, and records, that the running test is skipped because of `reason`.
pub fn skip(reason: &str) {
    println!("skipped: {reason}");
    let Some(file) = env::var_os(SKIPS_VARIABLE) else { return };
    record(Path::new(&file), &test_name(), reason);
}

/// Returns from the test unless all the named tools are there; prints and records why.
///
/// ```no_run
/// fn copies_an_image() {
///     pipeline_testkit::require!("skopeo", "no-such-tool-anywhere");
///     unreachable!("not without the tool");
/// }
/// copies_an_image();
/// ```
#[macro_export]
macro_rules! require {
    ($($tool:expr),+ $(,)?) => {
        $(if $crate::require($tool).is_none() { return; })+
    };
}

/// The first executable of this name on `PATH`, or in `/usr/sbin` and `/sbin`, which users' paths lack.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(more).map(|dir| dir.join(tool)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// How to get a tool, in Debian's package names.
fn advice(tool: &str) -> String {
    let package = match tool {
        "taplo" => return "pip install taplo".into(),
        "actionlint" => return "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12".into(),
        "act" => return "go install github.com/nektos/act@v0.2.89".into(),
        "gitlab-ci-local" => return "npm install gitlab-ci-local@4.62.0".into(),
        "docker" => "docker.io",
        "ctr" => "containerd",
        "ssh" => "openssh-client",
        "sshd" => "openssh-server",
        "crictl" => return "go install sigs.k8s.io/cri-tools/cmd/crictl@latest".into(),
        "qemu-aarch64-static" | "qemu-arm-static" => "qemu-user-static",
        "dot" => "graphviz",
        "node" => "nodejs",
        "registry" => "docker-registry",
        "man" => "man-db",
        "strip" => "binutils",
        other => other,
    };
    format!("apt-get install {package}")
}

/// The test harness names a test's thread after it; with one thread, the test runs on `main`.
fn test_name() -> String {
    let name = std::thread::current().name().map(str::to_owned);
    name.filter(|name| name != "main").unwrap_or_else(|| {
        // Under nextest, or `--exact`, the arguments name the one test.
        env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_else(|| "unknown test".into())
    })
}

/// One write to a file opened for appending, since tests run side by side.
fn record(file: &Path, test: &str, reason: &str) {
    let line = format!("{test}: {}\n", reason.replace('\n', " "));
    let opened = fs::OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{SKIPS_VARIABLE}: cannot write {}: {error}", file.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there_and_only_that() {
        assert!(find("sh").is_some());
        assert!(find("no-such-tool-anywhere").is_none());
    }

    #[test]
    fn a_skip_is_one_line_each() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("skips");
        record(&file, "a::b", "needs x\n(apt-get install x)");
        record(&file, "c", "needs y");
        assert_eq!(fs::read_to_string(file).unwrap(), "a::b: needs x (apt-get install x)\nc: needs y\n");
    }

    #[test]
    fn knows_the_running_test() {
        assert!(test_name().ends_with("knows_the_running_test"), "{}", test_name());
    }
}
