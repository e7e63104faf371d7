//! The client against a private containerd: its own root, state and socket, in a temporary directory.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pipeline_cri::{Client, Error};
use sha2::{Digest as _, Sha256};

struct Containerd {
    dir: tempfile::TempDir,
    process: Child,
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Containerd {
    /// `None`, said and recorded as a skip, where no containerd can run.
    fn start(disabled_plugins: &str) -> Option<Self> {
        let program = pipeline_testkit::require("containerd")?;
        pipeline_testkit::require("ctr")?;
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            pipeline_testkit::skip("needs root (containerd does not start without)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let config = format!(
            "version = 2\nroot = \"{at}/root\"\nstate = \"{at}/state\"\ndisabled_plugins = [{disabled_plugins}]\n\
             [grpc]\naddress = \"{at}/c.sock\"\n[ttrpc]\naddress = \"{at}/c.sock.ttrpc\"\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{at}/opt\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nrestrict_oom_score_adj = true\n\
             disable_apparmor = true\nstream_server_address = \"127.0.0.1\"\nstream_server_port = \"0\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"{at}/cni\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n"
        );
        fs::write(dir.path().join("config.toml"), config).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let process = Command::new(program)
            .arg("--config")
            .arg(dir.path().join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Some(Self { dir, process })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("c.sock")
    }

    /// Asks until containerd is there; it offers its services only once all its plugins have started.
    fn connect(&mut self) -> Result<Client, Error> {
        let started = Instant::now();
        loop {
            match Client::connect(&self.socket(), Duration::from_secs(10)) {
                Err(Error::Unreachable { .. }) if started.elapsed() < Duration::from_secs(20) => {
                    let log = fs::read_to_string(self.dir.path().join("log")).unwrap();
                    assert_eq!(self.process.try_wait().unwrap(), None, "containerd ended:\n{log}");
                    thread::sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }

    fn import(&self, archive: &Path) {
        let output = Command::new("ctr")
            .arg("--address")
            .arg(self.socket())
            // Not unpacked: the tests run no container, and need no mounts then.
            .args(["-n", "k8s.io", "images", "import", "--no-unpack", "--platform", "linux/arm64"])
            .arg(archive)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", bytes::Bytes::copy_from_slice(&Sha256::digest(bytes)))
}

/// A docker-archive of one empty layer for arm64; returns the configuration's digest.
fn docker_archive(file: &Path, reference: &str) -> String {
    let layer = vec![0; 1024];
    let config = format!(
        r#"{{"architecture":"arm64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
        sha256(&layer)
    );
    let id = sha256(config.as_bytes());
    let manifest = format!(r#"[{{"Config":"{id}.json","RepoTags":["{reference}"],"Layers":["layer.tar"]}}]"#);
    let mut archive = tar::Builder::new(fs::File::create(file).unwrap());
    let entries =
        [("layer.tar", layer), (&format!("{id}.json"), config.into()), ("manifest.json", manifest.into())];
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    archive.finish().unwrap();
    format!("sha256:{id}")
}

#[test]
fn a_real_containerd_answers() {
    let Some(mut node) = Containerd::start("") else { return };
    let mut client = node.connect().unwrap();

    let version = client.version().unwrap();
    assert_eq!((version.runtime_name.as_str(), version.runtime_api_version.as_str()), ("containerd", "v1"));
    assert!(!version.runtime_version.is_empty());
    assert_eq!(client.list_images().unwrap(), []);
    assert_eq!(client.image_status("docker.io/library/absent:1").unwrap(), None);
    // containerd does not tell a malformed reference from an absent image.
    assert_eq!(client.image_status("Not A Reference").unwrap(), None);

    let archive = node.dir.path().join("app.tar");
    let reference = "docker.io/library/app:1.2";
    let id = docker_archive(&archive, reference);
    node.import(&archive);
    // CRI learns of images that came by another way from events, a moment later.
    let started = Instant::now();
    let status = loop {
        match client.image_status(reference).unwrap() {
            Some(status) => break status,
            None => assert!(started.elapsed() < Duration::from_secs(10), "imported, but CRI lists it not"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.image.id, id);
    assert_eq!(status.image.repo_tags, [reference]);
    assert!(status.image.size > 0);
    assert!(status.info["info"].contains(r#""architecture":"arm64""#), "{:?}", status.info);
    assert_eq!(client.image_status(&id).unwrap().unwrap().image, status.image);
    assert_eq!(client.image_status("app:1.2").unwrap().unwrap().image, status.image);
    assert_eq!(client.list_images().unwrap(), [status.image]);

    let url = format!("unix://{}", node.socket().display());
    assert!(Client::connect(Path::new(&url), Duration::from_secs(5)).is_ok());

    drop(node);
    let error = client.version().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_containerd_without_cri_says_what_to_switch_on() {
    let Some(mut node) = Containerd::start("\"io.containerd.grpc.v1.cri\"") else { return };
    let error = node.connect().unwrap_err();
    assert!(matches!(error, Error::Unimplemented { .. }), "{error:?}");
    assert!(error.help().contains("disabled_plugins"), "{}", error.help());
}
