//! What the lab tests share.

mod base;
mod lab;
mod node;
mod parcel;
mod process;
mod work;

pub(crate) use base::{base, debs, package};
pub(crate) use lab::{Lab, lab};
pub(crate) use node::{TestNode, free_port, path_without, set_executable};
pub(crate) use parcel::{NODE_PATH, Parcel};
pub(crate) use process::{Marked, eventually, processes};
pub(crate) use work::{Outcome, Work};

use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The lab; the test returns, and says why, where it lacks one of the parts.
#[macro_export]
macro_rules! require_lab {
    ($($part:expr),* $(,)?) => {
        match $crate::kit::lab(&[$($part),*]) {
            Some(lab) => lab,
            None => return,
        }
    };
}
