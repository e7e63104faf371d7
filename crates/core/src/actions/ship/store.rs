//! The node's store, by its runtime: how it is asked, how it takes an image, how names in it move.

use super::answer::{self, Answer, Held};
use crate::image::Digest;
use crate::image::archive::LayerForm;
use crate::plan::{Node, Runtime};

const ENTER: &str = include_str!("scripts/enter.sh");
const RUN_IMPORT: &str = include_str!("scripts/run-import.sh");

/// The script of a session and its arguments after `sh -c SCRIPT sh`.
pub(super) struct Session {
    pub(super) script: String,
    pub(super) args: Vec<String>,
}

/// A node's store.
pub(super) struct Store<'n> {
    pub(super) node: &'n Node,
    /// The name of the shipment's folder.
    pub(super) ship: &'n str,
    pub(super) reference: &'n str,
}

impl Store<'_> {
    fn is_containers(&self) -> bool {
        matches!(self.node.runtime, Runtime::CriO | Runtime::Podman)
    }

    fn specifier(&self) -> String {
        self.node.storage.as_ref().map(crate::plan::Storage::specifier).unwrap_or_default()
    }

    fn socket(&self) -> &str {
        self.node.cri.as_deref().and_then(|cri| cri.strip_prefix("unix://")).unwrap_or_default()
    }

    /// A session of two scripts, the first of which defines what the second calls.
    fn session(&self, functions: &[&str], main: &str, args: &[&str]) -> Session {
        let script = functions.iter().copied().chain([main]).collect::<String>();
        let head = [self.node.dir.as_str(), self.ship];
        Session { script, args: head.iter().chain(args).map(|arg| (*arg).to_owned()).collect() }
    }

    /// Makes room for the shipment and asks what is there.
    pub(super) fn ask(&self, diff_ids: &[Digest]) -> Session {
        let digests: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
        let storage = self.node.storage.as_ref();
        let root = storage.map_or("", |storage| storage.root.as_str());
        let driver = storage.and_then(|storage| storage.driver.as_deref()).unwrap_or_default();
        let (ask, mut args) = match self.node.runtime {
            Runtime::CriO | Runtime::Podman => {
                (include_str!("scripts/ask-containers.sh"), vec![root, driver, self.reference])
            }
            Runtime::Docker => (include_str!("scripts/ask-docker.sh"), vec![self.reference]),
            Runtime::Containerd => {
                (include_str!("scripts/ask-containerd.sh"), vec![self.socket(), root, self.reference])
            }
        };
        args.extend(digests.iter().map(String::as_str));
        self.session(&[ask], ENTER, &args)
    }

    /// What the answer says of the image.
    pub(super) fn held(&self, answer: &Answer, diff_ids: &[Digest], id: &Digest) -> Held {
        match self.node.runtime {
            Runtime::CriO | Runtime::Podman => answer::containers(answer, self.reference),
            Runtime::Docker => answer::docker(answer, diff_ids),
            Runtime::Containerd => answer::containerd(answer, diff_ids, id),
        }
    }

    /// How layers travel.
    pub(super) fn form(&self, answer: &Answer) -> LayerForm {
        // Older dockerds read no zstd, and then the node has to unpack it.
        if self.node.runtime == Runtime::Docker && answer.get("zstd").is_none() {
            LayerForm::Gzip
        } else {
            LayerForm::Zstd
        }
    }

    /// The store takes images as docker archives, not as OCI layouts.
    pub(super) fn takes_docker_archive(&self) -> bool {
        self.node.runtime == Runtime::Docker
    }

    /// Imports what was placed. `layers`: of each sent layer the blob's digits and the layer's.
    pub(super) fn import(&self, platform: &str, layers: &[(String, String)], root: &str) -> Session {
        let specifier = self.specifier();
        let pairs: Vec<String> = layers.iter().map(|(blob, layer)| format!("{blob}={layer}")).collect();
        let (import, mut args) = match self.node.runtime {
            Runtime::CriO | Runtime::Podman => {
                (include_str!("scripts/import-containers.sh"), vec![root, specifier.as_str(), self.reference])
            }
            Runtime::Docker => (include_str!("scripts/import-docker.sh"), vec![self.reference]),
            Runtime::Containerd => {
                (include_str!("scripts/import-containerd.sh"), vec![self.socket(), platform])
            }
        };
        if self.takes_docker_archive() {
            args.extend(pairs.iter().map(String::as_str));
        }
        self.session(&[import], RUN_IMPORT, &args)
    }

    /// The folder of the store, where the answer tells.
    pub(super) fn root<'a>(&self, answer: &'a Answer) -> &'a str {
        if !self.is_containers() {
            return "";
        }
        answer.get("store").and_then(|line| line.split_once(' ')).map_or("", |(_, root)| root)
    }
}
