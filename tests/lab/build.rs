//! `build` with each engine.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kit::{Lab, Work};
use crate::require_lab;

/// Everything that a build can be told, proved from within the image.
const DOCKERFILE: &str = "ARG WORD=none\nENV WORD=$WORD\n\
    RUN echo \"$WORD on $(uname -m)\" >/said\n\
    FROM scratch AS unwanted\nCOPY no-such-file /\n";

const KEYS: &str = "args = { WORD = \"two words; $(false)\" }\nlabels = { \"org.example.vendor\" = \"A & B\" }\nstage = \"wanted\"\n\
    [[step]]\nuses = \"smoke\"\nargv = [\"cat\", \"/said\"]\n";

fn recipe(name: &str, engine: &str) -> Work {
    let work = Work::tiny(name, engine, &[("arm64", ""), ("armv7", "")], DOCKERFILE, KEYS);
    for target in ["arm64", "armv7"] {
        let file = format!("context-{target}/Dockerfile");
        work.write(&file, work.read(&file).replacen("FROM scratch", "FROM scratch AS wanted", 1));
    }
    work
}

/// The configuration that was built is the one that was asked for.
#[track_caller]
fn built_as_told(work: &Work, inspect: impl Fn(&str) -> Command) {
    let outcome = work.run(&[]).exits(0);
    for (target, machine) in [("arm64", "aarch64"), ("armv7", "armv7l")] {
        let smoke = format!("smoke@{target}");
        assert_eq!(outcome.output(&smoke, "stdout").trim(), format!("two words; $(false) on {machine}"));
        let handle = outcome.output(&format!("image@{target}"), "handle");
        let output = inspect(&handle).output().unwrap();
        let json = String::from_utf8(output.stdout).unwrap();
        assert!(json.contains("org.example.vendor") && json.contains("two words"), "{json}");
    }
}

fn buildah(work: &Work) -> Command {
    let mut command = work.command("buildah");
    command
        .arg("--root")
        .arg(work.path(".pipeline/store/root"))
        .arg("--runroot")
        .arg(work.path(".pipeline/store/run"));
    command
}

#[test]
fn buildah_builds_as_told() {
    let _lab = require_lab!();
    let work = recipe("told-buildah", "buildah");
    built_as_told(&work, |handle| {
        let mut command = buildah(&work);
        command.args(["inspect", "--type", "image", handle]);
        command
    });
}

#[test]
fn docker_builds_as_told() {
    let lab = require_lab!("dockerd");
    let mut work = recipe("told-docker", "docker");
    work.with_docker(lab);
    built_as_told(&work, |handle| {
        let mut command = work.command("docker");
        command.args(["image", "inspect", handle]);
        command
    });
}

#[test]
fn podman_builds_as_told() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    let mut work = recipe("told-podman", "podman");
    work.with_podman(lab);
    built_as_told(&work, |handle| {
        let mut command = work.command("podman");
        command.args(["image", "inspect", handle]);
        command
    });
}

/// What is asked of the engine, seen from within: more contexts, an agent, limits; and what the archive and the store say.
#[test]
fn in_full() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    pipeline_testkit::require!("ssh-agent");
    for (engine, keys) in
        [("buildah", ""), ("podman", "limits.memory = \"512m\"\nlimits.shm-size = \"1m\"\n")]
    {
        let look = "COPY --from=conf /f /conf\nCOPY --from=other /said /other\n\
            RUN --mount=type=ssh test -S \"$SSH_AUTH_SOCK\" && ulimit -n >/limit && df -k /dev/shm | tail -n 1 >/shm\n";
        let rest = format!(
            "source = \"context\"\ntags = [\"example.org/full:2\"]\nannotations = {{ \"org.example.x\" = \"y\" }}\nssh = [\"default\"]\n\
             pull = \"never\"\ncontexts = {{ conf = {{ path = \"conf\" }}, other = {{ step = \"first\" }} }}\n\
             limits.ulimits.nofile = \"100:200\"\n{keys}\
             [[step]]\nuses = \"smoke\"\nimage = \"image\"\nargv = [\"cat\", \"/conf\", \"/other\", \"/limit\", \"/shm\"]\n\
             [[step]]\nuses = \"save\"\nimage = \"image\"\npath = \"full.tar\"\n\
             [[step]]\nid = \"layout\"\nuses = \"save\"\nimage = \"image\"\npath = \"full.oci\"\nformat = \"oci\"\n\
             [[step]]\nid = \"first-context\"\nuses = \"run\"\nargv = [\"true\"]\noutputs = {{ context = \"first\" }}\n\
             [[step]]\nid = \"first\"\nuses = \"build\"\nsource = \"first-context\"\ntag = \"first:1\"\n"
        );
        let mut work = Work::tiny(&format!("full-{engine}"), engine, &[("arm64", "")], look, &rest);
        work.context("first", "arm64", "RUN echo first >/said");
        work.write("conf/f", "conf\n");
        work.with_podman(lab);
        let socket = work.root().join("agent");
        let mut agent =
            Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        work.env("SSH_AUTH_SOCK", &socket);
        crate::kit::eventually("the agent listens", Duration::from_secs(10), || {
            socket.exists().then_some(())
        });
        let outcome = work.run(&[]);
        agent.kill().unwrap();
        agent.wait().unwrap();
        let said = outcome.exits(0).output("smoke@arm64", "stdout");
        assert!(said.starts_with("conf\nfirst\n100\n"), "{said}");
        assert_eq!(said.contains(" 1024 "), engine == "podman", "{said}");
        let inspected = |source: &str, what: &str| {
            let output = work.command("skopeo").args(["inspect", what, source]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(inspected("oci:full.oci", "--raw").contains("\"org.example.x\":\"y\""));
        let names = Command::new("tar")
            .args(["-xOf"])
            .arg(work.path("full.tar"))
            .arg("manifest.json")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&names.stdout).contains("example.org/full:2"), "{names:?}");
    }
}

/// Nothing in it tells the platforms apart but the platform, and the builders' caches do not know platforms. docker is told
/// which images it may reuse; buildah and podman cannot be: what they built is found out and said.
#[test]
fn two_platforms_of_the_same_content() {
    let lab = require_lab!("dockerd");
    pipeline_testkit::require!("podman");
    for (engine, keys, knows) in [
        ("docker", "", true),
        ("buildah", "", false),
        ("buildah", "no-cache = true\n", true),
        ("podman", "no-cache = true\n", true),
    ] {
        let targets = [("arm64", ""), ("armv7", "")];
        let mut work = Work::tiny(&format!("same-{engine}"), engine, &targets, "", keys);
        work.with_docker(lab).with_podman(lab);
        for target in ["arm64", "armv7"] {
            let dockerfile = format!("FROM scratch\nCOPY data /data\nLABEL by={engine}\n");
            work.write(format!("context-{target}/Dockerfile"), dockerfile);
            work.write(format!("context-{target}/data"), "data\n");
        }
        for _ in 0..2 {
            let outcome = work.run(&["-j", "1"]);
            if knows {
                let outcome = outcome.exits(0);
                assert_ne!(
                    outcome.output("image@arm64", "id"),
                    outcome.output("image@armv7", "id"),
                    "{engine}"
                );
            } else if outcome.code != Some(0) {
                outcome.exits(6).says("is for linux/arm64, not for linux/arm/v7").says("no-cache = true");
            }
        }
    }
}

#[test]
fn without_a_network() {
    let lab = require_lab!("dockerd");
    // No interface but loopback; where /sys is not of the network's namespace, no route.
    let look = "RUN { read -r head; ! read -r route; } </proc/net/route";
    let mut work = Work::tiny("no-network-docker", "docker", &[("arm64", "")], look, "network = \"none\"\n");
    work.with_docker(lab).run(&[]).exits(0);
    let keys = "network = \"none\"\nisolation = \"oci\"\n";
    let mut work = Work::tiny("no-network-buildah", "buildah", &[("arm64", "")], look, keys);
    work.env("CONTAINERS_CONF", lab.path("containers.conf"));
    work.run(&[]).exits(0);
}

#[test]
fn on_a_base_that_another_step_builds() {
    let lab = require_lab!("dockerd");
    let more = "[[step]]\nid = \"app-context\"\nuses = \"run\"\nargv = [\"true\"]\noutputs = { context = \"app\" }\n\
        [[step]]\nid = \"app\"\nuses = \"build\"\nsource = \"app-context\"\ntag = \"app:1\"\nbases = { \"example.org/base:1\" = \"image\" }\n\
        [[step]]\nuses = \"smoke\"\nimage = \"app\"\nargv = [\"uname\", \"-m\"]\nstdout = \"aarch64\"\n";
    for engine in ["buildah", "docker"] {
        let mut work =
            Work::tiny(&format!("bases-{engine}"), engine, &[("arm64", "")], "", "source = \"context\"\n");
        let recipe = work.read("pipeline.toml");
        work.write("pipeline.toml", recipe + more);
        work.write("app/Dockerfile", "FROM example.org/base:1\nRUN echo app >/app\n");
        work.with_docker(lab).run(&[]).exits(0);
        assert_eq!(work.read("app/Dockerfile"), "FROM example.org/base:1\nRUN echo app >/app\n");
    }
}

/// `base:1` in the lab's registry: an index for amd64 and armv7.
fn push_index(lab: &Lab, work: &Work) -> String {
    let name = format!("{}/base:1", lab.registry());
    let run = |args: &[&str]| {
        let output = buildah(work).args(args).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    run(&["manifest", "create", "index"]);
    for (arch, variant) in [("amd64", ""), ("arm", "v7")] {
        let container = run(&["from", "--arch", arch, "scratch"]);
        run(&["config", "--os", "linux", "--arch", arch, "--variant", variant, &container]);
        let image = run(&["commit", "--rm", &container, &format!("localhost/part-{arch}")]);
        run(&["manifest", "add", "index", &image]);
    }
    run(&["manifest", "push", "--all", "--tls-verify=false", "index", &format!("docker://{name}")]);
    name
}

#[test]
fn a_base_that_is_not_to_be_had_for_the_platform_is_said_before_the_build() {
    let lab = require_lab!("registry");
    let work = Work::tiny("no-base", "buildah", &[("arm64", "")], "", "");
    let registries = work.root().join("home/.config/containers/registries.conf");
    let text = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", lab.registry());
    std::fs::create_dir_all(registries.parent().unwrap()).unwrap();
    std::fs::write(&registries, text).unwrap();
    let index = push_index(lab, &work);
    let missing = format!("{}/missing:1", lab.registry());
    for (base, why) in [
        (index.as_str(), "only for linux/amd64, linux/arm/v7"),
        ("localhost/never-built:1", "`localhost` is no registry"),
    ] {
        work.write("context-arm64/Dockerfile", format!("FROM {base}\nRUN true\n"));
        let outcome = work.run(&[]).exits(1);
        let failure = outcome.failure("image@arm64");
        assert!(failure.message.contains("context-arm64/Dockerfile, line 1"), "{failure:?}");
        assert!(failure.message.contains(why), "{failure:?}");
        assert!(failure.message.contains("linux/arm64"), "{failure:?}");
        let commands = outcome.commands("image@arm64");
        let built = |argv: &&&Vec<String>| argv.iter().any(|arg| arg == "build");
        assert_eq!(commands.iter().find(built), None, "the build began");
    }
    // Of what its registry does not know, the builder has the last word: it may have a mirror.
    work.write("context-arm64/Dockerfile", format!("FROM {missing}\nRUN true\n"));
    let outcome = work.run(&[]).exits(1);
    assert!(outcome.failure("image@arm64").message.contains("missing"), "{}", outcome.stderr);
    work.write("context-arm64/Dockerfile", format!("FROM {index}\nCMD [\"x\"]\n"));
    let recipe = work
        .read("pipeline.toml")
        .replace("arm64]\nplatform = \"linux/arm64\"", "arm64]\nplatform = \"linux/arm/v7\"");
    work.write("pipeline.toml", recipe);
    work.run(&[]).exits(0);
}
