//! The CRI client that the core is handed.

use std::path::Path;
use std::time::Duration;

use pipeline_core::actions::{Cri, CriImage};

/// Asks through `pipeline-cri`.
pub(crate) struct Socket;

impl Cri for Socket {
    fn image(&self, socket: &Path, reference: &str, timeout: Duration) -> Result<Option<CriImage>, String> {
        let say = |error: pipeline_cri::Error| format!("{error}; {}", error.help());
        let mut client = pipeline_cri::Client::connect(socket, timeout).map_err(say)?;
        let status = client.image_status(reference).map_err(say)?;
        Ok(status.map(|status| CriImage {
            id: status.image.id,
            repo_tags: status.image.repo_tags,
            pinned: status.image.pinned,
            info: status.info,
        }))
    }
}
