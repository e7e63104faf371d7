//! A small image as an engine would export it.

use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

/// `linux/…` of this machine, and its parts.
pub(crate) fn native() -> (&'static str, &'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("linux/amd64", "amd64", "x86_64"),
        "aarch64" => ("linux/arm64", "arm64", "aarch64"),
        "arm" => ("linux/arm/v7", "arm", "armv7l"),
        "riscv64" => ("linux/riscv64", "riscv64", "riscv64"),
        other => panic!("no test image for {other}"),
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Writes a docker-archive of one layer for this machine's platform; the image id.
pub(crate) fn docker_archive(path: &Path, text: &str) -> String {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "file", text.as_bytes());
    let layer = layer.into_inner().unwrap();
    let (_, architecture, _) = native();
    let mut config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Cmd": ["true"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    if architecture == "arm" {
        config["variant"] = "v7".into();
    }
    let config = config.to_string();
    let id = digest(config.as_bytes());
    let name = format!("{}.json", &id["sha256:".len()..]);
    let manifest =
        json!([{ "Config": name, "RepoTags": ["private:latest"], "Layers": ["layer.tar"] }]).to_string();
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "layer.tar", &layer);
    append(&mut archive, &name, config.as_bytes());
    append(&mut archive, "manifest.json", manifest.as_bytes());
    std::fs::write(path, archive.into_inner().unwrap()).unwrap();
    id
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes).unwrap();
}

/// A file of a layer: name, mode and content.
pub(crate) type Entry<'e> = (&'e str, u32, &'e [u8]);

/// The head of a static program for an architecture, as an OCI configuration names it.
pub(crate) fn elf(architecture: &str) -> Vec<u8> {
    let machine = match architecture {
        "amd64" => 62_u16,
        "arm64" => 183,
        "s390x" => 22,
        "riscv64" => 243,
        other => panic!("no test program for {other}"),
    };
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, if architecture == "s390x" { 2 } else { 1 }, 1, 0];
    let put = |bytes: &mut Vec<u8>, value: u64, size: usize| {
        let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
        bytes.extend(if architecture == "s390x" { &big[8 - size..] } else { &little[..size] });
    };
    bytes.extend([0; 8]);
    for (value, size) in [
        (2, 2),
        (machine.into(), 2),
        (1, 4),
        (0, 8),
        (64, 8),
        (0, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (0, 2),
        (0, 2),
        (0, 2),
        // One segment that is loaded.
        (1, 4),
        (5, 4),
        (0, 8),
        (0, 8),
        (0, 8),
        (120, 8),
        (120, 8),
        (4096, 8),
    ] {
        put(&mut bytes, value, size);
    }
    bytes
}

/// Writes a docker-archive of one image of one layer; the image id.
pub(crate) fn archive_of(path: &Path, architecture: &str, files: &[Entry<'_>]) -> String {
    let mut layer = tar::Builder::new(Vec::new());
    for (name, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        layer.append_data(&mut header, name, *bytes).unwrap();
    }
    let layer = layer.into_inner().unwrap();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Cmd": ["/bin/a"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string();
    let id = digest(config.as_bytes());
    let name = format!("{}.json", &id["sha256:".len()..]);
    let manifest = json!([{ "Config": name, "RepoTags": ["example.com/app:1"], "Layers": ["layer.tar"] }]);
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "layer.tar", &layer);
    append(&mut archive, &name, config.as_bytes());
    append(&mut archive, "manifest.json", manifest.to_string().as_bytes());
    std::fs::write(path, archive.into_inner().unwrap()).unwrap();
    id
}
