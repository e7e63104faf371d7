//! Images that a second machine builds: the lab's `builder` has a network, processes, an sshd and engines of its own. It and this
//! machine are of one architecture, so it builds that natively, and the other target is emulated here.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_core::event::{EventKind, FailureKind, Status};

use crate::kit::{Lab, Outcome, Work, eventually};
use crate::require_lab;

/// In the network and with the eyes of the second machine, also when no network leads there.
fn there(lab: &Lab, line: &str) -> String {
    let pid = std::fs::read_to_string(lab.path("builder/pid")).unwrap();
    let unshare = pid.split(' ').next().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    let output = Command::new("nsenter")
        .args(["-t", children.trim(), "-a", "env", "-i"])
        .arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        .arg(format!("CONTAINERS_CONF={}", lab.path("containers.conf").display()))
        .arg(format!("CONTAINERS_STORAGE_CONF={}", lab.path("builder/storage.conf").display()))
        .args(["sh", "-c", line])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// No network leads there, while this lives.
struct Cut(String);

impl Cut {
    fn now(lab: &Lab) -> Self {
        let address = std::fs::read_to_string(lab.path("builder/link")).unwrap();
        let cut = Self(address.trim().to_owned());
        cut.set("down");
        cut
    }

    fn set(&self, state: &str) {
        assert!(Command::new("ip").args(["link", "set", &self.0, state]).status().unwrap().success());
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.set("up");
    }
}

fn builders(lab: &Lab, more: &str) -> String {
    let config = lab.path("builder/ssh_config");
    format!(
        "[builders]\n\"linux/amd64\" = {{ url = \"ssh://builder\", ssh-config = \"{}\"{more} }}\n",
        config.display()
    )
}

/// A recipe with these targets; the second machine builds `amd64`.
fn recipe(lab: &Lab, name: &str, engine: &str, targets: &[&str], dockerfile: &str, more: &str) -> Work {
    let targets: Vec<(&str, &str)> = targets.iter().map(|target| (*target, "")).collect();
    let rest = "[[step]]\nuses = \"smoke\"\nargv = [\"cat\", \"/said\"]\n\
        [[step]]\nuses = \"save\"\npath = \"${target.name}.tar\"\n";
    let mut work = Work::tiny(name, engine, &targets, dockerfile, rest);
    let text = work.read("pipeline.toml");
    work.write("pipeline.toml", format!("{text}\n{}", builders(lab, more)));
    if engine == "docker" {
        work.with_docker(lab)
    } else {
        work.with_podman(lab)
    };
    work
}

const SAID: &str = "RUN echo \"on $(uname -m), $(cat /proc/sys/kernel/hostname)\" >/said";

/// What was told of where a platform's images are built: natively or not, and why.
fn told(outcome: &Outcome) -> (bool, String) {
    let told = outcome.events.iter().find_map(|event| match &event.kind {
        EventKind::Builder { native, why, .. } => Some((*native, why.clone())),
        _ => None,
    });
    told.unwrap_or_else(|| panic!("nothing was told of a builder:\n{}", outcome.stderr))
}

/// One target there and one here, at the same time; who then works with the images finds them here.
fn one_there_and_one_here(lab: &Lab, engine: &str) {
    let name = format!("two-{engine}");
    let work = recipe(lab, &name, engine, &["amd64", "arm64"], SAID, "");
    let plan = work.pipeline(&["plan"]).output().unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("linux/amd64: native on builder, by [builders]"), "{plan}");
    assert!(plan.contains("linux/arm64: emulated here, as [builders] names nobody for it"), "{plan}");
    let json = work.pipeline(&["plan", "--format", "json"]).output().unwrap().stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["builders"]["linux/amd64"]["ssh"]["destination"], "builder", "{json}");
    let doctor = work.pipeline(&["doctor"]).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains(&format!("builds natively by {engine} ")), "{doctor}");

    let outcome = work.run(&["-j2", "--report", "run.html"]).exits(0);
    let outcome =
        outcome.says("linux/amd64: native on builder, by [builders]").says("linux/amd64, native on builder;");
    let report = work.read("run.html");
    assert!(report.contains("builder of linux/amd64") && report.contains("native on builder, by [builders]"));
    assert_eq!(told(&outcome), (true, "native on builder, by [builders]".into()));
    assert!(outcome.output("smoke@amd64", "stdout").starts_with("on x86_64"));
    assert!(outcome.output("smoke@arm64", "stdout").starts_with("on aarch64"));
    for target in ["amd64", "arm64"] {
        let id = outcome.output(&format!("image@{target}"), "id");
        let seen = there(lab, &format!("{engine} image ls --all --quiet --no-trunc")).contains(&id);
        assert_eq!(seen, target == "amd64", "{target} was built where it was not to be");
        assert!(work.path(format!("{target}.tar")).exists());
    }
    assert_eq!(work.run(&[]).exits(0).status("image@amd64"), Some(&Status::UpToDate));
    // Where it is built does not change what it is.
    let text = work.read("pipeline.toml");
    work.write("pipeline.toml", text.replace(&builders(lab, ""), ""));
    assert_eq!(work.run(&[]).exits(0).status("image@amd64"), Some(&Status::UpToDate));
    work.write("pipeline.toml", text);
    clean(lab);
}

/// Nothing of a run is left there but the images, which are a cache.
#[track_caller]
fn clean(lab: &Lab) {
    eventually("nobody works there", Duration::from_secs(20), || {
        let left = there(
            lab,
            "ls -A /var/tmp; docker ps --all --quiet; podman ps --all --external --quiet; \
             for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -e 'holds the way' -e 'system service' -e 'sleep 6' | grep -v grep; done; true",
        );
        left.trim().is_empty().then_some(())
    });
}

/// Pulled away in the middle: told soon, with its name; nothing stays there; the next run goes on.
fn pulled_away(lab: &Lab, engine: &str) {
    let name = format!("away-{engine}");
    let slow = format!("{SAID}\nRUN sleep 613");
    let work = recipe(lab, &name, engine, &["amd64"], &slow, "");
    // Of an earlier test in a lab that stays up.
    there(
        lab,
        &format!("{engine} image rm --force localhost/pipeline/{name}/image/amd64:latest 2>&1 || true"),
    );
    let mut run = work.pipeline(&["run"]);
    let mut run = run.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    eventually("it is built there", Duration::from_mins(1), || {
        there(lab, "ps ax").contains("sleep 613").then_some(())
    });
    let cut = Cut::now(lab);
    let begun = Instant::now();
    let code = run.wait().unwrap().code();
    // The keepalive's time, twelve seconds, and a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(code, Some(1));
    let events = work.events();
    let failure = events.iter().find_map(|event| match &event.kind {
        EventKind::Finished { status: Status::Failed(failure), .. } => Some(failure.clone()),
        _ => None,
    });
    let failure = failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(
        failure.message.starts_with(&format!("builder `builder` was lost while `{engine} build")),
        "{failure:?}"
    );
    eventually("it ends there, without a word from us", Duration::from_mins(1), || {
        (!there(lab, "ps ax").contains("sleep 613")).then_some(())
    });
    clean(lab);
    let images = there(lab, &format!("{engine} image ls"));
    assert!(!images.contains(&name), "{images}");
    drop(cut);
    work.write(
        "context-amd64/Dockerfile",
        work.read("context-amd64/Dockerfile").replace("RUN sleep 613", ""),
    );
    let resumed = work.run(&[]).exits(0);
    assert!(resumed.output("smoke@amd64", "stdout").starts_with("on x86_64"));
    clean(lab);
}

/// The lab has one second machine, and tests take its network away.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn docker_builds_one_target_there_and_the_other_here() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    one_there_and_one_here(lab, "docker");
}

#[test]
fn podman_builds_one_target_there_and_the_other_here() {
    let lab = require_lab!("builder");
    let _alone = alone();
    one_there_and_one_here(lab, "podman");
}

#[test]
fn a_builder_that_docker_loses_in_the_middle() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    pulled_away(lab, "docker");
}

#[test]
fn a_builder_that_podman_loses_in_the_middle() {
    let lab = require_lab!("builder");
    let _alone = alone();
    pulled_away(lab, "podman");
}

/// Its sshd is killed: the same, and at once. What an image is built on is there again in the next run, whatever was removed there.
#[test]
fn a_builder_whose_sshd_is_killed_and_whose_images_are_removed() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    let steps = "[[step]]\nid = \"second-context\"\nuses = \"run\"\nargv = [\"true\"]\n\
        outputs = { context = \"second\" }\n\
        [[step]]\nid = \"second\"\nuses = \"build\"\nsource = \"second-context\"\ntag = \"second:1\"\nbases = { \"first:1\" = \"image\" }\n\
        [[step]]\nuses = \"smoke\"\nimage = \"second\"\nargv = [\"cat\", \"/said\", \"/second\"]\n";
    let mut work = Work::tiny(
        "sshd",
        "docker",
        &[("amd64", "")],
        "RUN echo first >/said",
        &format!("source = \"context\"\n{steps}"),
    );
    work.with_docker(lab);
    let text = work.read("pipeline.toml");
    work.write("pipeline.toml", format!("{text}\n{}", builders(lab, "")));
    work.write("second/Dockerfile", "FROM first:1\nRUN echo second >/second && sleep 614\n");
    let mut run = work.pipeline(&["run"]);
    let mut run = run.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    eventually("it is built there", Duration::from_mins(1), || {
        there(lab, "ps ax").contains("sleep 614").then_some(())
    });
    let sessions = "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline) in 'sshd: root@notty'*) kill -s KILL ${p#/proc/} ;; esac; done";
    there(lab, sessions);
    assert_eq!(run.wait().unwrap().code(), Some(1));
    eventually("it ends there", Duration::from_mins(1), || {
        (!there(lab, "ps ax").contains("sleep 614")).then_some(())
    });
    clean(lab);
    there(lab, "docker image prune --all --force >/dev/null");
    work.write("second/Dockerfile", "FROM first:1\nRUN echo second >/second\n");
    let resumed = work.run(&[]).exits(0);
    assert_eq!(resumed.status("image@amd64"), Some(&Status::UpToDate), "{}", resumed.stderr);
    assert_eq!(resumed.output("smoke@amd64", "stdout"), "first\nsecond");
    clean(lab);
}

/// Down when a run begins: refused before anything is done, or emulated here where the recipe says so, and told in both cases.
#[test]
fn a_builder_that_is_down_is_refused_or_told() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    let work = recipe(lab, "down", "docker", &["amd64"], SAID, "");
    let cut = Cut::now(lab);
    let outcome = work.run(&[]).exits(5);
    assert!(
        outcome.stderr.contains("builder `builder` of linux/amd64 could not be reached"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.events.is_empty(), "nothing is begun");
    let doctor = work.pipeline(&["doctor"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(5));
    let text = work.read("pipeline.toml");
    work.write("pipeline.toml", text.replace(&builders(lab, ""), &builders(lab, ", fallback = \"emulate\"")));
    let outcome = work.run(&[]).exits(0).says("and `fallback = \"emulate\"` allows it");
    let (native, why) = told(&outcome);
    assert!(!native && why.contains("could not be reached"), "{why}");
    drop(cut);
    assert!(there(lab, "docker image ls").lines().all(|line| !line.contains("/down/")));
    work.write("pipeline.toml", text);
    assert_eq!(work.run(&[]).exits(0).status("image@amd64"), Some(&Status::UpToDate), "it is the same image");
}

/// Who is not of the platform, has no engine, or is not the machine that it is called.
#[test]
fn a_builder_that_will_not_do_is_refused_with_the_remedy() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    let work = recipe(lab, "wrong", "docker", &["amd64"], SAID, "");
    let text = work.read("pipeline.toml");
    let refused = |recipe: &str, says: &[&str]| {
        work.write("pipeline.toml", recipe);
        let outcome = work.run(&[]).exits(5);
        for text in says {
            let flat = outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(text), "no `{text}` in:\n{}", outcome.stderr);
        }
    };
    let arm = text
        .replace("\"linux/amd64\" = {", "\"linux/arm64\" = {")
        .replace("platform = \"linux/amd64\"", "platform = \"linux/arm64\"");
    refused(
        &arm,
        &[
            "builder `builder` is linux/amd64, and is to build for linux/arm64 natively",
            "name a machine of linux/arm64",
        ],
    );
    let socket = text.replace("ssh://builder", "ssh://builder/run/no.sock");
    refused(
        &socket,
        &["docker does not listen there, as there is no socket /run/no.sock", "systemctl start docker"],
    );
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxSmtgyoCVUyxzxkKnMGBd1q4XmNZeq7QIg2yVnQDs1";
    let other = text.replace("ssh://builder\"", &format!("ssh://builder\", host-key = \"{key}\""));
    refused(
        &other,
        &["builder `builder` of linux/amd64 could not be reached", "Host key verification failed"],
    );
    let nobody = text.replace("ssh://builder", "ssh://no-such-builder.invalid");
    refused(&nobody, &["could not be reached", "its host name is not found"]);
    clean(lab);
}

/// A script of the plan builds there as well.
#[test]
fn a_script_builds_there_too() {
    let lab = require_lab!("dockerd", "builder");
    let _alone = alone();
    let work = recipe(lab, "scripted", "docker", &["amd64"], SAID, "");
    let script = work.pipeline(&["plan", "--format", "sh"]).output().unwrap();
    work.write("job.sh", script.stdout);
    let mut command = work.command("sh");
    command.arg("job.sh").env("PIPELINE", env!("CARGO_BIN_EXE_pipeline"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(there(lab, "docker image ls").contains("scripted"));
    assert!(work.path("amd64.tar").exists());
    clean(lab);
}
