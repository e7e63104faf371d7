//! How nodes are reached, by a real sshd: jump hosts and host keys.

use pipeline_testkit::{Sshd, TestSpace};

use crate::PIPELINE;
use crate::image::{docker_archive, native};
use crate::lab::Ran;

/// A recipe that brings a file to the node `n1`; `keys` are the node's.
fn space(keys: &str) -> TestSpace {
    let space = TestSpace::with_real_tools();
    docker_archive(&space.path("image.tar"), "x");
    space.write(
        "pipeline.toml",
        format!(
            "version = 1\n[targets.t]\nplatform = '{}'\nnodes = ['n1']\n[nodes.n1]\n{keys}dir = '{}'\n\
             [[step]]\nid = 'make'\nuses = 'run'\nargv = ['cp', 'image.tar', 'x.tar']\n\
             outputs = {{ archive = 'x.tar' }}\nreference = 'docker.io/library/x:1'\n\
             [[step]]\nuses = 'scp'\nretry = {{ attempts = 3, delay = '1s' }}\n",
            native().0,
            space.path("there").display()
        ),
    );
    space
}

fn run(space: &TestSpace, more: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).args(["run", "--force"]).args(more))
}

/// Keys of a node that ssh_config knows as `name`.
fn by_alias(sshd: &Sshd, name: &str, config: &std::path::Path) -> String {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let more = format!(
        "{text}\nHost {name}\nHostName 127.0.0.1\nPort {}\nIdentityFile {}\nIdentitiesOnly yes\n",
        sshd.port,
        sshd.file("id").display()
    );
    std::fs::write(config, more).unwrap();
    format!("ssh-config = '{}'\n", config.display())
}

#[test]
fn a_node_behind_another_host() {
    let (Some(inner), Some(bastion)) = (Sshd::start(""), Sshd::start("")) else { return };
    let config = inner.client("both", Some("host"));
    let known = std::fs::read_to_string(inner.file("both.known")).unwrap();
    let bastions = format!("{known}[127.0.0.1]:{} {}\n", bastion.port, bastion.key("host"));
    std::fs::write(inner.file("both.known"), bastions).unwrap();
    let user = inner.destination().replace("@127.0.0.1", "");
    let keys = by_alias(&inner, "inner", &config);
    by_alias(&bastion, "bastion", &config);
    let space = space(&format!("host = '{user}@inner'\njump = '{user}@bastion'\n{keys}"));
    run(&space, &[]).must(0);
    assert_eq!((inner.accepted(), bastion.accepted()), (1, 1), "{}", bastion.log());
}

#[test]
fn a_new_host_key_is_kept_in_a_file_of_ours_and_a_changed_one_is_refused() {
    let Some(sshd) = Sshd::start("") else { return };
    let config = sshd.file("nothing.config");
    let keys = by_alias(&sshd, "edge", &config);
    let user = sshd.destination().replace("@127.0.0.1", "");
    let host = format!("host = '{user}@edge'\n{keys}");

    let strict = space(&format!("{host}host-key-policy = 'strict'\n"));
    let ran = run(&strict, &[]).must(5);
    assert!(ran.stderr.contains("is not known here"), "{}", ran.stderr);

    // ssh does not go by HOME.
    let users = || std::fs::read(std::env::home_dir().unwrap().join(".ssh/known_hosts")).unwrap_or_default();
    let before = users();
    let accepting = space(&format!("{host}host-key-policy = 'accept-new'\n"));
    run(&accepting, &[]).must(0);
    assert!(accepting.read(".pipeline/accepted_hosts").contains(sshd.key("host").split(' ').nth(1).unwrap()));
    assert_eq!(users(), before, "nothing is added to the user's own");

    let other = accepting
        .read(".pipeline/accepted_hosts")
        .replace(sshd.key("host").split(' ').nth(1).unwrap(), sshd.key("other").split(' ').nth(1).unwrap());
    accepting.write(".pipeline/accepted_hosts", other);
    let ran = run(&accepting, &[]).must(5);
    assert!(ran.stderr.contains("shows another host key than before"), "{}", ran.stderr);
    assert!(ran.stderr.contains("accepted_hosts, line 1"), "{}", ran.stderr);
    // Also when the run goes on as far as it can: told once, and not tried again.
    let ran = run(&accepting, &["-k"]).must(1);
    assert!(
        ran.stderr.contains("accepted_hosts, line 1") && !ran.stderr.contains("attempt 2"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("node `n1` could not be reached"), "{}", ran.stderr);
}

#[test]
fn bandwidth_bounds_a_copy() {
    let Some(sshd) = Sshd::start("") else { return };
    let node = sshd.node("n1", "").lines().skip(1).collect::<Vec<_>>().join("\n");
    let space = space(&format!("{node}\nbandwidth = '1 MB/s'\n"));
    let ran = run(&space, &[]).must(0);
    assert_eq!(ran.stdout, "");
    let plan = Ran::of(space.command(PIPELINE).arg("plan")).must(0);
    assert!(plan.stdout.contains("scp -s -q -l 8000 "), "{}", plan.stdout);
}

#[test]
fn the_doctor_looks_at_one_node_of_the_recipe_or_at_any_host() {
    let Some(sshd) = Sshd::start("") else { return };
    let node = sshd.node("n1", "labels = { rack = '3' }").lines().skip(1).collect::<Vec<_>>().join("\n");
    let space = space(&format!("{node}\n"));
    let doctor = |node: &str| Ran::of(space.command(PIPELINE).args(["doctor", node]));
    for name in ["n1", "rack=3", "n?"] {
        let ran = doctor(name);
        assert!(ran.stdout.starts_with("node n1\n"), "{name}: {}{}", ran.stdout, ran.stderr);
        for word in ["127.0.0.1 answers: ", "permissions: ", "free space at /var/tmp: ", "sha256sum: "] {
            assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
        }
        assert!(!ran.stdout.contains("\ntools\n"), "nothing of this machine: {}", ran.stdout);
    }
    // A host that nobody has described; its key is known to nobody.
    let ran = doctor(&format!("docker://{}:{}", sshd.destination(), sshd.port)).must(5);
    assert!(ran.stdout.contains("has a host key that is not known here"), "{}", ran.stdout);
    assert!(ran.stderr.contains("taken for a host"), "{}", ran.stderr);
    let ran = doctor("-").must(2);
    assert!(ran.stderr.contains("is no node"), "{}", ran.stderr);
}

#[test]
fn a_file_for_ssh_that_is_not_there_is_told_before_anything_is_asked() {
    let space = TestSpace::with_real_tools();
    docker_archive(&space.path("image.tar"), "x");
    for option in ["--identity", "--ssh-config"] {
        let said = Ran::of(space.command(PIPELINE).args(["ship", "./image.tar", "n1", option, "nowhere"]));
        let stderr = said.must(2).stderr;
        assert!(stderr.contains("there is no file nowhere") && stderr.contains(option), "{stderr}");
    }
}

#[test]
fn a_node_to_ship_to_that_is_named_twice_is_told() {
    let space = TestSpace::with_real_tools();
    docker_archive(&space.path("image.tar"), "x");
    let twice = ["ship", "./image.tar", "cri-o://n1", "cri-o://n2", "cri-o://n1"];
    let stderr = Ran::of(space.command(PIPELINE).args(twice)).must(2).stderr;
    assert!(stderr.contains("the node `cri-o://n1` is named twice"), "{stderr}");
}
