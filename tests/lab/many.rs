//! One image to many nodes, each a network of its own, so that one can be unplugged.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::kit::{Marked, Outcome, Work, eventually, set_executable};
use pipeline_core::event::Status;

const NODES: usize = 8;

/// Machines behind a cable each: a network namespace with an sshd, and a containers-storage.
struct Rack {
    folder: tempfile::TempDir,
    sshd: Vec<Child>,
    /// Of this process alone: several may run.
    mark: u32,
}

fn ip(args: &str) {
    let output = Command::new("ip").args(args.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {args}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Rack {
    fn start() -> Self {
        static RACKS: AtomicU32 = AtomicU32::new(0);
        let mark = (std::process::id() * 4 + RACKS.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let folder = tempfile::Builder::new().prefix("pl-rack-").tempdir_in("/var/tmp").unwrap();
        let mut rack = Self { folder, sshd: Vec::new(), mark };
        fs::create_dir_all("/run/sshd").unwrap();
        let at = rack.folder.path().to_owned();
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at.join("id"))
            .status()
            .unwrap();
        assert!(status.success());
        fs::copy(at.join("id"), at.join("hostkey")).unwrap();
        let key = fs::read_to_string(at.join("id.pub")).unwrap();
        let key: Vec<&str> = key.split_whitespace().collect();
        let (mut client, mut known) = (String::new(), String::new());
        for number in 0..NODES {
            let (namespace, near, far) = rack.names(number);
            let (here, there) = (rack.address(number, 1), rack.address(number, 2));
            ip(&format!("netns add {namespace}"));
            ip(&format!("link add {near} type veth peer name {far} netns {namespace}"));
            ip(&format!("address add {here}/30 dev {near}"));
            ip(&format!("link set {near} up"));
            ip(&format!("-n {namespace} address add {there}/30 dev {far}"));
            ip(&format!("-n {namespace} link set {far} up"));
            let config = at.join(format!("sshd-{number}"));
            let text = format!(
                "Port 22\nListenAddress {}\nHostKey {dir}/hostkey\nPidFile none\nAuthorizedKeysFile {dir}/id.pub\n\
                 UsePAM no\nStrictModes no\nUseDNS no\nPermitRootLogin prohibit-password\nMaxStartups 100\n\
                 SetEnv HOME={dir} PATH={dir}/bin-{number}:/usr/sbin:/usr/bin:/sbin:/bin\n",
                there,
                dir = at.display()
            );
            fs::write(&config, text).unwrap();
            fs::create_dir(at.join(format!("bin-{number}"))).unwrap();
            let sshd = Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "--", "ip", "netns", "exec", &namespace])
                .arg(pipeline_testkit::find("sshd").unwrap())
                .args(["-D", "-e", "-f"])
                .arg(&config)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            rack.sshd.push(sshd);
            client += &format!(
                "Host node-{number}\n  HostName {}\n  User root\n  IdentityFile {dir}/id\n  IdentitiesOnly yes\n\
                 \x20 UserKnownHostsFile {dir}/known_hosts\n  GlobalKnownHostsFile /dev/null\n\
                 \x20 StrictHostKeyChecking yes\n  BatchMode yes\n",
                there,
                dir = at.display()
            );
            known += &format!("{} {} {}\n", there, key[0], key[1]);
        }
        fs::write(at.join("ssh_config"), client).unwrap();
        fs::write(at.join("known_hosts"), known).unwrap();
        for number in 0..NODES {
            eventually("sshd listens", Duration::from_secs(20), || {
                std::net::TcpStream::connect((rack.address(number, 2), 22)).ok()
            });
        }
        rack
    }

    fn names(&self, number: usize) -> (String, String, String) {
        let mark = self.mark;
        (format!("plr{mark}-{number}"), format!("pn{mark}x{number}"), format!("pf{mark}x{number}"))
    }

    fn address(&self, number: usize, last: u8) -> String {
        format!("10.{}.{}.{}", 206 + self.mark % 40, self.mark / 40 % 250, number * 4 + usize::from(last))
    }

    /// Pulls a node's cable out, or puts it in.
    fn plug(&self, number: usize, state: &str) {
        ip(&format!("link set {} {state}", self.names(number).1));
    }

    fn toml(&self) -> String {
        let at = self.folder.path().display();
        let node = |number| {
            format!(
                "[nodes.node-{number}]\nhost = \"node-{number}\"\nssh-config = \"{at}/ssh_config\"\nruntime = \"podman\"\n\
                 storage = {{ driver = \"overlay\", root = \"{at}/root-{number}\", runroot = \"{at}/run-{number}\" }}\n\
                 dir = \"{at}/files-{number}\"\n"
            )
        };
        (0..NODES).map(node).collect()
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        for sshd in &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        for number in 0..NODES {
            let (namespace, near, _) = self.names(number);
            let _ = Command::new("ip").args(["link", "delete", &near]).output();
            let _ = Command::new("ip").args(["netns", "delete", &namespace]).output();
            let mounted = self.folder.path().join(format!("root-{number}/overlay"));
            let _ = Command::new("umount").arg(mounted).output();
        }
    }
}

fn work(name: &str, rack: &Rack, deliver: &str) -> Work {
    let nodes: Vec<String> = (0..NODES).map(|number| format!("\"node-{number}\"")).collect();
    let steps = format!("[[step]]\nuses = \"deliver\"\n{deliver}");
    Work::tiny(name, "buildah", &[("arm64", &nodes.join(", "))], "", &(rack.toml() + &steps))
}

/// How the delivery to each node ended: `+` done, `=` up to date, `-` failed, `.` not begun.
fn ended(outcome: &Outcome) -> String {
    let of = |number| match outcome.status(&format!("deliver@arm64@node-{number}")) {
        Some(Status::Done) => '+',
        Some(Status::UpToDate) => '=',
        Some(Status::Failed(_)) => '-',
        _ => '.',
    };
    (0..NODES).map(of).collect()
}

fn can() -> bool {
    let root = rustix::process::geteuid().is_root();
    let ip = Command::new("ip").args(["netns", "list"]).output().is_ok_and(|output| output.status.success());
    if !root || !ip {
        pipeline_testkit::skip("network namespaces are not to be had");
        return false;
    }
    true
}

#[test]
fn of_eight_nodes_one_is_unplugged_and_the_next_run_goes_to_that_one_alone() {
    pipeline_testkit::require!("skopeo", "sshd", "ip", "buildah", "setpriv");
    if !can() {
        return;
    }
    let rack = Rack::start();
    let work = work("rack-unplugged", &rack, "");
    rack.plug(3, "down");
    let outcome = work.run(&[]).exits(1);
    assert_eq!(ended(&outcome), "+++-++++", "{}", outcome.stderr);
    assert!(outcome.stderr.contains("node `node-3`"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.lines().count(), NODES - 1, "{}", outcome.stdout);

    rack.plug(3, "up");
    let again = work.run(&[]).exits(0);
    assert_eq!(ended(&again), "===+====", "{}", again.stderr);
    assert_eq!(again.stdout.lines().count(), NODES, "{}", again.stdout);
}

#[test]
fn a_node_whose_cable_is_pulled_while_it_imports_ends_the_import_by_itself() {
    pipeline_testkit::require!("skopeo", "sshd", "ip", "buildah", "setpriv");
    if !can() {
        return;
    }
    let rack = Rack::start();
    let work = work("rack-cut", &rack, "");
    let marked = Marked::new(rack.mark);
    let begun = rack.folder.path().join("begun");
    let script = format!("#!/bin/sh\ntouch {}\nexec sleep {}\n", begun.display(), marked.seconds());
    let skopeo = rack.folder.path().join("bin-5/skopeo");
    fs::write(&skopeo, script).unwrap();
    set_executable(&skopeo);
    let outcome = thread::scope(|scope| {
        let run = scope.spawn(|| work.run(&["--node", "node-5"]));
        eventually("it imports", Duration::from_mins(2), || begun.exists().then_some(()));
        rack.plug(5, "down");
        eventually("the node has ended it", Duration::from_mins(1), || {
            marked.sleepers().is_empty().then_some(())
        });
        run.join().unwrap()
    });
    outcome.exits(1).says("node `node-5` could not be reached");
    rack.plug(5, "up");
    fs::remove_file(skopeo).unwrap();
    assert_eq!(ended(&work.run(&[]).exits(0)), "++++++++");
}

#[test]
fn a_canary_that_fails_keeps_the_image_from_all_others() {
    pipeline_testkit::require!("skopeo", "sshd", "ip", "buildah", "setpriv");
    if !can() {
        return;
    }
    let rack = Rack::start();
    let work =
        work("rack-canary", &rack, "rollout = { canary = 1, max-parallel = 3, on-failure = \"stop\" }\n");
    let broken = |number: usize| {
        let skopeo = rack.folder.path().join(format!("bin-{number}/skopeo"));
        fs::write(&skopeo, "#!/bin/sh\necho 'no such luck' >&2\nexit 1\n").unwrap();
        set_executable(&skopeo);
        skopeo
    };
    let first = broken(0);
    let outcome = work.run(&["--keep-going"]).exits(1);
    assert_eq!(ended(&outcome), "-.......", "{}", outcome.stderr);
    fs::remove_file(first).unwrap();
    // In the second wave of three.
    let fifth = broken(4);
    let outcome = work.run(&["--keep-going"]).exits(1);
    assert_eq!(ended(&outcome), "++++-++.", "{}", outcome.stderr);
    fs::remove_file(fifth).unwrap();
    let outcome = work.run(&[]).exits(0);
    assert_eq!(ended(&outcome), "====+==+", "{}", outcome.stderr);
}
