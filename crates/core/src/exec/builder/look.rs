//! What a builder says of itself, and whether that will do.

use std::collections::BTreeMap;

use crate::event::{Failure, FailureKind};
use crate::plan::{Builder, Engine};
use crate::platform::Platform;

/// Prints what is judged here. `$1` is the engine's client, `$2` its socket where the recipe names it.
pub(super) const SCRIPT: &str = include_str!("look.sh");

/// What a builder has that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// `Linux aarch64`
    pub(super) machine: String,
    /// The engine's socket there, where there is one.
    pub(super) socket: Option<String>,
}

/// The socket to go on with, or what is wrong there and what to do.
pub(super) fn judge(builder: &Builder, engine: Engine, said: &str) -> Result<Found, Failure> {
    let facts: BTreeMap<&str, &str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("builder\t")?.split_once('\t'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let get = |name: &str| facts.get(name).copied().unwrap_or_default();
    let name = builder.name();
    let wrong = |kind, what: String, help: String| Err(Failure::new(kind, what).help(help));
    if get("end") != "yes" {
        return wrong(
            FailureKind::Tool,
            format!("builder `{name}` does not run our questions: a POSIX shell is needed there"),
            "log in there by hand: what a shell's start-up files print or end must not be in the way".into(),
        );
    }
    let machine = get("machine");
    let is = machine.strip_prefix("Linux ").and_then(Platform::from_uname);
    match &is {
        Some(is) if is.runs_natively(&builder.platform) => {}
        is => {
            let is = is.as_ref().map_or_else(|| format!("`{machine}`"), ToString::to_string);
            return wrong(
                FailureKind::Mismatch,
                format!("builder `{name}` is {is}, and is to build for {} natively", builder.platform),
                format!(
                    "name a machine of {} in [builders], or take the line out: then it is emulated here",
                    builder.platform
                ),
            );
        }
    }
    let (tool, socket) = (engine.tool(), get("socket"));
    let machine = machine.to_owned();
    // A service of podman's is started for the run; docker's daemon must be there.
    if engine == Engine::Podman {
        return if get("tool") == "yes" {
            Ok(Found { machine, socket: None })
        } else {
            wrong(
                FailureKind::Tool,
                format!("builder `{name}` has no podman: there is none on the PATH of a login"),
                "install it there: `apt-get install podman`".into(),
            )
        };
    }
    let there = facts.contains_key("open");
    if !there && get("tool") != "yes" {
        return wrong(
            FailureKind::Tool,
            format!("builder `{name}` has no {tool}: there is no socket {socket}, and no `{tool}` on the PATH"),
            "install it there: `apt-get install docker.io`; where the socket is another, it follows the host in the url".into(),
        );
    }
    if !there {
        return wrong(
            FailureKind::Tool,
            format!("builder `{name}`: {tool} does not listen there, as there is no socket {socket}"),
            "start it there: `systemctl start docker`; where the socket is another, it follows the host in the url".into(),
        );
    }
    if get("open") != "yes" {
        let user = get("user");
        return wrong(
            FailureKind::Refused,
            format!("builder `{name}`: the user {user} may not use {tool}'s socket {socket}"),
            format!(
                "let the user in, there: `sudo usermod -aG docker {user}`; it counts from the next login on"
            ),
        );
    }
    Ok(Found { machine, socket: Some(socket.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Ssh;

    fn judged(platform: &str, engine: Engine, lines: &[&str]) -> Result<Found, Failure> {
        let platform = Platform::parse(platform).unwrap();
        let builder = Builder { platform, ssh: Ssh::to("ops@arm-1"), socket: None, fallback: false };
        let said: String =
            lines.iter().map(|line| format!("builder\t{}\n", line.replace('=', "\t"))).collect();
        judge(&builder, engine, &format!("Welcome!\n{said}"))
    }

    #[test]
    fn what_will_do() {
        let lines =
            ["machine=Linux aarch64", "user=ops", "socket=/var/run/docker.sock", "open=yes", "end=yes"];
        let found = judged("linux/arm64", Engine::Docker, &lines).unwrap();
        let there = "/var/run/docker.sock";
        assert_eq!((&*found.machine, found.socket.as_deref()), ("Linux aarch64", Some(there)));
        let lines = ["machine=Linux aarch64", "tool=yes", "end=yes"];
        assert_eq!(judged("linux/arm64", Engine::Podman, &lines).unwrap().socket, None);
    }

    #[test]
    fn what_will_not_is_told_with_its_remedy() {
        let with = |changed: &[&'static str]| {
            let mut lines = vec!["machine=Linux aarch64", "user=ops", "socket=/s"];
            lines.extend(changed);
            lines
        };
        for (engine, lines, kind, message, help) in [
            (Engine::Docker, vec!["machine=Linux aarch64"], FailureKind::Tool, "POSIX shell", "by hand"),
            (
                Engine::Docker,
                with(&["machine=Linux x86_64", "open=yes", "end=yes"]),
                FailureKind::Mismatch,
                "is linux/amd64, and is to build for linux/arm64",
                "[builders]",
            ),
            (
                Engine::Docker,
                with(&["machine=Darwin arm64", "end=yes"]),
                FailureKind::Mismatch,
                "`Darwin arm64`",
                "[builders]",
            ),
            (Engine::Docker, with(&["end=yes"]), FailureKind::Tool, "has no docker", "docker.io"),
            (
                Engine::Docker,
                with(&["tool=yes", "end=yes"]),
                FailureKind::Tool,
                "does not listen",
                "systemctl start docker",
            ),
            (Engine::Podman, with(&["end=yes"]), FailureKind::Tool, "has no podman", "install podman"),
            (
                Engine::Docker,
                with(&["open=no", "end=yes"]),
                FailureKind::Refused,
                "the user ops may not",
                "usermod -aG docker ops",
            ),
        ] {
            let failure = judged("linux/arm64", engine, &lines).unwrap_err();
            let told = failure.help.unwrap();
            assert_eq!(failure.kind, kind, "{}", failure.message);
            assert!(failure.message.contains(message) && told.contains(help), "{} ({told})", failure.message);
            assert!(failure.message.contains("ops@arm-1"));
        }
    }
}
