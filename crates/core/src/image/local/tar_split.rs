//! A layer's tar file, put together again from the files of a store and a record of everything else in it.
//!
//! docker and containers-storage keep that record (tar-split, gzipped lines of JSON) with each layer, so that the tar file
//! comes out byte for byte as it came in. Whoever reads it compares its digest.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde::Deserialize;

use crate::image::digest::BUFFER;

/// One line of the record: bytes to be copied, or a file to be put in.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    name: String,
    /// A name that is no UTF-8, in base64.
    #[serde(default)]
    name_raw: Option<String>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    payload: Option<String>,
}

/// The content of a file of the layer.
const FILE: u8 = 1;
/// Headers, padding, the end.
const SEGMENT: u8 = 2;

/// Writes the layer whose record is `record` and whose files lie below `files`.
pub(super) fn assemble(record: &Path, files: &Path, sink: &mut dyn Write) -> io::Result<()> {
    let root = File::open(files)?;
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(record)?)));
    let mut buffer = vec![0; BUFFER];
    for entry in serde_json::Deserializer::from_reader(lines).into_iter::<Entry>() {
        let entry = entry?;
        match entry.kind {
            SEGMENT => sink.write_all(&decode(entry.payload.as_deref().unwrap_or_default())?)?,
            FILE if entry.size > 0 => {
                let name = match &entry.name_raw {
                    Some(raw) => decode(raw)?,
                    None => entry.name.into_bytes(),
                };
                copy(&root, &name, entry.size, &mut buffer, sink)?;
            }
            FILE => {}
            other => return Err(io::Error::other(format!("a record of the unknown type {other}"))),
        }
    }
    Ok(())
}

fn decode(text: &str) -> io::Result<Vec<u8>> {
    STANDARD.decode(text).map_err(io::Error::other)
}

fn copy(root: &File, name: &[u8], size: u64, buffer: &mut [u8], sink: &mut dyn Write) -> io::Result<()> {
    let relative = name.iter().position(|byte| *byte != b'/').map_or(&b""[..], |start| &name[start..]);
    // The tree is a container's: its links lead where they do within it.
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let named = |error: rustix::io::Errno| {
        io::Error::new(error.kind(), format!("{}: {error}", String::from_utf8_lossy(name)))
    };
    let file = openat2(root, relative, flags, Mode::empty(), within).map_err(named)?;
    let mut file = File::from(file).take(size);
    let mut left = size;
    while left > 0 {
        let got = file.read(buffer)?;
        if got == 0 {
            let name = String::from_utf8_lossy(name);
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{name} is shorter than it was"),
            ));
        }
        sink.write_all(&buffer[..got])?;
        left -= got as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzipped(lines: &str) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(lines.as_bytes()).unwrap();
        writer.finish().unwrap()
    }

    fn assembled(lines: &str, files: &Path) -> io::Result<Vec<u8>> {
        let record = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(record.path(), gzipped(lines)).unwrap();
        let mut bytes = Vec::new();
        assemble(record.path(), files, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn segments_and_files_come_in_their_order() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("etc")).unwrap();
        std::fs::write(tree.path().join("etc/motd"), "hello and more").unwrap();
        let lines = "{\"type\":2,\"payload\":\"QUI=\",\"position\":0}\n\
            {\"type\":1,\"name\":\"./etc/motd\",\"size\":5,\"payload\":\"AAAAAAAAAAA=\",\"position\":1}\n\
            {\"type\":1,\"name\":\"etc/empty\",\"payload\":null,\"position\":2}\n\
            {\"type\":2,\"payload\":\"Qw==\",\"position\":3}\n";
        assert_eq!(assembled(lines, tree.path()).unwrap(), b"ABhelloC");
    }

    #[test]
    fn nothing_outside_the_tree_is_read() {
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), tree.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("folder")).unwrap();
        let up = "../".repeat(20);
        let out = outside.path().display();
        for name in
            ["link".to_owned(), "folder/secret".into(), format!("{up}{out}/secret"), format!("{out}/secret")]
        {
            let lines = format!("{{\"type\":1,\"name\":\"{name}\",\"size\":6}}\n");
            assert!(assembled(&lines, tree.path()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_no_layer() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("a"), "1234").unwrap();
        let error = assembled("{\"type\":1,\"name\":\"a\",\"size\":5}\n", tree.path()).unwrap_err();
        assert!(error.to_string().contains("shorter"), "{error}");
        assert!(assembled("{\"type\":7}\n", tree.path()).is_err());
    }
}
