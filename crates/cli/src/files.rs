//! Files that people keep: written whole or not at all.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts a new file in place; an error where there is one, unless `replace` says so.
pub(crate) fn create(path: &Path, contents: &str, replace: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) if replace => self::replace(path, contents),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => put(path, contents, None),
        Err(error) => Err(error),
    }
}

/// Puts new contents in the place of a file's, which keeps its mode and owner. A link leads to the file that is meant.
pub(crate) fn replace(path: &Path, contents: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    // Renaming asks for the folder's permission only, so the file's own is asked for here.
    let metadata = OpenOptions::new().write(true).open(&path)?.metadata()?;
    put(&path, contents, Some(&metadata))
}

/// Writes a file piece by piece, in place of one that is there. What is no file, such as a device or a pipe, is written to.
pub(crate) fn write(path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let there = path.metadata();
    if there.as_ref().is_ok_and(|there| !there.is_file()) {
        return pieces(OpenOptions::new().write(true).open(path)?, fill);
    }
    // A link leads to the file that is meant.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = beside(&path)?;
    pieces(file.as_file_mut(), fill)?;
    let mode = there.map_or(0o644, |there| there.permissions().mode());
    file.as_file().set_permissions(Permissions::from_mode(mode & 0o7777))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn pieces(to: impl Write, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    fill(&mut to)?;
    to.flush()
}

/// A file without a name of its own yet, in the folder of the one that it becomes.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The error would name a file that nobody knows.
    let made = tempfile::Builder::new().prefix(".pipeline-").suffix(".tmp").tempfile_in(folder);
    made.map_err(|error| io::Error::from(error.kind()))
}

fn put(path: &Path, contents: &str, like: Option<&Metadata>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = beside(path)?;
    file.write_all(contents.as_bytes())?;
    let mode = like.map_or(0o644, |metadata| metadata.permissions().mode());
    if let Some(metadata) = like {
        // Only root may give files away; where that is refused, whoever writes it owns it, as after an editor.
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    }
    file.as_file().set_permissions(Permissions::from_mode(mode & 0o7777))?;
    file.as_file().sync_all()?;
    if like.is_some() { file.persist(path) } else { file.persist_noclobber(path) }
        .map_err(|error| error.error)?;
    // The name is as lasting as the contents; a file system that cannot do that is no reason to fail.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}
