//! Who builds, and what it can be told.

use crate::diag::Diagnostic;
use crate::plan::Engine;
use crate::source::Span;
use crate::steps::{Lower, Refused};

/// A builder: docker has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    /// docker's own of before.
    Classic,
    /// docker's, and its client decides which: nothing is asked of it that one of them cannot.
    Either,
    /// docker's by BuildKit.
    BuildKit,
    Buildx,
    Podman,
    Buildah,
}

impl Builder {
    pub(super) fn of(engine: Engine, buildkit: Option<bool>) -> Self {
        match (engine, buildkit) {
            (Engine::Docker, Some(false)) => Self::Classic,
            (Engine::Docker, None) => Self::Either,
            (Engine::Docker, Some(true)) => Self::BuildKit,
            (Engine::Buildx, _) => Self::Buildx,
            (Engine::Podman, _) => Self::Podman,
            (Engine::Buildah, _) => Self::Buildah,
        }
    }

    /// It may be BuildKit, which runs the program that a Dockerfile names as its own interpreter.
    pub(super) fn runs_frontends(self) -> bool {
        matches!(self, Self::Either | Self::BuildKit | Self::Buildx)
    }

    pub(super) fn is_docker(self) -> bool {
        !matches!(self, Self::Podman | Self::Buildah)
    }

    /// It may be docker's classic one.
    pub(super) fn may_be_classic(self) -> bool {
        matches!(self, Self::Classic | Self::Either)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classic | Self::Either => "docker's classic builder",
            Self::BuildKit => "docker with BuildKit",
            Self::Buildx => "buildx",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Refuses what docker's classic builder has not, where it may be the one.
    pub(super) fn not_classic(self, cx: &mut Lower<'_>, what: &str, span: &Span) -> Result<(), Refused> {
        let help = match self {
            Self::Classic => "write `buildkit = true` in place of `buildkit = false`, or take another `engine`",
            Self::Either => "write `buildkit = true`, or take `buildx`, `podman` or `buildah` as `engine`",
            _ => return Ok(()),
        };
        Err(self.refuse(cx, what, span, help))
    }

    /// It cannot do that.
    pub(super) fn refuse(self, cx: &mut Lower<'_>, what: &str, span: &Span, help: &str) -> Refused {
        cx.refuse(
            Diagnostic::error("plan::builder", format!("{} has no {what}", self.name())).at(span, "asked for here").help(help),
        )
    }
}
