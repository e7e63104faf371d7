//! A node of a test's own, where the test does to sshd or to PATH what others must not see.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pipeline_testkit::Wire;

use super::eventually;

/// An sshd on loopback; ends with the test, even a killed one.
#[derive(Debug)]
pub(crate) struct TestNode {
    dir: PathBuf,
    sshd: Child,
}

impl TestNode {
    /// Its folder is `dir`. `path` is the PATH of what runs there, after its own `bin`, which is empty.
    pub(crate) fn start(dir: &Path, path: &str) -> Self {
        Self::start_after(dir, path, "")
    }

    /// The same in a mount namespace of its own, after these lines of shell; `$0` is the node's folder.
    pub(crate) fn start_after(dir: &Path, path: &str, lines: &str) -> Self {
        let dir = dir.to_owned();
        fs::create_dir_all(dir.join("bin")).unwrap();
        fs::create_dir_all(dir.join("files")).unwrap();
        for key in ["hostkey", "id"] {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(key))
                .status()
                .unwrap();
            assert!(status.success());
        }
        fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let at = dir.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/hostkey\nPidFile none\n\
             AuthorizedKeysFile {at}/id.pub\nAuthenticationMethods publickey\nPermitRootLogin prohibit-password\n\
             UsePAM no\nStrictModes no\nUseDNS no\nMaxStartups 200\nSubsystem sftp internal-sftp\n\
             SetEnv PATH={at}/bin:{path}\n"
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        let key = fs::read_to_string(dir.join("hostkey.pub")).unwrap();
        let key: Vec<&str> = key.split_whitespace().collect();
        fs::write(dir.join("known_hosts"), format!("own {} {}\n", key[0], key[1])).unwrap();
        let client = format!(
            "Host own\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  HostKeyAlias own\n\
             \x20 IdentityFile {at}/id\n  IdentitiesOnly yes\n  UserKnownHostsFile {at}/known_hosts\n\
             \x20 GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
        );
        fs::write(dir.join("ssh_config"), client).unwrap();
        let log = fs::File::create(dir.join("log")).unwrap();
        let sshd = pipeline_testkit::find("sshd").expect("the lab's nodes have one");
        // It dies with the thread that runs the test.
        let apart: &[&str] = if lines.is_empty() { &[] } else { &["unshare", "--mount", "--"] };
        let sshd = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(apart)
            .args(["sh", "-ec", &format!("{lines}\nexec \"$@\"")])
            .arg(&dir)
            .arg(sshd)
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let node = Self { dir, sshd };
        eventually("sshd listens", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
        node
    }

    /// A path in its folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// The processes that were started over ssh: they have the node's PATH.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mine = format!("PATH={}:", self.path("bin").display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
                let environ = fs::read(entry.path().join("environ")).ok()?;
                environ.split(|byte| *byte == 0).any(|word| word.starts_with(mine.as_bytes())).then_some(pid)
            })
            .collect()
    }

    /// From now on it is reached through a wire that counts.
    pub(crate) fn through(&self) -> Wire {
        let config = fs::read_to_string(self.path("ssh_config")).unwrap();
        let port = |line: &str| line.trim().strip_prefix("Port ")?.parse().ok();
        let port: u16 = config.lines().find_map(port).unwrap();
        let wire = Wire::to(port);
        let config = config.replace(&format!("Port {port}"), &format!("Port {}", wire.port));
        fs::write(self.path("ssh_config"), config).unwrap();
        wire
    }

    /// Puts a program first on its PATH.
    pub(crate) fn install(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, script).unwrap();
        set_executable(&file);
    }

    /// `[nodes.own]` of a recipe, with more keys.
    pub(crate) fn toml(&self, keys: &str) -> String {
        let at = self.dir.display();
        format!(
            "[nodes.own]\nhost = \"own\"\nssh-config = \"{at}/ssh_config\"\ndir = \"{at}/files\"\n{keys}\n"
        )
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// Makes a file executable.
pub(crate) fn set_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Makes a folder for PATH, with everything that the system has but these.
pub(crate) fn path_without(bin: &Path, tools: &[&str]) -> PathBuf {
    fs::create_dir(bin).unwrap();
    for dir in ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if !tools.iter().any(|tool| entry.file_name() == *tool) {
                let _ = std::os::unix::fs::symlink(entry.path(), bin.join(entry.file_name()));
            }
        }
    }
    bin.to_owned()
}
