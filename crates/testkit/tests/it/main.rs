//! The test tools, tested through real links and processes.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod fakes;
mod space;
