//! What emulation does to programs, recognised by what they and QEMU say, and what to do about it.
//!
//! Only for instances whose platform this machine emulates: on the machine's own one, a crash is a crash. The threads where
//! others met them are listed in docs/emulation.md.

use crate::event::{Failure, FailureKind};
use crate::platform::Platform;

/// One thing that goes wrong, most telling first: of several that a log shows, the first in the table is told.
#[derive(Debug)]
struct Sign {
    /// Any of these in a line.
    says: &'static [&'static str],
    counts: Counts,
    /// Another attempt may end otherwise.
    passes: bool,
    what: &'static str,
    remedy: &'static str,
}

/// Where such a line tells why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// Wherever it stands: long traces follow it.
    Anywhere,
    /// Among the last lines: before, it may well be of something that was tried and given up.
    AtTheEnd,
    /// There too, but not where the recipe's own command says it, which need not be emulated; unless QEMU says so.
    AtTheEndOfTools,
}

const SIGNS: [Sign; 7] = [
    Sign {
        // A shell that cannot execute it may read it as a script.
        says: &["exec format error", "Exec format error", "line 1: \u{7f}ELF", "line 1: ELF"],
        counts: Counts::AtTheEnd,
        passes: false,
        what: "a program could not be executed at all: it is of another architecture than the step's, or no emulator takes it",
        remedy: "compare the base image's platform with the target's; a step with `uses = \"binfmt-register\"` registers QEMU, \
                 and `pipeline doctor` says what this machine emulates",
    },
    Sign {
        says: &["lfstack.push invalid packing", "taggedPointerPack", "lfstack.push"],
        counts: Counts::Anywhere,
        passes: false,
        what: "Go before 1.25.4 does not run for amd64 where QEMU gives it addresses of another architecture (golang/go#69255)",
        remedy: "build with Go 1.25.4 or later, or cross-compile: `FROM --platform=$BUILDPLATFORM` and `GOARCH=$TARGETARCH`",
    },
    Sign {
        says: &["syscall frame is no longer valid", "runtime.futexwakeup", "rt_sigaction failure"],
        counts: Counts::Anywhere,
        passes: true,
        what: "Go's threads and signals upset QEMU (golang/go#24656)",
        remedy: "cross-compile: `FROM --platform=$BUILDPLATFORM` and `GOARCH=$TARGETARCH`; or take an older Go as base \
                 (`patch-FROM`), a newer QEMU, or a builder of that architecture",
    },
    Sign {
        says: &[
            "installed libc-bin package post-installation script subprocess returned error exit status 139",
        ],
        counts: Counts::Anywhere,
        passes: true,
        what: "QEMU crashes in `ldconfig` of some glibc versions (tonistiigi/binfmt#215, docker/buildx#1170)",
        remedy: "take a base with a newer distribution (`patch-FROM`), another version of QEMU, or a builder of that architecture",
    },
    Sign {
        says: &[
            "uncaught target signal 4",
            "Illegal instruction",
            "illegal instruction",
            "exit status 132",
            "code: 132",
        ],
        counts: Counts::AtTheEndOfTools,
        passes: false,
        what: "a program uses an instruction that QEMU's processor does not have",
        remedy: "take a base for an older variant of the architecture (`patch-FROM`), a newer QEMU, or a builder of that architecture",
    },
    Sign {
        says: &[
            "uncaught target signal",
            "Segmentation fault",
            "segmentation fault",
            "exit status 139",
            "code: 139",
        ],
        counts: Counts::AtTheEndOfTools,
        passes: true,
        what: "a program crashed, and under QEMU that need not be its own fault",
        remedy: "try again (`retry = { attempts = 3, on = [\"emulation\"] }`); if it stays, take another base (`patch-FROM`), \
                 another version of QEMU, or a builder of that architecture",
    },
    Sign {
        says: &["qemu: Unsupported syscall", "Function not implemented"],
        counts: Counts::AtTheEndOfTools,
        passes: false,
        what: "a program asks the kernel for something that QEMU does not pass on, such as `io_uring` or `clone3`",
        remedy: "take a newer QEMU, or let the program do without (Node.js: `UV_USE_IO_URING=0`)",
    },
];

/// What a shell and buildah exit with when SIGILL and SIGSEGV ended the program.
const BY_CODE: [(i32, &str); 2] = [(132, "exit status 132"), (139, "exit status 139")];

/// The most telling sign among the lines of an instance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs(Option<usize>);

impl Signs {
    /// Looks at a line as it is printed.
    pub(super) fn see(&mut self, line: &str) {
        self.find(line, |sign| sign.counts == Counts::Anywhere);
    }

    /// Looks at the last lines. `own`: a command of the recipe printed them.
    pub(super) fn see_last<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>, own: bool) {
        for line in lines {
            let all = !own || line.contains("qemu: ");
            self.find(line, |sign| all || sign.counts != Counts::AtTheEndOfTools);
        }
    }

    fn find(&mut self, line: &str, counts: impl Fn(&Sign) -> bool) {
        let most = self.0.unwrap_or(SIGNS.len());
        let fits = |sign: &Sign| counts(sign) && sign.says.iter().any(|words| line.contains(words));
        self.0 = SIGNS[..most].iter().position(fits).or(self.0);
    }

    /// The failure with what emulation has to do with it, if anything.
    pub(super) fn explain(mut self, failure: Failure, platform: &Platform, own: bool) -> Failure {
        let code = match failure.kind {
            FailureKind::Exit { code } => code,
            FailureKind::Signal { signal } => 128 + signal,
            _ => return failure,
        };
        let by_code = BY_CODE.iter().find(|(known, _)| *known == code).map(|(_, words)| *words);
        self.see_last(by_code.into_iter().chain([failure.message.as_str()]), own);
        let Some(sign) = self.0.map(|at| &SIGNS[at]) else { return failure };
        let help = format!("{platform} is emulated here, and {}: {}", sign.what, sign.remedy);
        Failure { help: Some(help), emulation: sign.passes, ..failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(printed: &str, kind: FailureKind, own: bool) -> Option<(String, bool)> {
        let mut signs = Signs::default();
        printed.lines().for_each(|line| signs.see(line));
        let last: Vec<&str> = printed.lines().rev().take(16).collect();
        signs.see_last(last, own);
        let platform = Platform::parse("linux/arm64").unwrap();
        let failure = signs.explain(Failure::new(kind, "`buildah build` exited with code 1"), &platform, own);
        Some((failure.help?, failure.emulation))
    }

    const EXIT: FailureKind = FailureKind::Exit { code: 1 };

    /// What each transcript is told as, and whether another attempt may pass. The first five are of Debian 12's tools
    /// with QEMU 7.2, the others made after the threads that docs/emulation.md names.
    const TRANSCRIPTS: [(&str, &str, bool); 10] = [
        (include_str!("transcripts/buildah-read-as-script"), "could not be executed at all", false),
        (include_str!("transcripts/buildah-not-registered"), "could not be executed at all", false),
        (include_str!("transcripts/docker-not-registered"), "could not be executed at all", false),
        (
            include_str!("transcripts/buildah-sigill"),
            "an instruction that QEMU's processor does not have",
            false,
        ),
        (include_str!("transcripts/docker-sigsegv"), "need not be its own fault", true),
        (include_str!("transcripts/libc-bin"), "QEMU crashes in `ldconfig`", true),
        (include_str!("transcripts/go-tagged-pointer"), "Go before 1.25.4", false),
        (include_str!("transcripts/go-syscall-frame"), "golang/go#24656", true),
        (include_str!("transcripts/go-mod-download"), "need not be its own fault", true),
        (include_str!("transcripts/libaio"), "asks the kernel for something", false),
    ];

    #[test]
    fn transcripts_are_told_with_one_remedy() {
        for (text, words, passes) in TRANSCRIPTS {
            let (help, may_pass) = told(text, EXIT, false).unwrap_or_else(|| panic!("{words}: nothing"));
            assert!(help.contains(words), "{help}");
            assert_eq!(may_pass, passes, "{words}");
            assert_eq!(help.matches("is emulated here").count(), 1);
        }
    }

    #[test]
    fn a_code_alone_tells() {
        for (kind, words) in [
            (FailureKind::Exit { code: 139 }, "crashed"),
            (FailureKind::Signal { signal: 11 }, "crashed"),
            (FailureKind::Exit { code: 132 }, "instruction"),
        ] {
            assert!(told("", kind, false).unwrap().0.contains(words));
        }
        assert_eq!(told("", EXIT, false), None);
        assert_eq!(told("qemu: uncaught target signal 11", FailureKind::Timeout, false), None);
    }

    #[test]
    fn what_was_tried_and_given_up_is_no_reason() {
        let tried = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n";
        let more = "checking for something… no\n".repeat(20);
        assert_eq!(told(&format!("{tried}{more}"), EXIT, false), None);
        assert!(told(&format!("{more}{tried}"), EXIT, false).is_some());
    }

    #[test]
    fn a_recipes_own_command_may_not_be_emulated() {
        assert_eq!(told("Segmentation fault", EXIT, true), None);
        assert_eq!(told("", FailureKind::Exit { code: 139 }, true), None);
        assert!(told("qemu: uncaught target signal 11 (Segmentation fault)", EXIT, true).is_some());
        assert!(told("./tool: Exec format error", EXIT, true).is_some());
    }
}
