//! A plan that is frozen here and carried out in clones elsewhere, a target each.

use std::path::Path;

use crate::kit::{Outcome, Work};
use crate::require_lab;

const STEPS: &str = "[[step]]\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\n\
    [[step]]\nuses = \"save\"\npath = \"${target.name}.img\"\n";

fn git(work: &Work, args: &[&str]) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"];
    let output = work.command("git").args(who).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Another machine as far as files go: its own home and engine's store, and the same commit under another path.
fn clone(of: &Work) -> Work {
    let work = Work::new("");
    std::fs::remove_file(work.path("pipeline.toml")).unwrap();
    git(&work, &["clone", "--quiet", of.path(".").to_str().unwrap(), "."]);
    work
}

fn run(work: &Work, plan: &Path, args: &[&str]) -> Outcome {
    work.run(&[&["--plan", plan.to_str().unwrap()], args].concat())
}

#[test]
fn clones_build_the_very_images_of_the_plan() {
    let _lab = require_lab!();
    pipeline_testkit::require!("git");
    let targets = [("arm64", ""), ("armv7", "")];
    let here = Work::tiny("frozen", "buildah", &targets, "RUN echo made >/x", STEPS);
    git(&here, &["init", "--quiet"]);
    git(&here, &["add", "--force", "."]);
    git(&here, &["commit", "--quiet", "-m", "recipe"]);
    let plan = here.root().join("plan.json");
    let frozen = here.pipeline(&["plan", "-o", plan.to_str().unwrap()]).output().unwrap();
    assert!(frozen.status.success(), "{}", String::from_utf8_lossy(&frozen.stderr));
    let whole = run(&here, &plan, &[]).exits(0);
    for (target, _) in targets {
        let other = clone(&here);
        let part = run(&other, &plan, &["--target", target]).exits(0);
        for (step, output) in [("image", "id"), ("save", "sha256")] {
            let id = format!("{step}@{target}");
            assert_eq!(part.output(&id, output), whole.output(&id, output), "{id}");
        }
        let others = targets.iter().filter(|(other, _)| *other != target);
        for (other, _) in others {
            assert_eq!(part.status(&format!("image@{other}")), None, "{target} alone");
        }
        let recipe = other.read("pipeline.toml");
        other.write("pipeline.toml", recipe.replace("-m", "-s"));
        let refused = run(&other, &plan, &["--target", target]).exits(4);
        assert!(refused.stderr.contains("`pipeline.toml` has changed"), "{}", refused.stderr);
    }
}

/// What two machines built is joined on a third, which has neither their stores nor their files; each engine's images travel.
#[test]
fn images_of_two_machines_are_joined_on_a_third() {
    let lab = require_lab!("dockerd");
    pipeline_testkit::require!("podman");
    for engine in ["buildah", "podman", "docker"] {
        let targets = [("arm64", ""), ("armv7", "")];
        let rest = "[[step]]\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\n\
            [[step]]\nid = \"both\"\nuses = \"manifest\"\ndest = \"oci-archive:both.tar\"\n";
        let ready = |mut work: Work| {
            match engine {
                "docker" => _ = work.with_docker(lab),
                "podman" => _ = work.with_podman(lab),
                _ => {}
            }
            work
        };
        let name = format!("travel-{engine}");
        let here = ready(Work::tiny(&name, engine, &targets, "RUN echo made >/x", rest));
        git(&here, &["init", "--quiet"]);
        git(&here, &["add", "--force", "."]);
        git(&here, &["commit", "--quiet", "-m", "recipe"]);
        let plan = here.root().join("plan.json");
        let frozen = here.pipeline(&["plan", "-o", plan.to_str().unwrap()]).output().unwrap();
        assert!(frozen.status.success(), "{engine}: {}", String::from_utf8_lossy(&frozen.stderr));
        let results: Vec<String> =
            targets.iter().map(|(target, _)| here.root().join(target).to_str().unwrap().to_owned()).collect();
        let mut ids = Vec::new();
        for ((target, _), to) in targets.iter().zip(&results) {
            let other = ready(clone(&here));
            let part = ["--target", target, "--stage", "build", "--results-to", to];
            let part = run(&other, &plan, &part).exits(0);
            ids.push(part.output(&format!("image@{target}"), "id"));
            if engine == "docker" {
                // All machines have the one dockerd of the lab.
                let id = ids.last().unwrap();
                assert!(
                    other.command("docker").args(["image", "rm", "--force", id]).status().unwrap().success()
                );
            }
        }
        let third = ready(clone(&here));
        let from = ["--results-from", &results[0], "--results-from", &results[1]];
        let joined = run(&third, &plan, &[&["--stage", "join"][..], &from].concat()).exits(0);
        assert!(third.path("both.tar").is_file(), "{engine}");
        for ((target, _), id) in targets.iter().zip(&ids) {
            let image = format!("image@{target}");
            assert_eq!(joined.output(&image, "id"), *id, "{engine}");
            assert!(
                !joined.commands(&image).iter().any(|argv| argv.iter().any(|word| word == "build")),
                "{engine}: it came"
            );
            assert_eq!(
                joined.status(&format!("smoke@{target}")),
                None,
                "{engine}: it was tried where it was built"
            );
        }
    }
}
