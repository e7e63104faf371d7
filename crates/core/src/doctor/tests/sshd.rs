//! Nodes over real ssh, to an sshd of the test's own on loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::kit::{Space, calls_on, list, named, node, plan};
use crate::doctor::{Finding, Level};
use crate::plan::{Node, Plan, Ssh, Text};

struct Lab {
    space: Space,
    port: u16,
    sshd: Option<duct::Handle>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(sshd) = &self.sshd {
            let _ = sshd.kill();
        }
    }
}

/// A port that nobody listens at.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A space with an sshd, its host key `host`, an accepted key `id`, and another key `other`.
fn lab() -> Option<Lab> {
    for tool in ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"] {
        if !Path::new(tool).exists() {
            println!("skipped: no {tool} (apt-get install openssh-server)");
            return None;
        }
    }
    let space = Space::new();
    space.real(&["ssh"]);
    for key in ["host", "id", "other"] {
        let file = space.file(key);
        duct::cmd!("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file).run().unwrap();
    }
    std::fs::copy(space.file("id.pub"), space.file("authorized_keys")).unwrap();
    let port = free_port();
    let here = space.here().display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile {here}/pid\n\
         AuthorizedKeysFile {here}/authorized_keys\nAuthenticationMethods publickey\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n\
         Banner {here}/banner\n"
    );
    std::fs::write(space.file("sshd_config"), config).unwrap();
    std::fs::write(space.file("banner"), "Permission denied to strangers!\n").unwrap();
    if rustix::process::geteuid().is_root() {
        let _ = std::fs::create_dir_all("/run/sshd");
    }
    let sshd = duct::cmd!("/usr/sbin/sshd", "-D", "-e", "-f", space.file("sshd_config"))
        .stderr_path(space.file("sshd.log"))
        .unchecked()
        .start()
        .unwrap();
    let lab = Lab { space, port, sshd: Some(sshd) };
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if begun.elapsed() > Duration::from_secs(10) {
            let log = std::fs::read_to_string(lab.space.file("sshd.log")).unwrap_or_default();
            println!("skipped: sshd does not start here: {log}");
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(lab)
}

impl Lab {
    fn key(&self, name: &str) -> String {
        std::fs::read_to_string(self.space.file(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// A node with the host key `pinned` in the recipe, or `known` in a file of the user's.
    fn node(&self, name: &str, pinned: Option<&str>, known: Option<&str>) -> Node {
        let known_hosts = self.space.file(&format!("{name}.known"));
        let line = known.map(|key| format!("[127.0.0.1]:{} {}\n", self.port, self.key(key)));
        std::fs::write(&known_hosts, line.unwrap_or_default()).unwrap();
        let config = self.space.file(&format!("{name}.config"));
        let text = format!(
            "UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nIdentityAgent none\n",
            known_hosts.display()
        );
        std::fs::write(&config, text).unwrap();
        let user = duct::cmd!("id", "-un").read().unwrap();
        let text = |name: &str| self.space.file(name).display().to_string();
        let ssh = Ssh {
            config: Some(text(&format!("{name}.config"))),
            port: Some(self.port),
            identity: Some(text("id")),
            host_key: pinned.map(|key| self.key(key)),
            known_hosts: pinned.map(|_| Text::here(&format!(".pipeline/known_hosts/{name}"))),
            ..Ssh::to(format!("{user}@127.0.0.1"))
        };
        Node { ssh: Some(ssh), ..node(name) }
    }

    fn plan(nodes: Vec<Node>) -> Plan {
        let steps = nodes.iter().map(|node| calls_on(&node.name, &["sh", "skopeo-of-a-test"])).collect();
        plan(steps, nodes)
    }

    /// What stands in the way of reaching the node.
    fn refused(&self, node: Node) -> (String, String) {
        let name = node.name.clone();
        let findings = self.space.preflight(&Self::plan(vec![node]));
        assert_eq!(list(&findings), [format!("node {name} connection")]);
        let finding: &Finding = &findings[0];
        (finding.detail.clone(), finding.remedy.clone().unwrap())
    }
}

fn with(mut node: Node, change: impl FnOnce(&mut Ssh)) -> Node {
    change(node.ssh.as_mut().unwrap());
    node
}

#[test]
fn nodes_that_answer_are_asked_for_tools_with_a_pinned_key_or_a_known_one() {
    let Some(lab) = lab() else { return };
    let nodes = vec![lab.node("known", None, Some("host")), lab.node("pinned", Some("host"), None)];
    let plan = Lab::plan(nodes);
    let findings = lab.space.preflight(&plan);
    assert_eq!(list(&findings), ["node known skopeo-of-a-test", "node pinned skopeo-of-a-test"]);
    assert!(!lab.space.file(".pipeline").exists(), "it changes nothing");
    let findings = lab.space.examine(Some(&plan));
    let connection = named(&findings, "node pinned", "connection");
    assert!(
        connection.level == Level::Ok && connection.detail.contains("@127.0.0.1 answers: "),
        "{connection:?}"
    );
    assert_eq!(named(&findings, "tools", "ssh").level, Level::Ok);
    let skopeo = findings.iter().find(|finding| finding.name == "skopeo" && finding.level != Level::Ok);
    if let Some(skopeo) = skopeo {
        assert!(skopeo.remedy.as_ref().unwrap().ends_with(" 'apt-get install skopeo'"), "{skopeo:?}");
    }
}

#[test]
fn each_refusal_has_its_own_advice() {
    let Some(lab) = lab() else { return };
    let (detail, remedy) = lab.refused(lab.node("pin", Some("other"), None));
    assert!(detail.contains("another host key than the recipe's `host-key`"), "{detail}");
    assert_eq!(remedy, format!("ssh-keyscan -p {} 127.0.0.1", lab.port));

    let changed = lab.node("changed", None, Some("other"));
    let (detail, remedy) = lab.refused(changed.clone());
    assert!(detail.contains("another host key than before"), "{detail}");
    // The file is not the user's own.
    let (forget, look) = remedy.split_once(" && ").unwrap();
    assert!(look.starts_with("ssh -F "), "{remedy}");
    let forgot = std::process::Command::new("sh").args(["-c", forget]).output().unwrap();
    assert!(forgot.status.success(), "{forget}: {forgot:?}");
    let (detail, _) = lab.refused(changed);
    assert!(detail.contains("is not known here"), "{forget}: {detail}");

    let (detail, remedy) = lab.refused(lab.node("unknown", None, None));
    assert!(
        detail.contains("is not known here") && detail.contains("Host key verification failed"),
        "{detail}"
    );
    assert!(remedy.starts_with("ssh -F ") && remedy.ends_with("@127.0.0.1 true"), "{remedy}");

    let stranger = with(lab.node("stranger", None, Some("host")), |ssh| {
        ssh.identity = Some(lab.space.file("other").display().to_string());
    });
    let (detail, remedy) = lab.refused(stranger);
    assert!(detail.contains("does not accept our key") && detail.contains("Permission denied"), "{detail}");
    assert!(remedy.starts_with("ssh-copy-id "), "{remedy}");

    let port = free_port();
    let (detail, _) = lab.refused(with(lab.node("down", None, None), |ssh| ssh.port = Some(port)));
    assert!(detail.contains("refuses the connection") && detail.contains("Connection refused"), "{detail}");
}

#[test]
fn a_mute_node_holds_nobody_up_for_longer_than_its_limit() {
    let Some(lab) = lab() else { return };
    // It accepts connections, in its backlog, and never says a word. ssh itself gives up after 10 s.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = mute.local_addr().unwrap().port();
    let mut nodes: Vec<Node> = (0..4)
        .map(|n| with(lab.node(&format!("mute-{n}"), None, None), |ssh| ssh.port = Some(port)))
        .collect();
    nodes.push(lab.node("well", None, Some("host")));
    let begun = Instant::now();
    let findings = lab.space.preflight(&Lab::plan(nodes));
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
    assert_eq!(findings.len(), 5);
    assert!(findings[..4].iter().all(|finding| finding.detail.contains("does not answer")), "{findings:#?}");
    assert_eq!(findings[4].name, "skopeo-of-a-test");
}

#[test]
fn without_ssh_there_is_one_finding_for_all_nodes() {
    let space = Space::new();
    let ssh = Ssh::to("n");
    let nodes = ["a", "b"].map(|name| Node { ssh: Some(ssh.clone()), ..node(name) });
    let findings = space.preflight(&Lab::plan(nodes.into()));
    assert_eq!(list(&findings), ["tools ssh"]);
    assert_eq!(findings[0].remedy.as_deref(), Some("apt-get install openssh-client"));
}
