//! The node's store, by its runtime: how it is asked, and how it takes an image.

use super::answer::{self, Answer, Held};
use crate::image::Digest;
use crate::image::archive::{LayerBlob, LayerForm};
use crate::plan::{Command, Node, Runtime, Storage};

/// The script of a session and its arguments, after `sh -c SCRIPT sh`.
pub(super) struct Session {
    pub(super) script: String,
    pub(super) args: Vec<String>,
}

/// By which a script tells that something is other than it must be.
const ALTERED: i32 = 6;

impl Session {
    /// The command that does it there.
    pub(super) fn on(&self, node: &Node) -> Command {
        let command = Command::new(["sh", "-c", &self.script, "sh"])
            .args(self.args.iter().map(String::as_str))
            .on_node(&node.name);
        Command { mismatch: Some(ALTERED), ..command }
    }
}

/// A node's store.
pub(super) struct Store<'n> {
    pub(super) node: &'n Node,
    /// The name of the shipment's folder.
    pub(super) ship: &'n str,
    pub(super) reference: &'n str,
    pub(super) platform: &'n str,
    /// How many earlier images keep a name.
    pub(super) keep: u8,
}

/// Reads the arguments, and what an answer has whatever the store.
const HEAD: &str = include_str!("scripts/head.sh");

/// Names of images that had the reference before.
const KEEP: &str = include_str!("scripts/keep.sh");

impl Store<'_> {
    /// The functions `ask` and `import` of the store.
    fn functions(&self) -> [&'static str; 2] {
        match self.node.runtime {
            Runtime::CriO | Runtime::Podman => {
                [include_str!("scripts/containers.sh"), include_str!("scripts/containers-import.sh")]
            }
            Runtime::Docker => [include_str!("scripts/docker.sh"), include_str!("scripts/docker-import.sh")],
            Runtime::Containerd => {
                [include_str!("scripts/containerd.sh"), include_str!("scripts/containerd-import.sh")]
            }
        }
    }

    fn session(&self, scripts: &[&str], root: &str, words: impl Iterator<Item = String>) -> Session {
        let storage = self.node.storage.as_ref();
        let driver = storage.and_then(|storage| storage.driver.as_deref()).unwrap_or_default();
        let specifier = storage.map(Storage::specifier).unwrap_or_default();
        let socket = self.node.cri.as_deref().and_then(|cri| cri.strip_prefix("unix://")).unwrap_or_default();
        let (dir, keep) = (self.node.dir.as_str(), self.keep.to_string());
        let head = [dir, self.ship, root, driver, &specifier, socket, self.reference, self.platform, &keep];
        let args = head.into_iter().map(str::to_owned).chain(words).collect();
        Session { script: scripts.concat(), args }
    }

    /// The folder of the store, where the recipe names it.
    fn root(&self) -> &str {
        self.node.storage.as_ref().map_or("", |storage| storage.root.as_str())
    }

    /// Makes room for the shipment and asks what is there.
    pub(super) fn ask(&self, diff_ids: &[Digest]) -> Session {
        let [ask, _] = self.functions();
        let words = diff_ids.iter().map(ToString::to_string);
        self.session(
            &["# ask what the store has\n", HEAD, ask, include_str!("scripts/enter.sh")],
            self.root(),
            words,
        )
    }

    /// Asks what is there and changes nothing.
    pub(super) fn look(&self, diff_ids: &[Digest]) -> Session {
        let [ask, _] = self.functions();
        let words = diff_ids.iter().map(ToString::to_string);
        self.session(&["# ask what the store has\n", HEAD, ask, "zipped\n"], self.root(), words)
    }

    /// Imports, removes what was sent and asks once more. `words`: `BLOB=LAYER` of each sent layer, and the documents.
    pub(super) fn import(
        &self,
        diff_ids: &[Digest],
        words: impl Iterator<Item = String>,
        before: &Answer,
    ) -> Session {
        let [ask, import] = self.functions();
        // Where it was found without being named.
        let found = before.get("store").and_then(|line| line.split_once(' ')).map_or("", |(_, root)| root);
        let root = if found.is_empty() { self.root() } else { found };
        let find = if self.is_containers() { "where\n" } else { "" };
        let words = diff_ids.iter().map(ToString::to_string).chain(words);
        self.session(
            &["# import the image\n", HEAD, KEEP, ask, import, find, include_str!("scripts/import.sh")],
            root,
            words,
        )
    }

    /// Gives the reference to the image that had it before, and the other way round.
    pub(super) fn rollback(&self) -> Session {
        let [ask, names] = self.functions();
        let find = if self.is_containers() { "where\n" } else { "" };
        let scripts =
            ["# give the name back\n", HEAD, KEEP, ask, names, find, include_str!("scripts/rollback.sh")];
        self.session(&scripts, self.root(), std::iter::empty())
    }

    fn is_containers(&self) -> bool {
        matches!(self.node.runtime, Runtime::CriO | Runtime::Podman)
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

    /// The layer as the manifest has it. What containers-storage keeps of a manifest that says zstd, skopeo before 1.10 and
    /// podman before 4.4 cannot save as a docker archive; and whatever the type says, they go by a layer's first bytes.
    pub(super) fn named(&self, blob: LayerBlob) -> LayerBlob {
        match blob.form {
            LayerForm::Zstd if self.is_containers() => LayerBlob { form: LayerForm::Gzip, ..blob },
            _ => blob,
        }
    }

    /// The store takes images as docker archives, not as OCI layouts.
    pub(super) fn takes_docker_archive(&self) -> bool {
        self.node.runtime == Runtime::Docker
    }
}
