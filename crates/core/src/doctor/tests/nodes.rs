//! Nodes that are this machine, with private tools: the same script that a remote node gets.

use std::os::unix::net::UnixListener;

use super::kit::{Space, calls_on, instance, list, named, node, plan};
use crate::doctor::Level;
use crate::plan::{Action, CriVerify, Instance, Node, Storage, Text};
use crate::platform::Platform;

/// What the script itself calls.
const SCRIPT: [&str; 7] = ["sh", "uname", "id", "dirname", "df", "cat", "tr"];

/// A space whose nodes can be asked.
fn space() -> Space {
    let space = Space::new();
    space.real(&SCRIPT);
    space
}

fn verify(name: &str, cri: Option<String>) -> (Instance, Node) {
    let verify = CriVerify {
        node: name.into(),
        endpoint: cri.clone(),
        reference: "docker.io/library/x:1".into(),
        id: Text::from("sha256:0"),
        platform: Platform::parse("arm64").unwrap(),
        emulates: Vec::new(),
        node_platform: None,
        report: None,
    };
    let mut step = instance("verify", Some(name), vec![Action::CriVerify(verify)]);
    step.platform = Some(Platform::parse("s390x").unwrap());
    (step, Node { cri, ..node(name) })
}

#[test]
fn tools_of_the_commands_are_needed_and_others_are_not() {
    let space = space();
    let steps = plan(vec![calls_on("n", &["sh", "ctr-of-a-test"])], vec![node("n")]);
    assert_eq!(list(&space.preflight(&steps)), ["node n ctr-of-a-test"]);
    let findings = space.examine(Some(&steps));
    assert_eq!(named(&findings, "node n", "ctr-of-a-test").level, Level::Missing);
    let skopeo = named(&findings, "node n", "skopeo");
    assert_eq!((skopeo.level, skopeo.remedy.as_deref()), (Level::Warning, Some("apt-get install skopeo")));
    assert!(named(&findings, "node n", "connection").detail.starts_with("this machine answers: "));
    let room = named(&findings, "node n", "free space at /var/lib/containers/storage");
    assert!(room.detail.ends_with("GiB"), "{room:?}");
}

#[test]
fn a_node_whose_steps_may_fail_stops_nothing() {
    let space = space();
    let mut step = calls_on("n", &["ctr-of-a-test"]);
    step.allow_failure = true;
    let steps = plan(vec![step], vec![node("n")]);
    assert!(space.preflight(&steps).is_empty());
    assert_eq!(named(&space.examine(Some(&steps)), "node n", "ctr-of-a-test").level, Level::Warning);
}

#[test]
fn without_a_shell_there_is_one_finding() {
    let space = Space::new();
    let findings = space.preflight(&plan(vec![calls_on("n", &["a", "b"])], vec![node("n")]));
    assert_eq!(list(&findings), ["node n connection"]);
    assert!(findings[0].detail.contains("`sh` is not installed"), "{findings:?}");
}

#[test]
fn crictl_or_the_socket() {
    let space = space();
    let socket = space.file("cri.sock");
    let endpoint = Some(format!("unix://{}", socket.display()));
    let (step, with_socket) = verify("n", endpoint);
    let steps = plan(vec![step], vec![with_socket]);
    let findings = space.preflight(&steps);
    assert_eq!(list(&findings), ["node n CRI"]);
    assert!(findings[0].detail.contains("there is no socket at "), "{findings:?}");
    assert_eq!(findings[0].remedy.as_deref(), Some("systemctl start crio"));

    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(space.preflight(&steps).is_empty());
    let found = space.examine(Some(&steps));
    assert!(named(&found, "node n", "CRI").detail.contains("which will do"), "{found:?}");
    // s390x images go there, and nobody says that it runs them.
    assert_eq!(named(&found, "node n", "machine").level, Level::Missing);
    assert!(
        named(&found, "node n", "machine")
            .remedy
            .as_ref()
            .unwrap()
            .starts_with("emulates = [\"linux/s390x\"]")
    );

    std::fs::remove_file(&socket).unwrap();
    let (step, without) = verify("n", None);
    let steps = plan(vec![step], vec![without]);
    assert_eq!(list(&space.preflight(&steps)), ["node n CRI"]);
    space.tool("crictl");
    assert!(space.preflight(&steps).is_empty());
}

#[test]
fn sudo_is_told_from_a_node_that_is_not_reached() {
    let space = space();
    let root = || Node { sudo: true, ..node("n") };
    let steps = plan(vec![calls_on("n", &["sh", "ctr-of-a-test"])], vec![root()]);
    space.script("bin/sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let findings = space.preflight(&steps);
    assert_eq!(list(&findings), ["node n sudo"]);
    assert!(findings[0].detail.contains("sudo: a password is required"), "{findings:?}");
    space.script(
        "bin/sudo",
        "[ \"$1\" = -n ] && shift; [ \"$1\" = -- ] && shift; [ \"$1\" = true ] || exec \"$@\"",
    );
    assert_eq!(list(&space.preflight(&steps)), ["node n ctr-of-a-test"]);
    assert_eq!(named(&space.examine(Some(&steps)), "node n", "sudo").level, Level::Ok);
}

#[test]
fn the_folder_for_files_and_the_storage() {
    let space = space();
    let mut step = calls_on("n", &["sh"]);
    step.kind = "scp".into();
    let dir = |path: &str| space.file(path).display().to_string();
    let storage = Storage { driver: None, root: dir("a b/storage"), runroot: None };
    let at = |path: &str| Node { dir: dir(path), storage: Some(storage.clone()), ..node("n") };
    let finding = |node: Node| {
        let name = format!("folder {}", node.dir);
        let findings = space.examine(Some(&plan(vec![step.clone()], vec![node])));
        named(&findings, "node n", &format!("free space at {}", storage.root));
        named(&findings, "node n", &name).clone()
    };
    assert_eq!(finding(at("new/deep")).detail, "can be made");
    std::fs::create_dir(space.file("there")).unwrap();
    assert_eq!(finding(at("there")).detail, "can be written to");
    std::fs::write(space.file("file"), "").unwrap();
    assert_eq!(finding(at("file")).level, Level::Missing);
    assert_eq!(finding(at("file/x")).level, Level::Missing);
}

#[test]
fn nothing_that_a_recipe_names_is_code() {
    let space = space();
    let odd = ["$(touch pwned)", "`touch pwned`", "x; touch pwned", "'", "a\nb", "-v"];
    let findings = space.preflight(&plan(vec![calls_on("n", &odd)], vec![node("n")]));
    assert!(!space.file("pwned").exists());
    assert!(findings.iter().all(|finding| finding.area == "node n"), "{findings:?}");
}

#[test]
fn versions_and_the_runtimes_answers_are_told() {
    let space = space();
    space.tool("skopeo");
    space.script(
        "bin/crictl",
        "case \"$*\" in *imagefsinfo*) printf '{\"status\": {\\n \"imageFilesystems\": [{\"fsId\": {\\n\
         \"mountpoint\": \"/srv/root/overlay-images\"}}]}}' ;; *--version) echo crictl version v1.36 ;;\n\
         *) echo RuntimeName: cri-o; echo RuntimeVersion: 1.36.0 ;; esac",
    );
    let steps = plan(vec![calls_on("n", &["sh"])], vec![node("n")]);
    let findings = space.examine(Some(&steps));
    assert!(named(&findings, "node n", "skopeo").detail.ends_with("bin/skopeo (skopeo version 1.2)"));
    assert_eq!(named(&findings, "node n", "crictl").detail, "crictl version v1.36");
    assert_eq!(
        named(&findings, "node n", "runtime").detail,
        "answers: RuntimeName: cri-o RuntimeVersion: 1.36.0"
    );
    let storage = named(&findings, "node n", "storage");
    assert!(storage.detail.ends_with("keeps its images in /srv/root"), "{storage:?}");
    assert_eq!(named(&findings, "node n", "zstd").level, Level::Warning);

    space.script("bin/crictl", "echo 'validate service connection: connection refused' >&2; exit 1");
    let runtime = named(&space.examine(Some(&steps)), "node n", "runtime").clone();
    assert_eq!((runtime.level, runtime.remedy.as_deref()), (Level::Missing, Some("systemctl start crio")));
    assert!(runtime.detail.contains("connection refused"), "{runtime:?}");

    // ctr's words are another runtime's.
    std::fs::remove_file(space.file("bin/crictl")).unwrap();
    space.script("bin/ctr", "echo 'no containerd' >&2; exit 1");
    let runtime = named(&space.examine(Some(&steps)), "node n", "runtime").clone();
    assert_eq!(runtime.level, Level::Warning, "{runtime:?}");
    assert!(runtime.detail.ends_with("there is no crictl"), "{runtime:?}");
}
