//! The tools that recipes call: how to get each, and how to ask its version.

/// A tool and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The name on PATH.
    pub name: &'static str,
    /// The command that installs it on Debian.
    pub install: &'static str,
    /// Arguments that print its version; none where it has no such thing.
    pub version: &'static [&'static str],
}

const fn tool(name: &'static str, install: &'static str, version: &'static [&'static str]) -> Tool {
    Tool { name, install, version }
}

const COREUTILS: &str = "apt-get install coreutils";
const LONG: &[&str] = &["--version"];

/// Every known tool, by name.
pub const TOOLS: &[Tool] = &[
    tool("buildah", "apt-get install buildah", LONG),
    tool("cat", COREUTILS, LONG),
    tool("cp", COREUTILS, LONG),
    tool("crictl", "go install sigs.k8s.io/cri-tools/cmd/crictl@v1.36.0", LONG),
    tool("ctr", "apt-get install containerd", LONG),
    tool("docker", "apt-get install docker.io", LONG),
    tool("git", "apt-get install git", LONG),
    tool("ln", COREUTILS, LONG),
    tool("ls", COREUTILS, LONG),
    tool("mkdir", COREUTILS, LONG),
    tool("mv", COREUTILS, LONG),
    tool("podman", "apt-get install podman", LONG),
    tool("rm", COREUTILS, LONG),
    tool("scp", "apt-get install openssh-client", &[]),
    tool("setsid", "apt-get install util-linux", LONG),
    tool("sh", "apt-get install dash", &[]),
    tool("sha256sum", COREUTILS, LONG),
    tool("skopeo", "apt-get install skopeo", LONG),
    tool("ssh", "apt-get install openssh-client", &["-V"]),
    tool("ssh-keyscan", "apt-get install openssh-client", &[]),
    tool("stat", COREUTILS, LONG),
    tool("sudo", "apt-get install sudo", LONG),
    tool("tar", "apt-get install tar", LONG),
    tool("test", COREUTILS, &[]),
    tool("uname", COREUTILS, LONG),
    tool("xz", "apt-get install xz-utils", LONG),
    tool("zstd", "apt-get install zstd", LONG),
];

/// The tool of that name.
pub fn tool_named(name: &str) -> Option<&'static Tool> {
    TOOLS.binary_search_by(|tool| tool.name.cmp(name)).ok().map(|index| &TOOLS[index])
}

/// What to do when a tool is missing. `place` is a node's name, for a tool that is missing there.
pub fn install_help(name: &str, place: Option<&str>) -> String {
    let place = place.map(|node| format!(" on node `{node}`")).unwrap_or_default();
    match tool_named(name) {
        Some(tool) => format!("install it{place}: `{}`", tool.install),
        None => format!("install it{place}, or add its folder to PATH there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_sorted_so_that_each_is_found() {
        for tool in TOOLS {
            assert_eq!(tool_named(tool.name), Some(tool), "{}", tool.name);
        }
        assert!(install_help("crictl", None).contains("go install"));
        assert!(install_help("skopeo", Some("n1")).contains("on node `n1`"));
    }
}
