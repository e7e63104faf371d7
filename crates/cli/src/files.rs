//! Files that people keep: written whole or not at all.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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

/// Puts a file in place that can be made again, written bit by bit; in the place of another one, where there is one.
pub(crate) fn write(path: &Path, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Nobody wants to have a pipe or a device replaced by a file.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        contents(&mut out)?;
        return out.flush();
    }
    let mut out = BufWriter::new(beside(path)?);
    contents(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A file with no name of its own yet, in the folder of another.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The error would name a file that nobody knows.
    tempfile::Builder::new()
        .prefix(".pipeline-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(|error| io::Error::from(error.kind()))
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
