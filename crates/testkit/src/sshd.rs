//! A node on loopback: an sshd of the test's own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skip;

/// Ends, with what runs in its sessions, when it is dropped.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    daemon: Child,
    /// It listens there on 127.0.0.1.
    pub port: u16,
}

/// What copies files there.
const SFTP: &str = "Subsystem sftp internal-sftp";

impl Sshd {
    /// One with the host key `host` that accepts the key `id`, and not the key `other`; `more` are lines of its
    /// configuration. Without sshd here it is said that the test is skipped.
    pub fn start(more: &str) -> Option<Self> {
        Self::start_as(&format!("{SFTP}\n{more}"))
    }

    /// The same without SFTP.
    pub fn without_sftp() -> Option<Self> {
        Self::start_as("")
    }

    fn start_as(more: &str) -> Option<Self> {
        let sshd = ["sshd", "ssh", "ssh-keygen"].map(crate::require);
        let [Some(sshd), Some(_), Some(keygen)] = sshd else { return None };
        let folder = tempfile::Builder::new().prefix("sshd-").tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for key in ["host", "id", "other"] {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"];
            let made = Command::new(&keygen).args(arguments).arg(file(key)).status().unwrap();
            assert!(made.success());
        }
        fs::copy(file("id.pub"), file("authorized_keys")).unwrap();
        let (port, here) = (free_port(), folder.path().display());
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile {here}/pid\nStrictModes no\n\
             AuthorizedKeysFile {here}/authorized_keys\nAuthenticationMethods publickey\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             MaxStartups 100\n{more}\n"
        );
        fs::write(file("sshd_config"), config).unwrap();
        // Root's sshd wants it; for others it may be missing.
        let _ = fs::create_dir_all("/run/sshd");
        let log = fs::File::create(file("log")).unwrap();
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(file("sshd_config"));
        let daemon = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let sshd = Self { folder, daemon, port };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                skip(&format!("sshd does not start here: {}", sshd.log()));
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    /// A file beside its configuration: `id`, `other.pub`, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A public key: its type and base64.
    pub fn key(&self, name: &str) -> String {
        fs::read_to_string(self.file(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// Who logs in.
    pub fn destination(&self) -> String {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        format!("{}@127.0.0.1", String::from_utf8(user).unwrap().trim())
    }

    /// An ssh configuration of that name, in which the node is known by that key, or not known.
    pub fn client(&self, name: &str, known: Option<&str>) -> PathBuf {
        let known_hosts = self.file(&format!("{name}.known"));
        let line = known.map(|key| format!("[127.0.0.1]:{} {}\n", self.port, self.key(key)));
        fs::write(&known_hosts, line.unwrap_or_default()).unwrap();
        let config = self.file(&format!("{name}.config"));
        let text = format!(
            "UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nIdentityAgent none\n",
            known_hosts.display()
        );
        fs::write(&config, text).unwrap();
        config
    }

    /// A recipe's node: the keys that reach it, host key and all, with more lines after them.
    pub fn node(&self, name: &str, more: &str) -> String {
        format!(
            "[nodes.{name}]\nhost = \"{}\"\nport = {}\nidentity = \"{}\"\nssh-config = \"{}\"\n{more}\n",
            self.destination(),
            self.port,
            self.file("id").display(),
            self.client(name, Some("host")).display(),
        )
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// How often somebody was let in.
    pub fn accepted(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// Ends the connections that there are.
    pub fn drop_connections(&self) {
        for pid in self.connections() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// The processes of its connections.
    pub fn connections(&self) -> Vec<u32> {
        children(self.daemon.id())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.drop_connections();
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn children(of: u32) -> Vec<u32> {
    let stat = |pid: &u32| fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let parent = |pid: &u32| {
        let stat = stat(pid).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(pid) == Some(of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn lets_the_known_key_in() {
        let Some(sshd) = Sshd::start("") else { return };
        let ssh = |key: &str| {
            let mut ssh = Command::new(find("ssh").unwrap());
            ssh.arg("-F").arg(sshd.client("n", Some("host"))).args(["-p", &sshd.port.to_string(), "-i"]);
            ssh.arg(sshd.file(key)).args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
            ssh.arg(sshd.destination()).arg("echo in").stderr(Stdio::null()).output().unwrap()
        };
        assert_eq!(ssh("id").stdout, b"in\n");
        assert_eq!(ssh("other").status.code(), Some(255));
        assert_eq!(sshd.accepted(), 1);
    }
}
