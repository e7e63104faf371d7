//! A node of a test's own, where the test does to sshd or to PATH what others must not see.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
        let sshd = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
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
