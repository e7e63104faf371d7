//! Copies a file to a node by scp, and goes on with a part of it that is there by sftp, which can.

use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;

use crate::event::{Failure, FailureKind};
use crate::exec::{self, ActionCx};
use crate::output::bytes;
use crate::plan::CopyFile;

/// sftp takes a longer line for two, of 2047 bytes each at most.
const LONGEST: usize = 2000;

pub(super) fn perform(copy: &CopyFile, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let outcome = bring(copy, cx);
    if outcome.as_ref().is_err_and(|failure| !may_go_on(failure.kind)) {
        // It has failed already.
        let _ = cx.run(&copy.discard);
    }
    outcome.map_err(|failure| match exec::remedy(&failure.message) {
        // The node's own tools leave that open.
        Some(remedy) if failure.help.is_none() => failure.help(format!("on the node, {remedy}")),
        _ => failure,
    })
}

/// What is there is good: it was only interrupted.
fn may_go_on(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unreachable
            | FailureKind::Refused
            | FailureKind::Signal { .. }
            | FailureKind::Timeout
            | FailureKind::Io
    )
}

fn bring(copy: &CopyFile, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let said = cx.run(&copy.enter)?.stdout;
    // A login shell may have something to say before.
    let there = String::from_utf8_lossy(&said).lines().last().and_then(|line| line.trim().parse().ok());
    if go_on(copy, there.unwrap_or_default(), cx)? {
        return Ok(());
    }
    cx.run(&copy.whole)?;
    cx.run(&copy.land).map(drop)
}

/// Makes a file of the part, of so many bytes; whether that is the right one.
fn go_on(copy: &CopyFile, there: u64, cx: &ActionCx<'_>) -> Result<bool, Failure> {
    let size = cx.resolve_path(&copy.from)?.metadata().map(|meta| meta.len()).unwrap_or_default();
    if there == 0 || there > size {
        return Ok(false);
    }
    cx.say(format!("{} of {} had arrived before", bytes(there), bytes(size)));
    let made = if there < size { rest(copy, cx) } else { Ok(()) };
    match made.and_then(|()| cx.run(&copy.land)) {
        Ok(_) => Ok(true),
        Err(failure) if is_of_the_part(failure.kind) => {
            cx.say(format!("{}: the whole file is copied", failure.message));
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}

/// A whole copy may do better.
fn is_of_the_part(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Exit { .. } | FailureKind::Mismatch | FailureKind::Tool | FailureKind::Input)
}

/// Sends what is missing of the part.
fn rest(copy: &CopyFile, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let line = reput(&cx.resolve(&copy.from)?, &cx.resolve(&copy.part)?)
        .ok_or_else(|| Failure::new(FailureKind::Input, "sftp cannot be told such a name"))?;
    let failed = |error: std::io::Error| {
        Failure::new(FailureKind::Io, format!("no room for temporary files: {error}"))
    };
    let mut batch = tempfile::tempfile().map_err(failed)?;
    batch.write_all(&line).and_then(|()| batch.rewind()).map_err(failed)?;
    cx.say(String::from_utf8_lossy(&line).trim_end());
    cx.feed(&copy.rest, &batch).map(drop)
}

/// The line that sftp reads; none where it would not read it as it is meant.
fn reput(from: &OsStr, to: &OsStr) -> Option<Vec<u8>> {
    let names = [from, to].map(OsStr::as_bytes);
    let line = [b"reput ", &*quoted(names[0]), b" ", &*quoted(names[1]), b"\n"].concat();
    let has_control = names.iter().any(|name| name.iter().any(u8::is_ascii_control));
    (line.len() <= LONGEST && !has_control).then_some(line)
}

/// For sftp's own language. A backslash before each byte holds for its words, and for the patterns that it takes them for.
fn quoted(name: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    name.iter().flat_map(|byte| [b'\\', *byte].into_iter().skip(usize::from(plain(*byte)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sftp_reads_the_names_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let Some(sftp) = pipeline_testkit::require("sftp") else { return };
        let server = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"];
        let Some(server) = server.into_iter().find(|path| std::path::Path::new(path).exists()) else {
            return pipeline_testkit::skip("no sftp-server");
        };
        let names = [
            "plain",
            "a b",
            "q'uo\"te",
            "$(touch pwned)`x`",
            "back\\slash",
            "glob*?[a]{b,c}",
            "~t",
            "!touch pwned",
            "#hash",
            "-dash",
            "üml \u{2028}",
            "end\\",
            "sha256:ab",
            "a\\*b",
            "x\\\\y",
            ";&|<>",
            "][",
            "=1",
            "%h",
        ];
        for (index, name) in names.iter().enumerate() {
            // The names around it as well, so that each is a folder of the part too.
            let there = folder.path().join(names[(index + 1) % names.len()]);
            std::fs::create_dir_all(&there).unwrap();
            let (from, part) = (folder.path().join(format!("{name}.")), there.join(name));
            std::fs::write(&from, "all of it").unwrap();
            std::fs::write(&part, "all").unwrap();
            let from = format!("./{name}.");
            let line = reput(OsStr::new(&from), part.as_os_str()).unwrap();
            let said = duct::cmd!(&sftp, "-q", "-b", "-", "-D", server).dir(folder.path()).stdin_bytes(line);
            let said = said.stderr_to_stdout().stdout_capture().unchecked().run().unwrap();
            assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stdout));
            assert_eq!(std::fs::read(&part).unwrap(), b"all of it", "{name}");
        }
        assert!(!folder.path().join("pwned").exists());
    }

    #[test]
    fn what_sftp_would_take_for_two_lines_is_not_said() {
        let short = |name: &str| reput(OsStr::new(name), OsStr::new("/x"));
        assert_eq!(short(&"x".repeat(LONGEST)), None);
        assert_eq!(short(&" ".repeat(LONGEST / 2)), None);
        assert_eq!(short("a\nrm /x"), None);
        assert_eq!(short("a b").unwrap(), b"reput a\\ b /x\n");
    }
}
