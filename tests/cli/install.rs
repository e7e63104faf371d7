//! `scripts/install`: the program, its manual and its completions, where each is looked for, in a form that is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_testkit::{TestSpace, require, skip};

use crate::{PIPELINE, repository};

/// Installs the program under test; the folder that would be `/`.
fn installed(space: &TestSpace, prefix: &str) -> PathBuf {
    let root = space.path("root");
    let output = Command::new(repository().join("scripts/install"))
        .args(["--binary", PIPELINE, prefix])
        .env("DESTDIR", &root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for path in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(Path::new(path).is_file() && path.starts_with(root.to_str().unwrap()), "{path}");
    }
    root.join(&prefix[1..])
}

/// The commands that `--help` shows.
fn commands() -> Vec<String> {
    let help = Command::new(PIPELINE).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let lines = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Runs a tool on a file, without anything to say.
fn reads(tool: &str, arguments: &[&str], file: &Path) -> String {
    let mut command = Command::new(tool);
    let output =
        command.args(arguments).arg(file).env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{tool} {}: {said}", file.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn everything_is_where_it_is_looked_for() {
    let space = TestSpace::new();
    for (prefix, zsh) in [("/usr/local", "site-functions"), ("/usr", "vendor-completions")] {
        let at = installed(&space, prefix);
        let version = Command::new(at.join("bin/pipeline")).arg("--version").output().unwrap();
        assert!(version.status.success());
        for file in [
            "share/bash-completion/completions/pipeline".to_owned(),
            format!("share/zsh/{zsh}/_pipeline"),
            "share/fish/vendor_completions.d/pipeline.fish".into(),
        ] {
            let text = fs::read_to_string(at.join(&file)).unwrap();
            assert!(text.contains("verify-bundle"), "{file}");
        }
        let commands = commands();
        assert!(commands.len() > 20 && commands.iter().any(|command| command == "run"), "{commands:?}");
        let pages = fs::read_dir(at.join("share/man/man1")).unwrap().count();
        assert_eq!(pages, commands.len() + 1, "a page for each command and one for the program");
        for command in commands {
            let page = fs::read_to_string(at.join(format!("share/man/man1/pipeline-{command}.1"))).unwrap();
            assert!(page.contains("pipeline\\-"), "{command}: {page}");
        }
    }
}

#[test]
fn the_manual_is_read_without_a_complaint() {
    require!("man");
    let space = TestSpace::new();
    let at = installed(&space, "/usr/local");
    let read = |page: &str| reads("man", &["--warnings", "-l"], &at.join("share/man/man1").join(page));
    let page = read("pipeline.1");
    if page.trim().is_empty() || page.contains("has been minimized") {
        return skip("man here shows no pages");
    }
    // Lines are filled up with blanks, or not: that depends on how wide man takes the terminal to be.
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["EXIT STATUS", "pipeline-run(1)", "FILES", "4 pipeline.lock does not say"] {
        assert!(words.contains(part), "{part}: {page}");
    }
    let page = read("pipeline-run.1");
    assert!(page.contains("--allow-privileged") && page.contains("PIPELINE_JOBS"), "{page}");
    for entry in fs::read_dir(at.join("share/man/man1")).unwrap() {
        read(entry.unwrap().file_name().to_str().unwrap());
    }
}

#[test]
fn bash_reads_its_completions() {
    let space = TestSpace::new();
    let at = installed(&space, "/usr/local");
    let file = at.join("share/bash-completion/completions/pipeline");
    reads("bash", &["-n"], &file);
    let line = format!(
        ". {}; COMP_WORDS=(pipeline ver); COMP_CWORD=1; _pipeline pipeline ver pipeline; echo ${{COMPREPLY[@]}}",
        file.display()
    );
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "verify-bundle");
}

#[test]
fn zsh_reads_its_completions() {
    require!("zsh");
    let space = TestSpace::new();
    reads("zsh", &["-n"], &installed(&space, "/usr/local").join("share/zsh/site-functions/_pipeline"));
}

#[test]
fn fish_reads_its_completions_and_completes() {
    require!("fish");
    let space = TestSpace::new();
    let file = installed(&space, "/usr/local").join("share/fish/vendor_completions.d/pipeline.fish");
    reads("fish", &["--no-execute"], &file);
    let line = format!("source {}; complete -C 'pipeline ver'", file.display());
    let output = Command::new("fish")
        .args(["--no-config", "-c", &line])
        .env("HOME", space.path("home"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("verify-bundle\t"), "{said}");
}

#[test]
fn a_page_can_be_asked_for_and_a_misspelt_one_is_told() {
    let page = |arguments: &[&str]| Command::new(PIPELINE).arg("man").args(arguments).output().unwrap();
    assert!(String::from_utf8(page(&["ship"]).stdout).unwrap().contains(".TH pipeline-ship 1"));
    let output = page(&["shpi"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("error[usage::unknown-name]") && said.contains("did you mean `ship`?"), "{said}");
}
