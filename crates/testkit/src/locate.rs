//! Where the `faketool` binary is: beside the running test, or built now.
//!
//! Cargo builds a package's binaries for its own tests only, so the tests of other crates cannot rely on
//! it being there, or being that of today's sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// The `faketool` binary; built by cargo unless `FAKETOOL_BIN` names one or a fresh one is there.
pub(crate) fn faketool() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(named) = env::var_os("FAKETOOL_BIN") {
            return named.into();
        }
        let test = env::current_exe().expect("a running program has a path");
        // target/<profile>/deps/<test>
        let profile = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
        let beside = profile.join("faketool");
        if is_fresh(&beside) { beside } else { build(profile) }
    })
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// No source of this crate is newer; its dependencies do not change from one test run to the next.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let Some(built) = modified(binary) else { return false };
    newest(&sources(), &modified).is_none_or(|newest| newest <= built)
}

fn newest(dir: &Path, modified: &impl Fn(&Path) -> Option<SystemTime>) -> Option<SystemTime> {
    let entries = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    entries.filter_map(|path| if path.is_dir() { newest(&path, modified) } else { modified(&path) }).max()
}

fn build(profile: &Path) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "pipeline-testkit", "--bin", "faketool"])
        .args(["--profile", profile, "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, or FAKETOOL_BIN names a faketool");
    let messages = String::from_utf8_lossy(&output.stdout);
    // Cargo names each artifact; the folder depends on its settings.
    let binary = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    binary.unwrap_or_else(|| {
        panic!("faketool cannot be built:\n{messages}{}", String::from_utf8_lossy(&output.stderr))
    })
}
