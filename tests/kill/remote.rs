//! K3 on a node: what runs there ends with the connection, however that ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use pipeline_core::plan::{Action, Command as Tool, Node, Ssh};
use pipeline_testkit::TestSpace;
use rustix::process::Signal;

use crate::engine::{Keep, MEMBER, PARTS, Run};
use crate::soak;
use crate::witness::Witness;

/// The watchdog asks, and two seconds later it kills.
const REMOTE: Duration = Duration::from_secs(3);

#[test]
fn nothing_is_left_on_a_node() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K3", "kills of a part while a node works, 0 orphans on the node", (6, 50), &|keep, number| {
        let mut run = start(keep);
        run.witness.expect(3);
        run.signal(PARTS[number % 3], Signal::KILL);
        run.witness.all_end(REMOTE);
        run.wait();
    });
}

fn start(keep: Keep) -> Run {
    let (space, witness) = (TestSpace::with_real_tools(), Witness::new());
    let node = sshd();
    // One line for the command; from then on, stdin is the connection.
    let ssh = format!(
        "#!/bin/bash\nfor last; do :; done\nexec 3<>/dev/tcp/127.0.0.1/{node}\n\
         base64 -w0 <<<\"$last\" >&3; echo >&3\nexec cat >&3\n"
    );
    let path = space.root().join("bin/ssh");
    // Another process writes it: a test beside this one that forks just then would hold it open, and nobody could execute it.
    let mut writer = Command::new("sh");
    writer.args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &ssh]).arg(&path);
    assert!(writer.status().unwrap().success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let port = witness.port().to_string();
    let action = Action::from(Tool::new([MEMBER, &port, "remote"]).on_node("n1"));
    let nodes = BTreeMap::from([("n1", there())]);
    let json = serde_json::json!({ "action": action, "nodes": nodes }).to_string();
    Run::begin(space, witness, keep, &["action", &json], None)
}

fn there() -> Node {
    let ssh = Ssh::to("n1");
    Node { ssh: Some(ssh), ..Node::new("n1") }
}

/// A node: what is asked for over a connection runs here, and is no descendant of the run.
fn sshd() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let script = "eval \"$(echo \"$1\" | base64 -d)\"";
        let mut shell = Command::new("setsid");
        shell.args(["-w", "sh", "-c", script, "sh", line.trim()]);
        shell.stdin(OwnedFd::from(stream)).stdout(Stdio::null()).stderr(Stdio::null());
        shell.status().unwrap();
    });
    port
}
