//! What went wrong with a child, in words: what, where, what to do.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::context::Codes;
use super::refusal::{Cause, cause};
use super::{remedy, tools};
use crate::event::{Failure, FailureKind};
use crate::plan::Command;

/// A longer command is shortened in messages; its event has it in full.
const SHOWN: usize = 200;

/// ssh and scp exit with this when they could not connect, or lost the connection. A remote tool that exits with it
/// itself cannot be told from that.
pub(super) const SSH_FAILED: i32 = 255;

/// A shell exits with this when it cannot find a tool, and so do `setsid` and `sudo`'s like.
const NOT_FOUND: i32 = 127;

/// Whether it is said here that a disk is full: as the C library says it, as Go does, without the capital, and as scp
/// and sftp do. Of all that can befall a write on a node, SFTP has a code for denied ones only; what remains is the disk.
pub(super) fn says_full(text: &str) -> bool {
    let by_sftp = text.strip_prefix("scp: ").unwrap_or(text);
    let by_sftp = by_sftp.starts_with("write remote ") && by_sftp.trim_end().ends_with(": Failure");
    by_sftp || text.contains("o space left on device")
}

/// The tool copies files to nodes, and runs ssh for that.
pub(super) fn copies(tool: &str) -> bool {
    matches!(tool, "scp" | "sftp")
}

/// A command as messages show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// As in the recipe: without ssh around it.
    pub(super) argv: &'a [OsString],
    pub(super) node: Option<&'a str>,
    pub(super) remote: bool,
    /// The node that the instance is about, also where the command runs here: `scp`.
    pub(super) about: Option<&'a str>,
}

impl Shown<'_> {
    fn tool(&self) -> String {
        self.argv.first().map(|tool| tool.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.argv.iter().map(|arg| arg.to_string_lossy()).collect();
        let line = match words.as_slice() {
            // A script of our own says what it does.
            [_, option, script, ..] if option == "-c" && script.starts_with("# ") => {
                script.lines().next().unwrap_or_default()[2..].to_owned()
            }
            words => crate::output::command_line(words),
        };
        if line.chars().count() > SHOWN {
            write!(f, "`{}…`", line.chars().take(SHOWN).collect::<String>())?;
        } else {
            write!(f, "`{line}`")?;
        }
        self.node.map_or(Ok(()), |node| write!(f, " on node `{node}`"))
    }
}

pub(super) fn missing_tool(name: &str) -> Failure {
    let message = if name.contains('/') {
        format!("`{name}` is not there, or not executable")
    } else {
        format!("`{name}` is not installed (not found on PATH)")
    };
    let failure = Failure::new(FailureKind::Tool, message);
    if name.contains('/') { failure } else { failure.help(tools::install_help(name, None)) }
}

pub(super) fn not_started(shown: &Shown<'_>, error: &io::Error) -> Failure {
    let kind =
        if error.kind() == io::ErrorKind::InvalidInput { FailureKind::Input } else { FailureKind::Tool };
    let failure = Failure::new(kind, format!("{shown} could not be run: {error}"));
    match remedy(&failure.message) {
        Some(help) => failure.help(help),
        None => failure,
    }
}

pub(super) fn stopped(shown: &Shown<'_>) -> Failure {
    Failure::new(
        FailureKind::Signal { signal: rustix::process::Signal::TERM.as_raw() },
        format!("{shown} was stopped"),
    )
}

pub(super) fn timed_out(shown: &Shown<'_>, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{shown} was ended after {:.1} s: the step's time is up", after.as_secs_f64()),
    )
    .help("give the step a longer `timeout`")
}

pub(super) fn silent(shown: &Shown<'_>, silence: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("{shown} was ended: it had printed nothing for {silence:.1?}"))
        .help("give the step a longer `silent-timeout`")
}

pub(super) fn too_much(shown: &Shown<'_>) -> Failure {
    Failure::new(
        FailureKind::Input,
        format!("{shown} printed more than {} MiB where a value was asked for", super::process::KEPT >> 20),
    )
}

/// The exit code; an end by a signal is a failure.
pub(super) fn exit_code(shown: &Shown<'_>, status: ExitStatus) -> Result<i32, Failure> {
    status.code().ok_or_else(|| {
        let signal = status.signal().unwrap_or_default();
        let failure =
            Failure::new(FailureKind::Signal { signal }, format!("{shown} was ended by signal {signal}"));
        if signal == rustix::process::Signal::KILL.as_raw() {
            failure.help("somebody killed it, or the kernel did for want of memory: see `dmesg`")
        } else {
            failure
        }
    })
}

/// What an exit code that does not mean success means. `any`: the caller wants to judge the tool's own codes itself.
fn judge(shown: &Shown<'_>, code: i32, said: &[String], any: bool) -> Result<(), Failure> {
    let last = said.last().map_or("", String::as_str);
    let tool = shown.tool();
    // They have codes of their own for a connection that breaks under them.
    let broken = copies(&tool)
        && said.iter().any(|line| line.contains("lost connection") || line.contains("Connection closed"));
    if broken || code == SSH_FAILED && (shown.remote || tool == "ssh" || copies(&tool)) {
        return Err(unreachable(shown, said));
    }
    if any {
        return Ok(());
    }
    if code == NOT_FOUND
        && let (true, Some(node)) = (shown.remote, shown.node)
    {
        let tool = lacking(last).unwrap_or(&tool);
        return Err(Failure::new(
            FailureKind::Tool,
            format!("`{tool}` is not installed on node `{node}` (exit code 127)"),
        )
        .help(tools::install_help(tool, Some(node))));
    }
    let failure = Failure::new(FailureKind::Exit { code }, exited(shown, code, last));
    let denied = || copies(&tool) && said.iter().any(|line| line.ends_with(": Permission denied"));
    Err(match advice(&tool, last).or_else(|| denied().then_some(DENIED)) {
        Some(advice) => failure.help(advice),
        None => failure,
    })
}

/// ssh did not connect, or lost the connection.
pub(super) fn unreachable(shown: &Shown<'_>, said: &[String]) -> Failure {
    let node = shown.node.or(shown.about);
    let place = node.map_or("the node".to_owned(), |node| format!("node `{node}`"));
    let cause = cause(said);
    let words = said.last().map_or_else(String::new, |last| format!("ssh says: {}\n", shorten(last.trim())));
    let mut remedy = cause.remedy(said);
    if cause == Cause::Other && copies(&shown.tool()) {
        remedy += "; where that works, its sshd_config lacks a line such as `Subsystem sftp internal-sftp`";
    }
    // Where that is has been said.
    let shown = Shown { node: None, ..*shown };
    Failure::new(cause.kind(), format!("{place} could not be reached by {shown}"))
        .help(format!("{words}{remedy}"))
}

/// The same failure as one of a full disk: another attempt would fill it again.
pub(super) fn full(failure: Failure) -> Failure {
    let help = failure.help.or_else(|| Some("make room on the disk; the log says where".into()));
    Failure { kind: FailureKind::NoSpace, help, ..failure }
}

/// Behind `sudo` too a copy comes as the user who logs in.
const DENIED: &str =
    "the user who logs in there must be allowed to write to that folder, and to enter those above it";

/// The tool that a shell there, or sudo, says it has not found.
fn lacking(last: &str) -> Option<&str> {
    let last = last.trim().strip_suffix("not found")?.trim_end();
    let last = last.strip_suffix("command").unwrap_or(last).trim_end().strip_suffix(':')?;
    let name = last.rsplit_once(": ").map_or(last, |(_, name)| name);
    Some(name).filter(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

/// What follows from a command's exit code and the last that it said.
pub(super) fn outcome(
    command: &Command,
    codes: Codes,
    shown: &Shown<'_>,
    code: i32,
    said: &[String],
) -> Result<(), Failure> {
    let last = said.last().map_or("", String::as_str);
    if command.ok.contains(&code) {
        Ok(())
    } else if codes == Codes::Ok && command.mismatch == Some(code) {
        Err(mismatch(shown, code, last))
    } else {
        judge(shown, code, said, codes == Codes::Any)
    }
}

/// The same, where our own actions could not write for that reason.
pub(super) fn maybe_full(failure: Failure) -> Failure {
    if failure.kind == FailureKind::Io && says_full(&failure.message) { full(failure) } else { failure }
}

/// The exit code by which a command tells that it found something other than it must be.
fn mismatch(shown: &Shown<'_>, code: i32, last: &str) -> Failure {
    Failure::new(FailureKind::Mismatch, exited(shown, code, last))
}

fn exited(shown: &Shown<'_>, code: i32, last: &str) -> String {
    let said = match last.trim() {
        "" => String::new(),
        last => format!(": {}", shorten(message(last))),
    };
    format!("{shown} exited with code {code}{said}")
}

/// What Go's tools say, without the time and the level.
fn message(line: &str) -> &str {
    let found = line.strip_prefix("time=").and_then(|line| line.split_once(" msg=\"")).map(|(_, said)| said);
    found.map_or(line, |said| said.strip_suffix('"').unwrap_or(said))
}

/// Both ends: tools say what they wanted first, and why it failed last.
fn shorten(text: &str) -> String {
    let count = text.chars().count();
    if count <= 2 * SHOWN {
        return text.to_owned();
    }
    let end = text.chars().skip(count - SHOWN);
    text.chars().take(SHOWN).chain(['…']).chain(end).collect()
}

/// What to do about tools' own last words, where they leave that open.
fn advice(tool: &str, last: &str) -> Option<&'static str> {
    if last.starts_with("sudo: ") && last.contains("a password is required") {
        return Some(
            "let the user who logs in there use sudo without a password, by a line such as \
             `USER ALL=(ALL) NOPASSWD: ALL` that `visudo -f /etc/sudoers.d/pipeline` writes",
        );
    }
    let words: [(&str, &str, &str); 2] = [
        (
            "git",
            "couldn't find remote ref",
            "the repository has no such branch or tag; `git ls-remote URL` lists those it has",
        ),
        ("git", "not our ref", "the repository does not give this commit; is it on one of its branches?"),
    ];
    let fits = |(by, text, _): &&(&str, &str, &str)| *by == tool && last.contains(text);
    words.iter().find(fits).map(|(.., advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Vec<String> {
        line.lines().map(str::to_owned).collect()
    }

    #[test]
    fn exit_255_of_ssh_is_the_network_and_of_others_their_own() {
        let argv = ["skopeo", "copy", "a b"].map(OsString::from);
        let remote = Shown { argv: &argv, node: Some("n1"), remote: true, about: None };
        let failure = judge(&remote, 255, &said("Connection refused"), false).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.help.unwrap().contains("Connection refused"));
        assert_eq!(judge(&remote, 127, &said(""), false).unwrap_err().kind, FailureKind::Tool);
        judge(&remote, 1, &said(""), true).unwrap();
        for words in [
            "sh: 83: stat: not found",
            "sh: line 1: stat: command not found",
            "sudo: stat: command not found",
        ] {
            let failure = judge(&remote, 127, &said(words), false).unwrap_err();
            assert_eq!(failure.message, "`stat` is not installed on node `n1` (exit code 127)", "{words}");
            assert!(failure.help.unwrap().contains("coreutils"));
        }
        let failure = judge(&remote, 1, &said("sudo: a password is required"), false).unwrap_err();
        assert!(failure.help.unwrap().contains("NOPASSWD"));
        let scp = ["scp", "a", "n1:b"].map(OsString::from);
        let here = Shown { argv: &scp, node: None, remote: false, about: Some("n1") };
        let failure = judge(&here, 1, &said("lost connection"), false).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.message.starts_with("node `n1` could not be reached"), "{failure:?}");
        let denied = said("scp: dest open \"/d/f\": Permission denied\nscp: failed to upload file a to /d/f");
        let failure = judge(&here, 1, &denied, false).unwrap_err();
        assert!(failure.help.unwrap().contains("must be allowed to write"));
        let failure =
            judge(&Shown { remote: false, node: None, ..remote }, 255, &said(""), false).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Exit { code: 255 });
        assert_eq!(failure.message, "`skopeo copy 'a b'` exited with code 255");
    }

    #[test]
    fn the_tools_last_words_are_part_of_the_message() {
        let argv = ["git", "fetch"].map(OsString::from);
        let shown = Shown { argv: &argv, node: None, remote: false, about: None };
        let failure = judge(&shown, 128, &said("fatal: couldn't find remote ref x\n"), false).unwrap_err();
        assert_eq!(failure.message, "`git fetch` exited with code 128: fatal: couldn't find remote ref x");
        assert!(failure.help.unwrap().contains("ls-remote"));
        let failure = judge(&shown, 1, &said(&"x".repeat(1000)), false).unwrap_err();
        assert!(failure.message.len() < 500 && failure.message.contains("x…x"), "{failure:?}");
        let said = r#"time="2026-01-01T00:00:00Z" level=fatal msg="no \"policy\" there""#;
        let failure = judge(&shown, 1, &[said.to_owned()], false).unwrap_err();
        assert!(failure.message.ends_with(r#"with code 1: no \"policy\" there"#), "{failure:?}");
    }
}
