//! A blocking client of the Container Runtime Interface, `runtime.v1`, over a unix socket.
//!
//! It answers two questions: does this node's container runtime hold the image that was built, and does the
//! image run there? The first takes three calls, `Version`, `ImageStatus` and `ListImages`; the second those that
//! run a [`Pod`] and remove it. `crictl` makes the same, so a node without `crictl` can be checked just as well.
//!
//! ```no_run
//! # fn main() -> Result<(), pipeline_cri::Error> {
//! use std::{path::Path, time::Duration};
//!
//! let socket = Path::new("/run/containerd/containerd.sock");
//! let mut client = pipeline_cri::Client::connect(socket, Duration::from_secs(10))?;
//! if let Some(status) = client.image_status("docker.io/library/app:1.2")? {
//!     assert!(status.image.id.starts_with("sha256:"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Why not a ready-made gRPC client
//!
//! Calls of one message there and one back need HTTP/2 and five bytes of framing. The messages
//! are some dozen fields, so they are written down here ([prost]'s derive, no `protoc`) and not generated
//! from the interface's thousands of lines. Clean debug builds, two cores, crates counted for Linux:
//!
//! | | crates | seconds | CPU seconds |
//! |---|---:|---:|---:|
//! | `k8s-cri` + `tonic` | 94 | 34 | 51 |
//! | `tonic` without its defaults, own messages | 55 | 15.9 | 25 |
//! | `h2`, own messages (this) | 34 | 11.2 | 17 |
//! | `h2`, protobuf decoded by hand | 28 | 9.9 | 14 |
//!
//! The last row's second is not worth a decoder of our own for bytes that come from elsewhere.
//!
//! Tokio stays inside: each [`Client`] owns a runtime that lives on the calling thread and only runs
//! during a call. So a client must not be used from within another Tokio runtime's thread.

mod client;
mod error;
mod grpc;
mod pods;
mod wire;

pub use client::{Client, Image, ImageStatus, Version};
pub use error::{Code, Error};
pub use pods::{ContainerState, Pod};
