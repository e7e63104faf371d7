//! Finding a tool as the child's environment says. The engine's own PATH never counts: `posix_spawnp` would use it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The absolute path of `tool`: along PATH of `env`, or, when it has a slash, from `dir`, as a shell there would see it.
pub(crate) fn find(tool: &OsStr, dir: &Path, env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    if tool.is_empty() {
        return None;
    }
    if tool.as_bytes().contains(&b'/') {
        return Some(dir.join(tool)).filter(|path| is_executable(path));
    }
    let path = env.get(OsStr::new("PATH"))?;
    // An empty entry of PATH means the working directory; nobody wants a tool from there.
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(tool))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_given_path_counts() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool-of-a-test");
        std::fs::write(&tool, "").unwrap();
        let env = |path: &str| BTreeMap::from([("PATH".into(), OsString::from(path))]);
        let here = env(folder.path().to_str().unwrap());
        let name = OsStr::new("tool-of-a-test");
        assert_eq!(find(name, Path::new("/"), &here), None);
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(name, Path::new("/"), &here), Some(tool.clone()));
        assert_eq!(find(name, folder.path(), &env("::.")), None);
        assert_eq!(
            find(OsStr::new("./tool-of-a-test"), folder.path(), &env("")),
            Some(folder.path().join("./tool-of-a-test"))
        );
        assert_eq!(find(OsStr::new("sh"), Path::new("/"), &BTreeMap::new()), None);
    }
}
