//! What usually makes a build another one each time, told from what differs.

use super::{Comparison, FileDiffers, PartName};

/// A sign of a cause, and the cause with its remedy.
type Cause = (fn(&FileDiffers) -> bool, &'static str);

const MODES: &str = "modes of files that come from the recipe's folder are those of whoever checked it out (its umask), and engines write \
                     their digest into the history: take them by `git-checkout`";

/// The first that fits a file counts.
const CAUSES: [Cause; 9] = [
    (
        |file| ends(file, &[".pyc"]),
        "*.pyc: Python writes the time of the source into it; set `PYTHONDONTWRITEBYTECODE=1`, or compile with \
         `--invalidation-mode unchecked-hash`",
    ),
    (
        |file| begins(file, &["/var/log/", "/var/cache/ldconfig/", "/var/cache/debconf/", "/var/lib/apt/"]),
        "logs and caches of package managers hold times and inode numbers: remove them in the same `RUN`",
    ),
    (
        |file| begins(file, &["/etc/machine-id", "/var/lib/dbus/", "/etc/ssh/ssh_host_"]),
        "ids and keys that are random: empty or remove them in the image, and make them when a container starts",
    ),
    (|file| ends(file, &[".gz", ".tgz"]), "gzip writes the time and the name of its source: `gzip -n`"),
    (
        |file| ends(file, &[".jar", ".war", ".zip", ".whl", ".egg"]),
        "archives hold the times of their entries: set `SOURCE_DATE_EPOCH` for what packs them",
    ),
    (
        |file| ends(file, &[".a", ".o", ".so"]),
        "linkers and `ar` write times, paths and random build ids: `ar D`, `-ffile-prefix-map`, `--build-id=sha1`",
    ),
    (|file| has(file, &[PartName::Mode]), MODES),
    (
        |file| has(file, &[PartName::Mtime]),
        "times of files are the build's: build with buildah, podman or buildx, which set one for all",
    ),
    (
        |file| {
            file.only_in.is_some() || file.parts.iter().any(|part| matches!(part.name, PartName::Content(_)))
        },
        "the time, random numbers, the order of files in a folder, what is built in parallel, or what the network serves, such as \
         the newest packages: pin versions, sort, and set what the tool takes as seed or time",
    ),
];

fn ends(file: &FileDiffers, ends: &[&str]) -> bool {
    ends.iter().any(|end| file.path.ends_with(end))
}

fn begins(file: &FileDiffers, begins: &[&str]) -> bool {
    begins.iter().any(|begin| file.path.starts_with(begin))
}

fn has(file: &FileDiffers, names: &[PartName]) -> bool {
    file.parts.iter().any(|part| names.contains(&part.name))
}

impl Comparison {
    /// What it may come from, each with what to do about it.
    pub fn causes(&self) -> Vec<&'static str> {
        let mut causes = Vec::new();
        for file in self.files.iter().flat_map(|files| &files.differ.told) {
            let cause = CAUSES.iter().find(|(fits, _)| fits(file)).map(|(_, cause)| *cause);
            causes.extend(cause.filter(|cause| !causes.contains(cause)));
        }
        let is_copied = |path: &str| path.starts_with("history[") && path.ends_with(".created_by");
        if causes.is_empty() && self.fields.told.iter().any(|field| is_copied(&field.path)) {
            causes.push(MODES);
        }
        if self.files.as_ref().is_some_and(|files| files.is_order) {
            causes.push(
                "files come in the order in which the file system has them: sort them where they are packed",
            );
        }
        causes
    }
}
