//! `crictl-verify` with `run`: pods on real CRI servers, by the real crictl and over their sockets, and what is left.

use std::time::Duration;

use pipeline_core::event::{FailureKind, Status};

use crate::engine_ends::{signal, start};
use crate::kit::{Lab, Marked, Outcome, TestNode, Work, eventually, free_port};
use crate::require_lab;
use crate::verify::{EMULATES, HOSTS, WITHOUT_CRICTL, delivered};

const VERIFY: &str = "verify@arm64@node";

/// The folders for logs of pods that a node has.
fn folders(lab: &Lab, host: &str, name: &str) -> Vec<String> {
    let all = std::fs::read_dir(lab.path(host).join("files").join(name)).into_iter().flatten().flatten();
    let names = all.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".verify-")).collect()
}

/// Runs a recipe that verifies with `keys`; afterwards no pod named after the recipe is there.
#[track_caller]
fn verified(lab: &Lab, name: &str, host: &str, keys: &str) -> Outcome {
    let outcome = delivered(lab, name, host, EMULATES, "", keys).run(&[]);
    let left = lab.on_node(host, &format!("crictl pods --name pipeline-{name}"));
    assert_eq!(left.lines().count(), 1, "{left}");
    assert_eq!(folders(lab, host, name), Vec::<String>::new());
    outcome
}

#[track_caller]
fn differs(outcome: Outcome, expected: &str, found: &str) {
    let outcome = outcome.exits(6);
    let failure = outcome.failure(VERIFY);
    assert_eq!(failure.kind, FailureKind::Mismatch, "{failure:?}");
    assert!(failure.message.contains(&format!("expected: {expected}")), "{failure:?}");
    assert!(failure.message.contains(&format!("it is: {found}")), "{failure:?}");
}

#[test]
fn what_it_prints_and_how_it_ends() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let keys = "run = { argv = [\"sh\", \"-c\", \"uname -m; echo \\\"$WORD\\\"; exit 3\"], env = { WORD = \"a  'b\" }, \
             exit-code = 3, stdout = { regex = \"^aarch64\\na  'b$\" } }\n";
        let outcome =
            verified(lab, &format!("run-good-{host}"), host, &keys.replace("\\n", "\\\\n")).exits(0);
        let log = outcome.lines(VERIFY);
        assert!(log.contains("container: aarch64") && log.contains("exit code 3"), "{log}");
        let size: u64 = outcome.output(VERIFY, "size").parse().unwrap();
        assert!((500_000..10_000_000).contains(&size), "{size}");
    }
}

#[test]
fn another_exit_code_and_another_output() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let keys = "run = { argv = [\"sh\", \"-c\", \"echo why >&2; exit 7\"] }\n";
        let outcome = verified(lab, &format!("run-code-{host}"), host, keys);
        assert!(outcome.failure(VERIFY).message.contains("it said:\n  why"), "{}", outcome.stderr);
        differs(outcome, "0", "7");
        let keys = "run = { argv = [\"uname\", \"-m\"], stdout = \"armv7l\" }\n";
        differs(verified(lab, &format!("run-out-{host}"), host, keys), "armv7l", "aarch64");
    }
}

#[test]
fn a_program_that_is_not_there_and_one_that_does_not_end() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let outcome =
            verified(lab, &format!("run-none-{host}"), host, "run = { argv = [\"/no/such\"] }\n").exits(1);
        let failure = outcome.failure(VERIFY);
        assert!(
            failure.message.contains("could not be started") && failure.message.contains("/no/such"),
            "{failure:?}"
        );
        let keys = "run = { argv = [\"sh\", \"-c\", \"echo begun; sleep 1000\"], timeout = \"3s\" }\n";
        let outcome = verified(lab, &format!("run-long-{host}"), host, keys).exits(1);
        assert_eq!(outcome.failure(VERIFY).kind, FailureKind::Timeout);
        assert!(outcome.lines(VERIFY).contains("container: begun"));
    }
}

/// busybox serves a file where a registry answers.
const SERVER: &str = "argv = [\"busybox\", \"httpd\", \"-f\", \"-p\", \"127.0.0.1:PORT\", \"-h\", \"/www\"]";

/// Delivers an image with a page.
fn serving(lab: &Lab, name: &str, host: &str, run: &str, page: &str) -> Outcome {
    let work = delivered(lab, name, host, EMULATES, "", &format!("run = {{ {run} }}\n"));
    let file = "context-arm64/Dockerfile";
    work.write("context-arm64/index.html", page);
    work.write(file, work.read(file) + "COPY index.html /www/v2/index.html\n");
    work.run(&[])
}

#[test]
fn an_http_path() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let port = free_port();
        let server = SERVER.replace("PORT", &port.to_string());
        let run = |http: &str| format!("{server}, timeout = \"20s\", http = {{ port = {port}, {http} }}");
        let good = run("path = \"/v2/\", body = \"^a page\"");
        let outcome = serving(lab, &format!("http-good-{host}"), host, &good, "a page\n").exits(0);
        assert!(outcome.lines(VERIFY).contains("status 200"), "{}", outcome.lines(VERIFY));
        let outcome = serving(
            lab,
            &format!("http-path-{host}"),
            host,
            &run("path = \"/none\"").replace("20s", "5s"),
            "",
        );
        differs(outcome, "status 200", "status 404");
        let other = run("path = \"/v2/\", body = \"^a page\"").replace("20s", "5s");
        let outcome = serving(lab, &format!("http-body-{host}"), host, &other, "another");
        differs(outcome, "status 200 with a body that matches `^a page`", "status 200, `another`");
        let ended = format!("argv = [\"sh\", \"-c\", \"exit 4\"], http = {{ port = {port} }}");
        let outcome = serving(lab, &format!("http-ended-{host}"), host, &ended, "");
        differs(outcome, "status 200", "ended with exit code 4");
    }
}

#[test]
fn a_port_that_somebody_else_answers_at() {
    let lab = require_lab!("nodes", "registry", "crio", "crictl");
    let registry = lab.registry();
    let port = registry.rsplit(':').next().unwrap();
    let run = format!("argv = [\"sleep\", \"100\"], http = {{ port = {port}, path = \"/v2/\" }}");
    let outcome = serving(lab, "http-taken", "edge-arm64", &run, "").exits(1);
    let failure = outcome.failure(VERIFY);
    assert!(failure.message.contains("before the container is there, with 200"), "{failure:?}");
}

#[test]
fn a_pod_with_a_network_of_its_own() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let run = "argv = [\"busybox\", \"httpd\", \"-f\", \"-p\", \"80\", \"-h\", \"/www\"], network = \"pod\", \
             timeout = \"20s\", http = { port = 80, path = \"/v2/\" }";
        let outcome = serving(lab, &format!("http-pod-{host}"), host, run, "own").exits(0);
        assert!(outcome.lines(VERIFY).contains("status 200"));
    }
}

const LONG: Duration = Duration::from_mins(1);

/// A recipe whose container sleeps until somebody ends it.
fn sleeping(lab: &Lab, name: &str, host: &str, mark: &Marked) -> Work {
    let keys = format!("run = {{ argv = [\"sleep\", \"{}\"], timeout = \"10m\" }}\n", mark.seconds());
    delivered(lab, name, host, EMULATES, "", &keys)
}

/// Its pods on the node, by the recipe's name.
fn pods_of(lab: &Lab, host: &str, name: &str) -> usize {
    lab.on_node(host, &format!("crictl pods --quiet --name pipeline-{name}")).lines().count()
}

#[test]
fn ctrl_c_removes_the_pod() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for (host, tag) in HOSTS.into_iter().zip([21, 22]) {
        let (name, mark) = (format!("run-stop-{host}"), Marked::new(tag));
        let work = sleeping(lab, &name, host, &mark);
        let engine = start(&work, &[]);
        eventually("the container sleeps", LONG, || mark.sleepers().first().copied());
        signal("-INT", engine.id());
        let output = engine.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(mark.sleepers(), Vec::<u32>::new());
        assert_eq!(pods_of(lab, host, &name), 0);
        assert_eq!(folders(lab, host, &name), Vec::<String>::new());
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for (host, tag) in HOSTS.into_iter().zip([23, 24]) {
        let (name, mark) = (format!("run-kill-{host}"), Marked::new(tag));
        let work = sleeping(lab, &name, host, &mark);
        let mut engine = start(&work, &[]);
        eventually("the container sleeps", LONG, || mark.sleepers().first().copied());
        signal("-KILL", engine.id());
        engine.wait().unwrap();
        // The runtime's containers are nobody's descendants here.
        assert_eq!(pods_of(lab, host, &name), 1);
        let recipe = work.read("pipeline.toml");
        let line = recipe.lines().find(|line| line.starts_with("run = ")).unwrap().to_owned();
        work.write("pipeline.toml", recipe.replace(&line, "run = { argv = [\"true\"] }"));
        let outcome = work.run(&[]).exits(0);
        assert!(
            outcome.lines(VERIFY).contains("had 1 pods of an earlier run: removed"),
            "{}",
            outcome.lines(VERIFY)
        );
        assert_eq!(mark.sleepers(), Vec::<u32>::new());
        assert_eq!(pods_of(lab, host, &name), 0);
        assert_eq!(folders(lab, host, &name), Vec::<String>::new());
    }
}

#[test]
fn without_crictl_over_forwarded_sockets() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    pipeline_testkit::require!("setpriv");
    let at = lab.dir.display();
    let crio = format!(
        "cri = \"unix://{at}/crio.sock\"\nstorage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}"
    );
    let containerd = format!("runtime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"");
    for (host, keys, import) in [
        (
            "edge-arm64",
            &crio,
            "uses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/NAME:1\"",
        ),
        ("edge-armv7", &containerd, "uses = \"load\""),
    ] {
        let name = format!("run-socket-{host}");
        let port = free_port();
        let server = SERVER.replace("PORT", &port.to_string());
        let work = Work::tiny(
            &name,
            "buildah",
            &[("arm64", "\"own\"")],
            "RUN [\"busybox\", \"touch\", \"/page\"]",
            "",
        );
        let own = TestNode::start(&work.root().join("node"), WITHOUT_CRICTL);
        let steps = format!(
            "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n[[step]]\nid = \"import\"\n{}\n\
             [[step]]\nid = \"ends\"\nuses = \"crictl-verify\"\nmutex = \"one\"\n\
             run = {{ argv = [\"sh\", \"-c\", \"uname -m; exit 5\"], stdout = \"aarch64\", exit-code = 5 }}\n\
             [[step]]\nid = \"serves\"\nuses = \"crictl-verify\"\nmutex = \"one\"\n\
             run = {{ {}, timeout = \"20s\", http = {{ port = {port}, path = \"/page\" }} }}\n\
             [[step]]\nid = \"differs\"\nuses = \"crictl-verify\"\nmutex = \"one\"\nneeds = [\"ends\", \"serves\"]\n\
             run = {{ argv = [\"false\"] }}\n",
            import.replace("NAME", &name),
            server.replace("/www", "/"),
        );
        work.write(
            "pipeline.toml",
            work.read("pipeline.toml") + &own.toml(&format!("{keys}\n{EMULATES}")) + &steps,
        );
        let outcome = work.run(&[]).exits(6);
        for step in ["ends@arm64@own", "serves@arm64@own"] {
            let log = outcome.lines(step);
            assert_eq!(outcome.status(step), Some(&Status::Done), "{log}");
            assert!(log.contains("has no crictl: asking"), "{log}");
        }
        let failure = outcome.failure("differs@arm64@own");
        assert!(failure.message.contains("expected: 0\nit is: 1"), "{failure:?}");
        assert_eq!(pods_of(lab, host, &name), 0);
        let left: Vec<_> = std::fs::read_dir(own.path("files")).unwrap().flatten().collect();
        assert!(
            left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".verify-")),
            "{left:?}"
        );
    }
}

#[test]
fn the_registry_answers_on_cri_o() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    let work = Work::demo(lab, "docker.io/library/run-registry:2");
    let port = free_port();
    let run = format!(
        "run = {{ env = {{ REGISTRY_HTTP_ADDR = \"127.0.0.1:{port}\" }}, http = {{ port = {port}, path = \"/v2/\", body = \"^\\\\{{\\\\}}\" }} }}"
    );
    let recipe = work.read("pipeline.toml");
    let step = "id      = \"verify-crio\"\n";
    assert!(recipe.contains(step));
    work.write("pipeline.toml", recipe.replace(step, &format!("{step}{run}\n")));
    let outcome = work.run(&["--target", "arm64"]).exits(0);
    let log = outcome.lines("verify-crio@arm64@edge-arm64");
    assert!(log.contains("`GET /v2/`") && log.contains("is status 200 with a body that matches"), "{log}");
}

#[test]
fn on_this_machine_without_ssh_and_without_crictl() {
    let lab = require_lab!("nodes", "containerd", "crictl");
    let (name, port) = ("run-here", free_port());
    let rest = format!(
        "[nodes.node]\nruntime = \"containerd\"\ncri = \"unix://{}\"\ndir = \"FILES\"\n{EMULATES}\n\
         [[step]]\nuses = \"save\"\n[[step]]\nuses = \"load\"\n[[step]]\nid = \"verify\"\nuses = \"crictl-verify\"\n\
         run = {{ {}, timeout = \"20s\", http = {{ port = {port}, path = \"/page\" }} }}\n",
        lab.path("containerd.sock").display(),
        SERVER.replace("PORT", &port.to_string()).replace("/www", "/"),
    );
    let page = "RUN [\"busybox\", \"touch\", \"/page\"]";
    let mut work = Work::tiny(name, "buildah", &[("arm64", "\"node\"")], page, &rest);
    let files = work.root().join("files");
    work.write("pipeline.toml", work.read("pipeline.toml").replace("FILES", files.to_str().unwrap()));
    work.env("PATH", WITHOUT_CRICTL);
    let log = work.run(&[]).exits(0).lines(VERIFY);
    assert!(log.contains("has no crictl: asking") && log.contains("is status 200"), "{log}");
    assert_eq!(pods_of(lab, "edge-armv7", name), 0);
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 0);
}
