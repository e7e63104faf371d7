//! Puts what came from another machine in its place: whole, and only if it is what that machine made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::digest::HashingReader;
use crate::plan::Receive;

pub(super) fn perform(wanted: &Receive, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let to = cx.resolve_path(&wanted.to)?;
    let place = if wanted.folder { unpack } else { copy };
    let found = place(Path::new(&wanted.from), &to, &|found| found == wanted.sha256).map_err(|error| {
        Failure::new(FailureKind::Io, format!("cannot bring {} to {}: {error}", wanted.from, to.display()))
    })?;
    if found { Ok(()) } else { Err(altered(wanted)) }
}

fn altered(wanted: &Receive) -> Failure {
    let message = format!("{} is not what was made: it must be {}", wanted.from, wanted.sha256);
    Failure::new(FailureKind::Mismatch, message).help("run the job that made it once more")
}

type IsIt<'i> = &'i dyn Fn(crate::image::Digest) -> bool;

/// Whether it was the right file, and is in place.
fn copy(from: &Path, to: &Path, is_it: IsIt<'_>) -> io::Result<bool> {
    let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mode = fs::metadata(from)?.permissions();
    let mut file = tempfile::Builder::new().permissions(mode).prefix(".pipeline-").tempfile_in(folder)?;
    let mut reader = HashingReader::new(File::open(from)?);
    io::copy(&mut reader, &mut file)?;
    if !is_it(reader.finish()) {
        return Ok(false);
    }
    file.flush()?;
    file.persist(to)?;
    Ok(true)
}

/// The same of a folder in a tar, which takes the place of what is there.
fn unpack(from: &Path, to: &Path, is_it: IsIt<'_>) -> io::Result<bool> {
    let parent = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    let folder = tempfile::Builder::new().prefix(".pipeline-").tempdir_in(parent)?;
    let mut reader = HashingReader::new(io::BufReader::with_capacity(1 << 18, File::open(from)?));
    let mut tar = tar::Archive::new(&mut reader);
    tar.set_preserve_permissions(true);
    tar.set_preserve_mtime(true);
    let unpacked = tar.unpack(folder.path().join("it"));
    // Up to its end, which need not be where the tar's is.
    io::copy(&mut reader, &mut io::sink())?;
    if !is_it(reader.finish()) {
        return Ok(false);
    }
    unpacked?;
    if fs::symlink_metadata(to).is_ok_and(|there| there.is_dir()) {
        fs::remove_dir_all(to)?;
    }
    fs::rename(folder.path().join("it"), to)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::sha256_file;

    #[test]
    fn only_the_right_file_comes_into_place_and_nothing_is_left_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("from"), b"made").unwrap();
        fs::write(at("other"), b"else").unwrap();
        let digest = sha256_file(&at("from")).unwrap();
        let is_it: IsIt<'_> = &|found| found == digest;
        assert!(copy(&at("from"), &at("new/to"), is_it).unwrap());
        assert_eq!(fs::read(at("new/to")).unwrap(), b"made");
        assert!(!copy(&at("other"), &at("new/to"), is_it).unwrap());
        assert_eq!(fs::read(at("new/to")).unwrap(), b"made");
        assert_eq!(fs::read_dir(at("new")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_takes_the_place_of_the_one_before_and_nothing_gets_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("tree/sub")).unwrap();
        fs::write(at("tree/sub/file"), b"made").unwrap();
        std::os::unix::fs::symlink("sub/file", at("tree/link")).unwrap();
        crate::results::pack(&at("tree"), &at("tree.tar")).unwrap();
        fs::create_dir_all(at("to/older")).unwrap();
        let digest = sha256_file(&at("tree.tar")).unwrap();
        assert!(unpack(&at("tree.tar"), &at("to"), &|found| found == digest).unwrap());
        assert_eq!(fs::read(at("to/link")).unwrap(), b"made");
        assert!(!at("to/older").exists());
        fs::write(at("tree.tar"), b"no tar").unwrap();
        assert!(!unpack(&at("tree.tar"), &at("to"), &|found| found == digest).unwrap());
        assert!(at("to/link").exists());

        let mut tar = tar::Builder::new(File::create(at("evil.tar")).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        header.as_gnu_mut().unwrap().name[..6].copy_from_slice(b"../out");
        header.set_cksum();
        tar.append(&header, &b"x"[..]).unwrap();
        tar.into_inner().unwrap();
        let digest = sha256_file(&at("evil.tar")).unwrap();
        let _ = unpack(&at("evil.tar"), &at("to2"), &|found| found == digest);
        assert!(!at("out").exists() && !folder.path().parent().unwrap().join("out").exists());
    }
}
