//! `scripts/deb`: the Debian package, of the binary under test. `scripts/release` packages the static one in the same way.

use std::path::Path;
use std::process::Command;

use pipeline_testkit::{TestSpace, require};

use crate::{PIPELINE, repository};

fn output(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let output = Command::new(program.as_ref())
        .args(arguments)
        // Nobody keeps it.
        .envs([("DPKG_DEB_COMPRESSOR_TYPE", "gzip"), ("DPKG_DEB_COMPRESSOR_LEVEL", "1")])
        .output()
        .unwrap();
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{}: {}", program.as_ref().display(), String::from_utf8_lossy(&said));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn lintian_has_no_error_on_the_package() {
    require!("dpkg-deb", "strip", "lintian");
    let space = TestSpace::new();
    let folder = space.path("dist");
    let made = output(
        repository().join("scripts/deb"),
        &["--binary", PIPELINE, "--output", folder.to_str().unwrap()],
    );
    let package = made.trim();
    let said = output("lintian", &["--allow-root", "--fail-on", "error", package]);
    assert!(!said.contains("E: "), "{said}");
    let files = output("dpkg-deb", &["--contents", package]);
    for file in [
        "/usr/bin/pipeline",
        "/usr/share/man/man1/pipeline.1.gz",
        "/usr/share/man/man1/pipeline-run.1.gz",
        "/usr/share/bash-completion/completions/pipeline",
        "/usr/share/zsh/vendor-completions/_pipeline",
        "/usr/share/fish/vendor_completions.d/pipeline.fish",
        "/usr/share/doc/pipeline/docs/recipes.md",
        "/usr/share/doc/pipeline/copyright",
        "/usr/share/doc/pipeline/third-party.gz",
        "/usr/share/doc/pipeline/changelog.Debian.gz",
    ] {
        assert!(files.lines().any(|line| line.ends_with(&format!(".{file}"))), "{file}: {files}");
    }
    let root = space.path("root");
    output("dpkg-deb", &["--extract", package, root.to_str().unwrap()]);
    assert!(output(root.join("usr/bin/pipeline"), &["--version"]).starts_with("pipeline "));
}
