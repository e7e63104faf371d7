//! `pipeline audit` and the audit of a build.

use std::fs;

use pipeline_core::event::{EventKind, Status};
use pipeline_testkit::{Rule, TestSpace};
use serde_json::Value;

use crate::PIPELINE;
use crate::image::{archive_of, elf, native};
use crate::lab::{Lab, Ran};

/// A workspace with an archive that is labelled for ARM64 and holds these programs.
fn space(programs: &[(&str, &str)]) -> TestSpace {
    let space = TestSpace::new();
    let elves: Vec<_> = programs.iter().map(|(name, architecture)| (*name, elf(architecture))).collect();
    let files: Vec<_> = elves.iter().map(|(name, bytes)| (*name, 0o755, bytes.as_slice())).collect();
    archive_of(&space.path("app.tar"), "arm64", &files);
    space
}

fn audit(space: &TestSpace, args: &[&str]) -> Ran {
    let mut command = space.command(PIPELINE);
    command.arg("audit").args(args);
    Ran::of(&mut command)
}

#[test]
fn exit_codes_and_what_is_told() {
    let right = space(&[("bin/a", "arm64")]);
    let told = audit(&right, &["app.tar"]).must(0);
    assert!(told.stdout.contains("is labelled linux/arm64; programs: 1 of linux/arm64"), "{}", told.stdout);
    audit(&right, &["--platform", "arm64", "docker-archive:app.tar"]).must(0);
    let told = audit(&right, &["--platform", "linux/amd64", "./app.tar"]).must(6);
    assert!(told.stderr.contains("the image is for linux/arm64, as its label says, not for linux/amd64"));
    let wrong = space(&[("bin/a", "amd64")]);
    let told = audit(&wrong, &["--platform", "linux/arm64", "app.tar"]).must(6);
    for text in ["its programs are for linux/amd64: `/bin/a` (layer 1)", "help: the base, a `COPY --from`"] {
        assert!(told.stderr.contains(text), "{}", told.stderr);
    }
    audit(&wrong, &["app.tar"]).must(6);
    let mixed = space(&[("bin/a", "arm64"), ("opt/x/b", "s390x")]);
    let told = audit(&mixed, &["app.tar"]).must(6);
    assert!(told.stderr.contains("`/opt/x/b` (layer 1)"), "{}", told.stderr);
    audit(&mixed, &["--allow", "opt/**", "app.tar"]).must(0);
    for usage in [
        vec!["--platform", "vax", "app.tar"],
        vec!["--allow", "[", "app.tar"],
        vec!["--deny", "nothing", "app.tar"],
        vec!["--fix-label", "app.tar"],
        vec!["-o", "x", "app.tar"],
        vec![],
        vec!["no-such-image"],
    ] {
        audit(&mixed, &usage).must(2);
    }
    fs::write(mixed.path("text.tar"), "no archive").unwrap();
    audit(&mixed, &["text.tar"]).must(1);
    audit(&mixed, &["./absent.tar"]).must(1);
}

#[test]
fn the_json_form_is_stable() {
    let mixed = space(&[("bin/a", "arm64"), ("opt/b", "s390x"), ("usr/bin/qemu-aarch64-static", "amd64")]);
    let told = audit(&mixed, &["--format", "json", "--platform", "linux/arm64", "app.tar"]).must(6);
    insta::assert_snapshot!(told.stdout);
    assert!(told.stderr.is_empty(), "{}", told.stderr);
}

#[test]
fn modes_and_secrets() {
    let space = TestSpace::new();
    let files: [(&str, u32, &[u8]); 3] = [
        ("bin/a", 0o4755, &elf("arm64")),
        ("etc/open", 0o666, b"text"),
        ("app/.env", 0o644, b"TOKEN=tell-nobody-of-this"),
    ];
    archive_of(&space.path("app.tar"), "arm64", &files);
    let told = audit(&space, &["app.tar"]).must(0);
    assert!(told.stdout.contains("run with another's rights: `/bin/a` (layer 1)"), "{}", told.stdout);
    assert!(told.stdout.contains("may be changed by everybody: `/etc/open` (layer 1)"), "{}", told.stdout);
    audit(&space, &["--deny", "setuid", "app.tar"]).must(6);
    audit(&space, &["--deny", "world-writable", "app.tar"]).must(6);
    let mut command = space.command(PIPELINE);
    command.args(["audit", "--secret", "TOKEN", "app.tar"]).env("TOKEN", "tell-nobody-of-this");
    let told = Ran::of(&mut command).must(6);
    assert!(told.stderr.contains("a declared secret stands in `/app/.env` (layer 1)"), "{}", told.stderr);
    assert!(!(told.stdout + &told.stderr).contains("tell-nobody"));
}

#[test]
fn a_label_is_fixed() {
    let wrong = space(&[("bin/a", "amd64")]);
    let told = audit(&wrong, &["--fix-label", "-o", "fixed.tar", "app.tar"]).must(0);
    assert!(told.stderr.contains("fixed.tar is labelled linux/amd64"), "{}", told.stderr);
    audit(&wrong, &["--platform", "linux/amd64", "fixed.tar"]).must(0);
    let told = audit(&wrong, &["--fix-label", "-o", "again.tar", "fixed.tar"]).must(0);
    assert!(told.stderr.contains("nothing was written") && !wrong.path("again.tar").exists());
    // Nobody knows which label would be right.
    let mixed = space(&[("bin/a", "arm64"), ("bin/b", "s390x")]);
    audit(&mixed, &["--fix-label", "-o", "fixed.tar", "app.tar"]).must(6);
    assert!(!mixed.path("fixed.tar").exists());
    // What it should be is known, and it is something else.
    audit(&wrong, &["--platform", "linux/arm64", "--fix-label", "-o", "no.tar", "app.tar"]).must(6);
    assert!(!wrong.path("no.tar").exists());
}

#[test]
fn the_digest_of_the_file_can_be_asked_for() {
    let right = space(&[("bin/a", "arm64")]);
    let output = std::process::Command::new("sha256sum").arg(right.path("app.tar")).output().unwrap();
    let digest = format!("sha256:{}", &String::from_utf8(output.stdout).unwrap()[..64]);
    audit(&right, &["--sha256", &digest, "app.tar"]).must(0);
    let other = digest.replace(&digest[7..9], if &digest[7..9] == "00" { "01" } else { "00" });
    audit(&right, &["--sha256", &other, "app.tar"]).must(6);
}

const RECIPE: &str = "version = 1\n[pipeline]\nengine = \"docker\"\n[targets.native]\nplatform = \"PLATFORM\"\nnodes = [\"local\"]\n\
    [nodes.local]\nruntime = \"docker\"\ndir = \"/tmp\"\n\
    [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"upstream\"\nbranch = \"main\"\nallow-protocols = [\"file\"]\n\
    [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"app:1\"\nAUDIT\n[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n";

/// An engine that builds an image whose one program is for s390x.
fn lab(audit: &str) -> Lab {
    let mut lab = Lab::new();
    let (platform, architecture, _) = native();
    lab.id = archive_of(&lab.archive, architecture, &[("opt/a", 0o755, &elf("s390x"))]);
    lab.script(&[]);
    lab.recipe(&RECIPE.replace("PLATFORM", platform).replace("AUDIT", audit));
    lab
}

fn status(lab: &Lab, of: &str) -> Option<Status> {
    lab.events().into_iter().find_map(|event| match event.kind {
        EventKind::Finished { instance, status, .. } if instance.as_str() == of => Some(status),
        _ => None,
    })
}

#[test]
fn a_build_with_foreign_programs_goes_no_further() {
    let lab = lab("");
    let ran = lab.output(&["run"]).must(6);
    let (platform, ..) = native();
    let said =
        format!("should be for {platform} and is labelled {platform}, and its programs are for linux/s390x");
    assert!(ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ").contains(&said), "{}", ran.stderr);
    assert!(matches!(status(&lab, "save@native"), Some(Status::Skipped { .. })));
    let report: Value =
        serde_json::from_str(&lab.space.read(".pipeline/work/image@native/audit.json")).unwrap();
    assert_eq!(report["verdict"], "content-wrong");
    assert_eq!(report["images"][0]["id"], lab.id.as_str());
    assert_eq!(report["images"][0]["foreign"]["files"][0]["path"], "/opt/a");
    // It is no success that the next run could take for one.
    lab.output(&["run"]).must(6);
}

#[test]
fn what_is_up_to_date_is_not_audited_again() {
    let lab = lab("audit = { allow = [\"opt/**\"] }");
    lab.output(&["run"]).must(0);
    let exports = || lab.calls_of("docker").iter().filter(|call| call[1] == "save").count();
    let before = exports();
    assert_eq!(before, 2, "for the audit, and for the archive");
    lab.output(&["run"]).must(0);
    assert_eq!(exports(), before);
    assert_eq!(status(&lab, "image@native"), Some(Status::UpToDate));
}

#[test]
fn without_an_audit_nothing_is_looked_at() {
    let lab = lab("audit = false");
    lab.output(&["run"]).must(0);
    assert!(!lab.space.path(".pipeline/work/image@native/audit.json").exists());
}

#[test]
fn a_secret_in_the_image_is_told_by_its_place_alone() {
    let mut lab = Lab::new();
    let (platform, architecture, _) = native();
    lab.id =
        archive_of(&lab.archive, architecture, &[("root/.netrc", 0o600, b"password tell-nobody-of-this")]);
    lab.script(&[]);
    let recipe = RECIPE.replace("PLATFORM", platform).replace("AUDIT", "");
    lab.recipe(&(recipe + "[env]\nsecret = [\"TOKEN\"]\n"));
    let mut command = lab.pipeline(&["run"]);
    let ran = Ran::of(command.env("TOKEN", "tell-nobody-of-this")).must(6);
    assert!(ran.stderr.contains("`/root/.netrc` (layer 1)"), "{}", ran.stderr);
    let report = lab.space.read(".pipeline/work/image@native/audit.json");
    assert!(report.contains("/root/.netrc") && !report.contains("tell-nobody"), "{report}");
}

#[test]
fn the_step_holds_back_the_delivery_of_an_archive_from_elsewhere() {
    let (platform, architecture, _) = native();
    let recipe = format!(
        "version = 1\n[targets.native]\nplatform = \"{platform}\"\nnodes = [\"edge\"]\n[nodes.edge]\nhost = \"edge\"\nruntime = \"docker\"\n\
         [[step]]\nuses = \"local-image\"\narchive = \"app.tar\"\nreference = \"app:1\"\n\
         [[step]]\nuses = \"audit\"\n[[step]]\nuses = \"deliver\"\n"
    );
    let lab = Lab::new();
    lab.recipe(&recipe);
    archive_of(&lab.space.path("app.tar"), architecture, &[("bin/a", 0o755, &elf("s390x"))]);
    lab.script(&[Rule::of("ssh").args(&["edge"]).exit(1)]);
    lab.output(&["run"]).must(6);
    assert!(matches!(status(&lab, "deliver@native@edge"), Some(Status::Skipped { .. })));
    assert!(matches!(status(&lab, "audit@native"), Some(Status::Failed(_))));
}
