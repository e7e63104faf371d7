//! Provenance of archives, and a run in one file.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_testkit::TestSpace;
use serde_json::Value;

use crate::PIPELINE;
use crate::image::native;
use crate::lab::{Lab, Ran};

/// The first test vector of RFC 8032, and a key of somebody else.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const OTHERS: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n-----END PUBLIC KEY-----\n";

/// Builds, saves, has it looked over and asks the node; `more` is the rest of the recipe.
pub(crate) fn lab(more: &str) -> Lab {
    let lab = Lab::new();
    let (platform, ..) = native();
    lab.recipe(&format!(
        "version = 1\n[pipeline]\nname = \"app\"\nengine = \"docker\"\n[targets.native]\nplatform = \"{platform}\"\nnodes = [\"edge\"]\n\
         [nodes.edge]\nhost = \"edge\"\ndir = \"{}\"\n\
         [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"upstream\"\nbranch = \"main\"\nallow-protocols = [\"file\"]\n\
         [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"app:1\"\n\
         [[step]]\nuses = \"save\"\npath = \"out/app.tar\"\n\
         [[step]]\nid = \"scan\"\nuses = \"run\"\nargv = [\"cp\", \"${{steps.save.path}}\", \"out/app.spdx.json\"]\noutputs.sbom = \"out/app.spdx.json\"\n\
         {more}",
        lab.space.root().join("node").display()
    ));
    lab.space.write("key", KEY);
    lab.space.write("key.pub", PUBLIC);
    lab.space.write("others.pub", OTHERS);
    lab
}

pub(crate) const NODE: &str = "[[step]]\nuses = \"scp\"\n[[step]]\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/app:1\"\n\
    [[step]]\nuses = \"crictl-verify\"\nimage = \"docker.io/library/app:1\"\n";

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_run_leaves_a_statement_about_each_archive() {
    let lab = lab(NODE);
    lab.output(&["run", "-j", "1"]).must(0);
    let run = lab.run_folder();
    let statement = json(&run.join("provenance/save@native.json"));
    assert_eq!(statement["subject"][0]["digest"]["sha256"], sha256(&lab.space.path("out/app.tar")));
    assert_eq!(statement["subject"][1]["digest"]["sha256"], &lab.id["sha256:".len()..]);
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["internalParameters"]["plan"]["sha256"], sha256(&run.join("plan.json")));
    let made_of = definition["resolvedDependencies"].as_array().unwrap();
    assert!(made_of.iter().any(|one| one["digest"]["gitCommit"] == lab.commit.as_str()), "{made_of:?}");
    let details = &statement["predicate"]["runDetails"];
    assert!(details["builder"]["version"]["pipeline"].is_string());
    let byproducts = details["byproducts"].as_array().unwrap();
    let sbom = byproducts.iter().find(|one| one["name"] == "scan@native.sbom").unwrap();
    assert_eq!(sbom["digest"]["sha256"], sha256(&lab.space.path("out/app.spdx.json")));
    assert!(byproducts.iter().any(|one| one["name"] == "image@native.audit"), "{byproducts:?}");
    assert_eq!(json(&run.join("audit/image@native.json"))["verdict"], "nothing-to-tell");
    assert_eq!(
        json(&run.join("nodes/crictl-verify@native@edge.json"))["image"]["repo_tags"][0],
        "docker.io/library/app:1"
    );
    assert!(run.join("lock").exists());
    assert!(!lab.space.path("out/app.tar.intoto.jsonl").exists(), "nobody asked for a signature");
    // Up to date, it has the statement of the run that made it.
    lab.output(&["run"]).must(0);
    let second = lab.run_folder();
    assert_ne!(run, second);
    assert_eq!(json(&second.join("provenance/save@native.json")), statement);
}

#[test]
fn a_bundle_is_checked_anywhere_and_an_altered_part_is_named() {
    let lab = lab(NODE);
    lab.output(&["run", "-j", "1", "--sign", "key"]).must(0);
    lab.output(&["evidence", "-o", "out/evidence.tar", "--sign", "key"]).must(0);
    lab.output(&["evidence", "-o", "out/again.tar", "--sign", "key"]).must(0);
    let (first, again) = (lab.space.path("out/evidence.tar"), lab.space.path("out/again.tar"));
    assert_eq!(fs::read(&first).unwrap(), fs::read(&again).unwrap());
    // Somewhere else, without the recipe.
    let elsewhere = TestSpace::new();
    fs::copy(&first, elsewhere.path("evidence.tar")).unwrap();
    elsewhere.write("key.pub", PUBLIC);
    elsewhere.write("others.pub", OTHERS);
    let verify = |args: &[&str]| Ran::of(elsewhere.command(PIPELINE).arg("verify-bundle").args(args));
    let told = verify(&["evidence.tar"]).must(0).stdout;
    assert!(told.contains("save@native: out/app.tar is sha256:"), "{told}");
    verify(&["--key", "key.pub", "evidence.tar"]).must(0);
    let told = verify(&["--key", "others.pub", "evidence.tar"]).must(6).stderr;
    assert!(told.contains("not signed by this key"), "{told}");
    let sound = fs::read(&first).unwrap();
    let tar = tar::Archive::new(&sound[..])
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| {
            (
                entry.path().unwrap().to_string_lossy().into_owned(),
                usize::try_from(entry.raw_file_position()).unwrap(),
            )
        })
        .collect::<Vec<_>>();
    let names: Vec<&str> = tar.iter().map(|(name, _)| name.as_str()).collect();
    for part in [
        "bundle.json",
        "events.jsonl",
        "plan.json",
        "lock",
        "audit/image@native.json",
        "nodes/crictl-verify@native@edge.json",
    ] {
        assert!(names.contains(&part), "{part}: {names:?}");
    }
    for (name, position) in &tar {
        let mut altered = sound.clone();
        altered[position + 3] ^= 1;
        elsewhere.write("altered.tar", altered);
        let told = verify(&["altered.tar"]).must(6).stderr;
        assert!(told.contains(&format!("`{name}` was altered")), "{name}: {told}");
    }
    elsewhere.write("cut.tar", &sound[..sound.len() / 2]);
    verify(&["cut.tar"]).must(6);
    elsewhere.write("text.tar", "x".repeat(2000));
    verify(&["text.tar"]).must(1);
    verify(&["absent.tar"]).must(1);
    verify(&["--key", "absent.pub", "evidence.tar"]).must(2);
}

#[test]
fn a_statement_of_another_archive_does_not_fit() {
    let lab = lab("");
    lab.output(&["run"]).must(0);
    let statement = lab.run_folder().join("provenance/save@native.json");
    let other = fs::read_to_string(&statement).unwrap().replacen("\"sha256\": \"", "\"sha256\": \"0", 2);
    fs::write(&statement, other).unwrap();
    lab.output(&["evidence", "-o", "evidence.tar"]).must(0);
    let told = lab.output(&["verify-bundle", "evidence.tar"]).must(6).stderr;
    assert!(told.contains("`provenance/save@native.json`: it is not about the archive"), "{told}");
    // Nobody has signed it.
    let told = lab.output(&["verify-bundle", "--key", "key.pub", "evidence.tar"]).must(6).stderr;
    assert!(told.contains("not signed"), "{told}");
}

#[test]
fn which_run() {
    let lab = lab("");
    let told = lab.output(&["evidence", "-o", "x.tar"]).must(2).stderr;
    assert!(told.contains("has done anything"), "{told}");
    lab.output(&["run"]).must(0);
    let id = lab.run_folder().file_name().unwrap().to_string_lossy().into_owned();
    lab.output(&["evidence", &id, "-o", "x.tar"]).must(0);
    for bad in ["absent", "..", ".", "../runs"] {
        lab.output(&["evidence", bad, "-o", "y.tar"]).must(2);
    }
    // A key is read before anything is done.
    let told = lab.output(&["run", "--force", "--sign", "key.pub"]).must(2).stderr;
    assert!(told.contains("holds no private Ed25519 key, but `PUBLIC KEY`"), "{told}");
}

/// A recipe that takes the archive of another machine.
fn taken(lab: &Lab) {
    let (platform, ..) = native();
    lab.recipe(&format!(
        "version = 1\n[targets.native]\nplatform = \"{platform}\"\n\
         [[step]]\nuses = \"local-image\"\narchive = \"out/app.tar\"\nreference = \"app:1\"\n"
    ));
}

#[test]
fn without_provenance_nothing_is_taken_from_elsewhere() {
    let lab = lab("");
    lab.output(&["run", "--sign", "key"]).must(0);
    let envelope = lab.space.read("out/app.tar.intoto.jsonl");
    taken(&lab);
    let required = |key: &str| lab.output(&["run", "--require-provenance", key]);
    let told = required("key.pub").must(0).stderr;
    assert!(told.contains("done"), "{told}");
    let plan = lab.output(&["run", "--dry-run", "--require-provenance", "key.pub"]).must(0).stdout;
    assert!(plan.contains("check that the provenance beside out/app.tar is signed by"), "{plan}");
    let told = required("others.pub").must(6).stderr;
    assert!(told.contains("not signed by this key, or was altered"), "{told}");
    required("absent.pub").must(2);
    // Of a payload that was exchanged, and of another archive.
    lab.space.write("out/app.tar.intoto.jsonl", envelope.replacen("\"payload\":\"e", "\"payload\":\"f", 1));
    required("key.pub").must(6);
    fs::remove_file(lab.space.path("out/app.tar.intoto.jsonl")).unwrap();
    let told = required("key.pub").must(6).stderr;
    assert!(told.contains("there is no provenance of"), "{told}");
    lab.space.write("out/app.tar.intoto.jsonl", &envelope);
    crate::image::docker_archive(&lab.space.path("out/app.tar"), "something else");
    let told = required("key.pub").must(6).stderr;
    assert!(told.contains("is not about this archive"), "{told}");
    lab.output(&["run"]).must(0);
}

#[test]
fn an_image_by_its_name_has_nobody_who_vouches_for_it() {
    let lab = lab("");
    let (platform, ..) = native();
    lab.recipe(&format!(
        "version = 1\n[pipeline]\nengine = \"docker\"\n[targets.native]\nplatform = \"{platform}\"\n[[step]]\nuses = \"local-image\"\nname = \"app:1\"\n"
    ));
    let told = lab.output(&["run", "--require-provenance", "key.pub"]).must(2).stderr;
    assert!(told.contains("for which nobody vouches"), "{told}");
}

#[test]
fn no_statement_and_no_bundle_holds_a_secret() {
    let lab = lab("[[step]]\nuses = \"run\"\nargv = [\"env\"]\n[env]\nsecret = [\"TOKEN\"]\n");
    let mut command = lab.pipeline(&["run", "--sign", "key"]);
    Ran::of(command.env("TOKEN", "tell-nobody-of-this")).must(0);
    lab.output(&["evidence", "-o", "evidence.tar"]).must(0);
    let bytes = fs::read(lab.space.path("evidence.tar")).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"TOKEN") && !holds(b"tell-nobody"));
}
