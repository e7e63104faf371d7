//! An image of random layers that no engine made, in a recipe that delivers it to a node of the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_core::image::Digest;

use super::{Outcome, TestNode, Work};

/// What nodes have on their PATH.
pub(crate) const NODE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The workspace and the node, which has a containers-storage in its own folder.
pub(crate) struct Parcel {
    pub(crate) work: Work,
    pub(crate) node: TestNode,
    reference: String,
}

impl Parcel {
    /// The recipe has one step `image`, whose archive holds layers of these sizes, and `deliver`.
    pub(crate) fn new(name: &str, layers: &[usize]) -> Self {
        Self::to(name, layers, |dir| TestNode::start(dir, NODE_PATH))
    }

    /// The same to a node that is started otherwise.
    pub(crate) fn to(name: &str, layers: &[usize], start: impl Fn(&Path) -> TestNode) -> Self {
        let work = Work::new("");
        let node = start(&work.root().join("node"));
        let parcel = Self { work, node, reference: format!("docker.io/library/{name}:1") };
        parcel.pack(layers);
        let storage = format!(
            "runtime = \"cri-o\"\nemulates = [\"linux/arm64\"]\n\
             storage = {{ driver = \"overlay\", root = \"{0}/root\", runroot = \"{0}/run\" }}",
            parcel.node.path("storage").display()
        );
        parcel.work.write("pipeline.toml", parcel.recipe(name, &storage));
        parcel
    }

    /// The recipe with these keys of the node.
    pub(crate) fn recipe(&self, name: &str, keys: &str) -> String {
        format!(
            "version = 1\n[pipeline]\nname = \"{name}\"\n\
             [targets.arm64]\nplatform = \"linux/arm64\"\nnodes = [\"own\"]\n{}\
             [[step]]\nid = \"image\"\nuses = \"run\"\nargv = [\"cp\", \"packed.tar\", \"image.tar\"]\n\
             inputs = [\"packed.tar\"]\noutputs = {{ archive = \"image.tar\" }}\nreference = \"{}\"\n\
             [[step]]\nuses = \"deliver\"\nretry = {{ attempts = 3, delay = \"1s\" }}\n",
            self.node.toml(keys),
            self.reference
        )
    }

    /// Another image with layers of these sizes; its id.
    pub(crate) fn pack(&self, layers: &[usize]) -> String {
        let layers: Vec<Vec<u8>> = layers.iter().map(|size| tar(&[("data", &random(*size))])).collect();
        let ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
        let config = serde_json::json!({
            "architecture": "arm64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": ids }
        });
        let config = config.to_string();
        let id = Digest::of(config.as_bytes());
        let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
        let document = format!("{}.json", id.hex());
        let manifest = serde_json::json!([
            { "Config": document, "RepoTags": [self.reference], "Layers": names }
        ]);
        let manifest = manifest.to_string();
        let mut files = vec![("manifest.json", manifest.as_bytes()), (&document, config.as_bytes())];
        files.extend(names.iter().zip(&layers).map(|(name, layer)| (name.as_str(), layer.as_slice())));
        self.work.write("packed.tar", tar(&files));
        id.to_string()
    }

    /// The id that the node's store has under the reference, with every layer made again from its files.
    pub(crate) fn delivered(&self) -> Option<String> {
        let at = self.node.path("storage");
        let store = format!("containers-storage:[overlay@{0}/root+{0}/run]{1}", at.display(), self.reference);
        let config = Command::new("skopeo").args(["inspect", "--raw", "--config", &store]).output().unwrap();
        if !config.status.success() {
            return None;
        }
        let out = self.work.root().join("out.tar");
        let to = format!("oci-archive:{}", out.display());
        let copied = Command::new("skopeo").args(["copy", "--quiet", &store, &to]).output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let image = pipeline_core::image::LocalImage::in_archive(&out).unwrap();
        image.verify().unwrap();
        fs::remove_file(&out).unwrap();
        Some(Digest::of(&config.stdout).to_string())
    }

    /// The files below the node's `dir`, and its folders of shipments.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut found = Vec::new();
        let dir = self.node.path("files");
        for folder in [dir.clone(), dir.join("blobs")] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().into_string().unwrap();
                if name != "blobs" {
                    found.push(name);
                }
            }
        }
        found
    }

    /// The next run brings the image, and leaves nothing else.
    #[track_caller]
    pub(crate) fn arrives(&self, id: &str) -> Outcome {
        let outcome = self.work.run(&["--verbose"]).exits(0);
        assert_eq!(self.delivered().as_deref(), Some(id), "{}", outcome.stderr);
        assert_eq!(self.left(), Vec::<String>::new());
        outcome
    }
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn random(bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    let mut at = 0;
    while at < bytes {
        at += rustix::rand::getrandom(&mut buffer[at..], rustix::rand::GetRandomFlags::empty()).unwrap();
    }
    buffer
}
