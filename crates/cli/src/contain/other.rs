//! Elsewhere than on Linux: the engine is the process that the user started, and there is no other.

use std::io;

use pipeline_core::exec::Signals;

#[allow(dead_code, reason = "so that callers are the same everywhere")]
pub(crate) enum Side {
    Engine(Signals),
    Parent(u8),
}

pub(crate) fn engine() -> io::Result<Side> {
    Signals::install().map(Side::Engine)
}

pub(crate) fn no_namespace() -> Option<String> {
    Some("only Linux has them".into())
}
