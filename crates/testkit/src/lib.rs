//! Test tools of the workspace. They panic where a test would: on a broken set-up.
//!
//! ```no_run
//! use pipeline_testkit::{Rule, TestSpace};
//!
//! let space = TestSpace::new();
//! space.write("pipeline.toml", "…");
//! space.install_fakes(&["docker", "git"]);
//! space.script(&[
//!     Rule::of("docker").args(&["build"]).write_after("--iidfile", "sha256:00").times(1),
//!     Rule::of("docker").stderr("no space left on device\n").exit(1),
//! ]);
//! let output = space.command("/path/of/pipeline").arg("run").output().unwrap();
//! assert!(output.status.success());
//! assert_eq!(space.calls()[0].line(), "docker build --iidfile id .");
//! ```
#![allow(
    clippy::print_stdout,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a library of tests behaves like a test"
)]

mod browser;
pub mod faketool;
mod locate;
mod normalise;
pub mod page;
mod payloads;
mod require;
mod rule;
mod space;
mod sshd;
mod terminal;
mod wire;

pub use browser::{in_browser, longest};
pub use normalise::{DIGESTS, DURATIONS, TIMES, literal, normalise};
pub use page::Page;
pub use payloads::PAYLOADS;
pub use require::{SKIPS_VARIABLE, find, require, skip};
pub use rule::{Call, Rule, WriteFile};
pub use space::TestSpace;
pub use sshd::{Sshd, free_port};
pub use terminal::{CTRL_C, CTRL_Z, Terminal};
pub use wire::Wire;
