//! Two places to build in that have nothing in common that an image may depend on.

mod copy;
mod show;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

pub(crate) use self::show::{Compared, show};

/// A folder to build in, and the environment there.
pub(crate) struct Place {
    pub(crate) here: PathBuf,
    pub(crate) env: BTreeMap<OsString, OsString>,
    /// For temporary files.
    pub(crate) scratch: PathBuf,
}

/// As the user has it, in a copy of the recipe's folder.
pub(crate) fn first(
    from: &Path,
    below: &Path,
    scratch: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> io::Result<Place> {
    let here = below.join("one");
    copy::copy(from, &here, copy::Files::AsTheyAre)?;
    let scratch = scratch.join("one");
    std::fs::create_dir(&scratch)?;
    Ok(Place { here, env: env.clone(), scratch })
}

/// As somebody else has it, somewhere else.
pub(crate) fn second(
    from: &Path,
    below: &Path,
    scratch: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> io::Result<Place> {
    let home = below.join("elsewhere");
    let here = home.join("of/another/user");
    copy::copy(from, &here, copy::Files::OfAnotherUser)?;
    let scratch = scratch.join("of-another-build");
    std::fs::create_dir(&scratch)?;
    let mut env = env.clone();
    // Line Islands Time, fourteen hours ahead, in the form that needs no database of time zones.
    env.insert("TZ".into(), "LINT-14".into());
    // Without root, engines find their stores by home and the ranges of their ids by the user's name.
    if geteuid().is_root() {
        if let Some(real) = env.get(std::ffi::OsStr::new("HOME")) {
            let link = home.join("home");
            symlink(real, &link)?;
            env.insert("HOME".into(), link.into());
        }
        env.insert("USER".into(), "somebody".into());
        env.insert("LOGNAME".into(), "somebody".into());
    }
    if env.contains_key(std::ffi::OsStr::new("TMPDIR")) {
        env.insert("TMPDIR".into(), scratch.clone().into());
    }
    Ok(Place { here, env, scratch })
}
