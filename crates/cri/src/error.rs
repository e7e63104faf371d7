//! What can go wrong between here and the runtime, and what to do about it.

use std::{fmt, io, path::PathBuf, time::Duration};

/// A call that gave no answer. `Display` says what and where, [`Error::help`] what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing that answers is behind the socket: no file, no listener, no permission, or it hung up.
    #[error("no container runtime answers at `{}`: {why}", .endpoint.display())]
    Unreachable {
        /// The socket.
        endpoint: PathBuf,
        /// What the operating system, or the other end, did.
        why: io::Error,
    },
    /// Something answers, but not in gRPC, or not with the messages of CRI.
    #[error("`{}` is not a CRI socket: {why}", .endpoint.display())]
    NotCri {
        /// The socket.
        endpoint: PathBuf,
        /// What it sent instead.
        why: String,
    },
    /// A gRPC server answers that does not have this call: its CRI is switched off or too old.
    #[error("the server at `{}` does not offer `{call}`: {message}", .endpoint.display())]
    Unimplemented {
        /// The socket.
        endpoint: PathBuf,
        /// The full name of the call, such as `runtime.v1.RuntimeService/Version`.
        call: &'static str,
        /// The server's own words.
        message: String,
    },
    /// No complete answer within the client's deadline.
    #[error("no answer from `{}` to `{call}` within {after:?}", .endpoint.display())]
    Timeout {
        /// The socket.
        endpoint: PathBuf,
        /// The full name of the call.
        call: &'static str,
        /// The deadline given to [`crate::Client::connect`].
        after: Duration,
    },
    /// The runtime understood the call and refused it.
    #[error("`{}` refused `{call}`: {message} ({code})", .endpoint.display())]
    Status {
        /// The socket.
        endpoint: PathBuf,
        /// The full name of the call.
        call: &'static str,
        /// gRPC's number for the reason.
        code: Code,
        /// The runtime's own words.
        message: String,
    },
}

impl Error {
    /// One sentence that says what to do, to be shown after `help:`.
    pub fn help(&self) -> String {
        match self {
            Self::Unreachable { why, .. } => match why.kind() {
                io::ErrorKind::NotFound => {
                    "start the runtime, or name its socket: `/run/containerd/containerd.sock` for containerd, \
                     `/run/crio/crio.sock` for CRI-O, `/run/k3s/containerd/containerd.sock` for k3s"
                }
                io::ErrorKind::PermissionDenied => {
                    "the socket belongs to root: use `sudo`, or a user that may open it"
                }
                io::ErrorKind::ConnectionRefused => {
                    "the socket was left by a runtime that is gone: start it, such as \
                     `systemctl start containerd`"
                }
                _ => "look at the runtime's log, such as `journalctl -u containerd`, and try again",
            },
            Self::NotCri { .. } => {
                "name the socket of the CRI runtime; docker's own is not one (with dockershim's \
                 successor it is `/run/cri-dockerd.sock`)"
            }
            Self::Unimplemented { .. } => {
                "in `/etc/containerd/config.toml` take \"cri\" out of `disabled_plugins` and restart \
                 containerd; CRI v1 needs containerd 1.6, CRI-O 1.23 or later"
            }
            Self::Timeout { .. } => {
                "the runtime may be overloaded or stuck: look at its log, or allow more time"
            }
            Self::Status { code: Code(5), .. } => "load the image into the node's `k8s.io` namespace",
            Self::Status { code: Code(3), .. } => "check that the image reference is well-formed",
            Self::Status { .. } => "look at the runtime's log, such as `journalctl -u containerd`",
        }
        .to_owned()
    }
}

/// A gRPC status code, 0 to 16; shown with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const NOT_FOUND: Self = Self(5);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);

    /// gRPC's name of the code; `UNKNOWN` for one it does not define.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 17] = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        usize::try_from(self.0).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("UNKNOWN")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, gRPC code {}", self.name(), self.0)
    }
}
