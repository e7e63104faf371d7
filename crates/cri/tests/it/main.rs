//! The client against sockets that are no runtime, a server that misbehaves, and a real containerd.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod containerd;
mod server;
mod sockets;
