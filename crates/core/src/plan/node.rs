//! A machine that receives images, and how commands reach it.

use serde::{Deserialize, Serialize};

use super::text::Text;
use crate::platform::Platform;

/// A node as the plan needs it. Defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name in the recipe.
    pub name: String,
    /// How to reach it; absent for this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// Prefix commands on it with `sudo -n`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sudo: bool,
    /// Its own platform, where the recipe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Platforms that it executes although it is of another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emulates: Vec<Platform>,
    /// What runs its containers.
    pub runtime: Runtime,
    /// The CRI endpoint, such as `unix:///run/crio/crio.sock`; crictl's own configuration when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<String>,
    /// Its containers-storage, when it is not where storage.conf says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// The folder for files that `scp` brings.
    pub dir: String,
    /// The most that is sent there in a second, in bytes: by each `scp`, and by all that feeds commands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
}

/// Which host keys are accepted, where none is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeys {
    /// Those that are known.
    Strict,
    /// Also those of hosts that are not known yet.
    AcceptNew,
}

/// What runs containers on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// CRI-O, with its images in containers-storage.
    CriO,
    /// containerd, namespace `k8s.io`.
    Containerd,
    /// dockerd.
    Docker,
    /// podman, with its images in containers-storage.
    Podman,
}

/// A place of containers-storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// `overlay` or `vfs`.
    pub driver: Option<String>,
    /// Absolute path of the images and layers.
    pub root: String,
    /// Absolute path of the volatile state.
    pub runroot: Option<String>,
}

impl Storage {
    /// The prefix `[driver@root+runroot]` of a containers-storage reference (containers-transports(5)).
    pub fn specifier(&self) -> String {
        let driver = self.driver.as_deref().map(|driver| format!("{driver}@")).unwrap_or_default();
        let runroot = self.runroot.as_deref().map(|run| format!("+{run}")).unwrap_or_default();
        format!("[{driver}{}{runroot}]", self.root)
    }
}

/// How ssh reaches a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    /// `host`, `user@host` or an alias of ssh_config.
    pub destination: String,
    /// A configuration file instead of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Private key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Hosts on the way there, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// Which host keys are accepted; as ssh_config says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_keys: Option<HostKeys>,
    /// The one host key that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// A known_hosts file of ours: with the one key the node must have, made by the plan from the pinned key; or the one
    /// that takes keys which are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<Text>,
}

/// The remote side of a command: it dies with the connection although there is no terminal.
///
/// ssh hands no signal to a command without a terminal, and its end does not end the command (it would go on for as long
/// as it likes). So the command runs in a session of its own beside a reader of the connection's stdin, which the engine
/// holds open: its end is the signal to die. A line that is cut has no end: once the engine has said `.`, more must follow
/// within 30 s, or `-`, after which it may be silent. Then ssh's own exit code tells that the connection failed, whatever the
/// command's was. By `timeout`'s exit code nobody can tell: busybox has another one.
pub(crate) const WATCHDOG: &str = "exec 3<&0; setsid \"$@\" 3<&- </dev/null & c=$! e=; trap e=255 USR1; \
     (t=; while x=$($t sh -c 'read x; echo ${x:-end}' <&3); do case $x in \
     .) timeout 9 true && t='timeout 30';; -) t=;; *) break;; esac; done; \
     [ \"$x\" ] || kill -s USR1 $$; kill -s TERM -- -$c; sleep 2; kill -s KILL -- -$c) >/dev/null 2>&1 & w=$!; \
     wait $c; r=$?; \
     [ ! $e ] || { wait $c; r=$e; echo 'nothing was heard from the other end for 30 s' >&2; }; \
     kill -s KILL -- -$c 2>/dev/null; kill $w 2>/dev/null; exit $r";

/// A script that makes the folder `$1` and in it `$2`, into which nobody else can put anything: no link under the name that
/// a file will have. Whoever owns `$1` could replace the file later, so that is nobody but root and ourselves. Behind sudo a
/// copy still comes as the user who logs in. `unless` ends the script where `$2` may stay as it is.
pub(crate) fn own_folder(unless: &str) -> String {
    format!("{OWNED}{unless}{FRESH}")
}

const OWNED: &str = "set -e; mkdir -p -- \"$1\"; o=$(stat -Lc %u -- \"$1\"); \
     case $o in 0|\"$(id -u)\"|\"${SUDO_UID-}\") ;; \
     *) echo \"$1 belongs to the user $o, who could replace the image: choose another folder\" >&2; exit 1;; esac; ";

const FRESH: &str = "rm -rf -- \"$2\"; mkdir -m 700 -- \"$2\"; \
     if [ -n \"${SUDO_UID-}\" ]; then chown -- \"$SUDO_UID:$SUDO_GID\" \"$2\"; fi";

impl Ssh {
    /// The destination, reached as ssh_config says.
    pub fn to(destination: impl Into<String>) -> Self {
        Self {
            destination: destination.into(),
            config: None,
            port: None,
            identity: None,
            jump: None,
            host_keys: None,
            host_key: None,
            known_hosts: None,
        }
    }

    /// Options that both `ssh` and `scp` take. Never a prompt, no forwarding, a dead peer is noticed within 12 s.
    fn options(&self) -> Vec<Text> {
        let mut options: Vec<Text> = Vec::new();
        if let Some(config) = &self.config {
            options.extend(["-F".into(), config.as_str().into()]);
        }
        for option in [
            "BatchMode=yes",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "ConnectTimeout=10",
            "ServerAliveInterval=4",
            "ServerAliveCountMax=2",
        ] {
            options.extend(["-o".into(), option.into()]);
        }
        if let Some(identity) = &self.identity {
            options.extend(["-o".into(), Text::from("IdentitiesOnly=yes")]);
            options.extend(["-i".into(), identity.as_str().into()]);
        }
        if let Some(jump) = &self.jump {
            options.extend(["-o".into(), Text::from(format!("ProxyJump={jump}"))]);
        }
        // Quoted, as ssh splits the value at spaces.
        let ours = |file: &Text| Text::from("UserKnownHostsFile=\"").then(file).lit("\"");
        match (&self.known_hosts, self.host_keys) {
            (Some(file), Some(HostKeys::AcceptNew)) => {
                options.extend(["-o".into(), Text::from("StrictHostKeyChecking=accept-new")]);
                // The first takes new keys; with those of the user a changed key is noticed.
                let files = ours(file).lit(" ~/.ssh/known_hosts ~/.ssh/known_hosts2");
                options.extend(["-o".into(), files]);
            }
            (Some(file), _) => {
                options.extend(["-o".into(), Text::from("StrictHostKeyChecking=yes")]);
                options.extend(["-o".into(), Text::from("GlobalKnownHostsFile=/dev/null")]);
                options.extend(["-o".into(), ours(file)]);
            }
            (None, Some(_)) => options.extend(["-o".into(), Text::from("StrictHostKeyChecking=yes")]),
            (None, None) => {}
        }
        options
    }

    fn port(&self, flag: &str) -> Vec<Text> {
        self.port.map(|port| vec![flag.into(), port.to_string().into()]).unwrap_or_default()
    }

    /// `ssh` with options and destination, before the remote command. `extra` options win, as ssh takes the first.
    pub fn ssh(&self, extra: &[&str]) -> Vec<Text> {
        let mut argv: Vec<Text> = vec!["ssh".into()];
        argv.extend(extra.iter().map(|arg| Text::from(*arg)));
        argv.extend(self.options());
        argv.extend(self.port("-p"));
        argv.extend(["-a", "-x"].map(Text::from));
        argv.extend(["--".into(), Text::from(self.destination.as_str())]);
        argv
    }

    /// `scp` of a file here to a path there, by SFTP, so that no remote shell reads the path; of at most so many bytes a
    /// second.
    pub fn scp(&self, from: &Text, to: &Text, bandwidth: Option<u64>) -> Vec<Text> {
        let mut argv = self.copier(&["scp", "-s", "-q"], bandwidth);
        argv.extend([from.clone(), Text::from(format!("{}:", self.bracketed())).then(to)]);
        argv
    }

    /// `sftp` to it, which reads from stdin what to do and ends where that fails; of at most so many bytes a second.
    pub fn sftp(&self, bandwidth: Option<u64>) -> Vec<Text> {
        let mut argv = self.copier(&["sftp", "-q", "-b", "-"], bandwidth);
        argv.push(self.bracketed().into());
        argv
    }

    fn copier(&self, tool: &[&str], bandwidth: Option<u64>) -> Vec<Text> {
        let mut argv: Vec<Text> = tool.iter().map(|word| Text::from(*word)).collect();
        if let Some(bytes) = bandwidth {
            argv.extend(["-l".into(), (bytes / 125).max(1).to_string().into()]);
        }
        argv.extend(self.options());
        argv.extend(self.port("-P"));
        argv.push("--".into());
        argv
    }
}

impl Ssh {
    /// The destination with an IPv6 address in brackets, as `scp` takes what follows the first `:` for a path.
    fn bracketed(&self) -> String {
        let (user, host) =
            self.destination.rsplit_once('@').map_or(("", &*self.destination), |(user, host)| (user, host));
        let at = if user.is_empty() { "" } else { "@" };
        if host.contains(':') && !host.starts_with('[') {
            format!("{user}{at}[{host}]")
        } else {
            self.destination.clone()
        }
    }
}

impl Node {
    /// Where a node keeps files that arrive, when the recipe does not say.
    pub const DIR: &str = "/var/tmp/pipeline";

    /// This machine under a name, with CRI-O: what a recipe's node is without any key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ssh: None,
            sudo: false,
            platform: None,
            emulates: Vec::new(),
            runtime: Runtime::CriO,
            cri: None,
            storage: None,
            dir: Self::DIR.into(),
            bandwidth: None,
        }
    }

    /// The command line on this machine that runs `argv` on the node.
    ///
    /// For a remote node it is `ssh` with one argument that the login shell there reads back as exactly `argv`; stdin must
    /// be held open for as long as the command may run.
    pub fn wrap(&self, argv: &[Text]) -> Vec<Text> {
        // The watchdog must be of the user whose processes it ends.
        self.over_ssh(&["sh", "-c", WATCHDOG, "sh"], argv)
    }

    /// The same for a command that reads its stdin and so ends when the connection does.
    pub fn wrap_fed(&self, argv: &[Text]) -> Vec<Text> {
        self.over_ssh(&[], argv)
    }

    fn over_ssh(&self, around: &[&str], argv: &[Text]) -> Vec<Text> {
        let sudo = ["sudo", "-n", "--"].map(Text::from);
        let sudo = sudo.into_iter().filter(|_| self.sudo);
        let Some(ssh) = &self.ssh else { return sudo.chain(argv.to_vec()).collect() };
        let mut line = ssh.ssh(&[]);
        let watched = sudo.chain(around.iter().map(|word| Text::from(*word))).chain(argv.to_vec());
        let mut remote = Text::new();
        for (index, arg) in watched.enumerate() {
            if index > 0 {
                remote = remote.lit(" ");
            }
            remote = remote.then(&quote(&arg));
        }
        line.push(remote);
        line
    }
}

/// Quotes for a POSIX shell. Late values stand unquoted: those that enter an argument are hexadecimal.
fn quote(text: &Text) -> Text {
    match text.as_literal() {
        Some(literal) => {
            shlex::try_quote(literal).map(std::borrow::Cow::into_owned).unwrap_or_default().into()
        }
        None => text.parts().iter().fold(Text::new(), |quoted, part| match part {
            super::text::Part::Literal(literal) => {
                quoted.lit(&shlex::try_quote(literal).map(std::borrow::Cow::into_owned).unwrap_or_default())
            }
            super::text::Part::Late(late) => quoted.then(&Text::from_late(super::Late::clone(late))),
            // The recipe's folder means nothing on a node; kinds do not send it there.
            super::text::Part::Here => quoted.lit("$PWD"),
        }),
    }
}
