//! Archives in the shapes that engines write, built in memory.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::image::archive::{ArchiveFormat, Seal};
use crate::image::{Digest, ImageRef};

/// A small image: a configuration and its layers, each a tar file of one file.
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Image {
    /// An ARM64 image whose layers hold these texts.
    pub(crate) fn new(texts: &[&str]) -> Self {
        let layers: Vec<_> = texts.iter().map(|text| tar(&[File::new("file", text.as_bytes())])).collect();
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        // Spaces and order are unusual on purpose: they must survive.
        let config = format!(
            "{{ \"os\":\"linux\", \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":{}}},\n \"architecture\":\"arm64\"}}",
            serde_json::to_string(&diff_ids).unwrap()
        );
        Self { config: config.into_bytes(), layers }
    }

    /// An image of these layers, whose configuration has these fields besides.
    pub(crate) fn of(mut config: Value, layers: Vec<Vec<u8>>) -> Self {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        Self { config: config.to_string().into_bytes(), layers }
    }

    pub(crate) fn id(&self) -> Digest {
        Digest::of(&self.config)
    }

    pub(crate) fn diff_ids(&self) -> Vec<Digest> {
        self.layers.iter().map(|layer| Digest::of(layer)).collect()
    }

    /// As docker wrote it up to version 24: a folder for each layer.
    pub(crate) fn docker_24(&self) -> Vec<File> {
        let config = format!("{}.json", self.id().hex());
        let mut files = Vec::new();
        let mut paths = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let path = format!("{index:064x}/layer.tar");
            files.push(File { kind: EntryType::Directory, ..File::new(&format!("{index:064x}/"), b"") });
            files.push(File::new(&format!("{index:064x}/VERSION"), b"1.0"));
            let earlier = self.layers[..index].iter().position(|other| other == layer);
            files.push(match earlier {
                // Old dockers link a repeated layer, in one of two ways.
                Some(earlier) if index % 2 == 0 => {
                    File::link(EntryType::Link, &path, &format!("{earlier:064x}/layer.tar"))
                }
                Some(earlier) => {
                    File::link(EntryType::Symlink, &path, &format!("../{earlier:064x}/layer.tar"))
                }
                None => File::new(&path, layer),
            });
            paths.push(path);
        }
        files.push(File::new(&config, &self.config));
        files.push(File::json(
            "manifest.json",
            &json!([{"Config": config, "RepoTags": ["x:1"], "Layers": paths}]),
        ));
        files.push(File::json("repositories", &json!({"x": {"1": "0"}})));
        files
    }

    /// As docker writes it since version 25: an OCI layout with docker's manifest beside it.
    pub(crate) fn docker_25(&self) -> Vec<File> {
        let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let mut files = vec![File { kind: EntryType::Directory, ..File::new("blobs/", b"") }];
        for (layer, diff_id) in self.layers.iter().zip(self.diff_ids()) {
            if !files.iter().any(|file| file.name == blob(&diff_id)) {
                files.push(File::new(&blob(&diff_id), layer));
            }
        }
        let layers: Vec<_> = self.diff_ids().iter().map(blob).collect();
        files.push(File::new(&blob(&self.id()), &self.config));
        files.push(File::json("index.json", &json!({"schemaVersion": 2, "manifests": []})));
        files.push(File::json(
            "manifest.json",
            &json!([{"Config": blob(&self.id()), "RepoTags": null, "Layers": layers, "LayerSources": {}}]),
        ));
        files.push(File::json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"})));
        files
    }

    /// As skopeo, buildah and podman write it.
    pub(crate) fn skopeo(&self) -> Vec<File> {
        let config = format!("{}.json", self.id().hex());
        let names: Vec<_> = self.diff_ids().iter().map(|diff_id| format!("{}.tar", diff_id.hex())).collect();
        let mut files = Vec::new();
        for (name, layer) in names.iter().zip(&self.layers) {
            if !files.iter().any(|file: &File| file.name == *name) {
                files.push(File::new(name, layer));
                files.push(File::link(
                    EntryType::Symlink,
                    &format!("v1-{name}/layer.tar"),
                    &format!("../{name}"),
                ));
            }
        }
        files.push(File::new(&config, &self.config));
        files
            .push(File::json("manifest.json", &json!([{"Config": config, "RepoTags": [], "Layers": names}])));
        files
    }
}

/// An entry of a tar archive.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: EntryType,
    pub(crate) link: String,
    pub(crate) mode: u32,
}

impl File {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            kind: EntryType::Regular,
            link: String::new(),
            mode: 0o644,
        }
    }

    pub(crate) fn link(kind: EntryType, name: &str, to: &str) -> Self {
        Self { kind, link: to.into(), ..Self::new(name, b"") }
    }

    pub(crate) fn json(name: &str, value: &Value) -> Self {
        Self::new(name, value.to_string().as_bytes())
    }

    pub(crate) fn header(&self) -> Header {
        let mut header = Header::new_ustar();
        // Past the crate's checks: hostile names are the point of some tests.
        header.as_old_mut().name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        header.as_old_mut().linkname[..self.link.len()].copy_from_slice(self.link.as_bytes());
        header.set_size(self.bytes.len() as u64);
        header.set_mode(self.mode);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_mtime(1_700_000_000);
        header.set_entry_type(self.kind);
        header.set_cksum();
        header
    }
}

/// A tar archive of these entries.
pub(crate) fn tar(files: &[File]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in files {
        append(&mut bytes, &file.header(), &file.bytes);
    }
    bytes.extend([0; 1024]);
    bytes
}

pub(crate) fn append(bytes: &mut Vec<u8>, header: &Header, content: &[u8]) {
    bytes.extend(header.as_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

/// One PAX record, whose length counts itself.
pub(crate) fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let length =
        (rest.len()..rest.len() + 9).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
    format!("{length}{rest}").into_bytes()
}

/// A folder for one test.
pub(crate) struct Lab(tempfile::TempDir);

impl Lab {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Asks to seal `from` as `registry:2` under the name `to`.
    pub(crate) fn seal(&self, from: &Path, to: &str, format: ArchiveFormat) -> Seal {
        Seal {
            tags: Vec::new(),
            annotations: std::collections::BTreeMap::new(),
            from: from.into(),
            to: self.path(to),
            format,
            reference: ImageRef::parse("registry:2").unwrap(),
            expect_id: None,
            platform: None,
            label: None,
        }
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
