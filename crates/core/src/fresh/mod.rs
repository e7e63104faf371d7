//! Whether an instance must run: what its result depends on, against what is on record of the last time.
//!
//! [`Observed`] is everything that counts for one instance, gathered once; its hash is the fingerprint, and where that
//! differs from the record's, the same data says why ([`Reason`]). `content` looks at files, `config` at the plan. What
//! has to be asked of tools and nodes is gathered by `exec`; nothing here starts a process.

mod config;
mod content;
mod reason;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use config::{changed, configuration};
pub use content::{Look, content, glance, settled, stamp};
pub use reason::Reason;

use crate::state::{Detail, Digest, Leaf};

/// Everything that the result of an instance depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// As it will be kept with the record.
    pub detail: Detail,
}

impl Observed {
    /// Its configuration; the rest is added.
    pub fn new(config: String) -> Self {
        Self { detail: Detail { config, ..Detail::default() } }
    }

    /// The hash of all of it. How long files were known, and when they were looked at, does not count.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        let Detail { config, env, inputs, pins, tool, reads: _ } = &self.detail;
        add(config);
        for map in [env, inputs, pins] {
            add(&map.len().to_string());
            for (name, value) in map {
                add(name);
                add(value);
            }
        }
        if let Some((name, version)) = tool {
            add(name);
            add(version);
        }
        hasher.finalize().into()
    }

    /// A file or folder that is read.
    pub fn read(&mut self, leaf: Leaf) {
        self.detail.inputs.insert(format!("`{}`", leaf.path), leaf.seen.digest.to_string());
        self.detail.reads.push(leaf);
    }

    /// What is not there is an input too: it may be made.
    pub fn read_nothing(&mut self, path: &str) {
        self.detail.inputs.insert(format!("`{path}`"), "nothing".into());
    }

    /// Why this is another than `earlier`; none where it is not.
    pub fn differs(&self, earlier: &Detail) -> Option<Reason> {
        let now = &self.detail;
        if now.config != earlier.config {
            return Some(config::changed(&earlier.config, &now.config));
        }
        let changed = |old: Option<(String, String)>, new: Option<(String, String)>| {
            let name = old.as_ref().or(new.as_ref()).map(|(name, _)| name.clone()).unwrap_or_default();
            let told =
                |value: Option<(String, String)>| value.map_or_else(|| "nothing".into(), |(_, value)| value);
            (name, told(old), told(new))
        };
        if let Some((old, new)) = first_difference(&earlier.env, &now.env) {
            let (name, old, new) = changed(old, new);
            return Some(Reason::ConfigChanged { key: format!("env {name}"), old, new });
        }
        if now.tool != earlier.tool {
            let (tool, old, new) = changed(earlier.tool.clone(), now.tool.clone());
            return Some(Reason::ToolChanged { tool, old, new });
        }
        if let Some((old, new)) = first_difference(&earlier.pins, &now.pins) {
            let (name, old, new) = changed(old, new);
            return Some(Reason::PinChanged { name, old, new });
        }
        let (old, new) = first_difference(&earlier.inputs, &now.inputs)?;
        let (input, old, new) = changed(old, new);
        Some(Reason::InputChanged { input, old, new })
    }
}

type Entry = Option<(String, String)>;

fn first_difference(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Option<(Entry, Entry)> {
    let entry = |map: &BTreeMap<String, String>, name: &String| {
        map.get(name).map(|value| (name.clone(), value.clone()))
    };
    let name = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).min()?;
    Some((entry(old, name), entry(new, name)))
}

/// What others can see of a result: the values it yielded and the files it left.
pub fn result(values: &BTreeMap<String, String>, outputs: &[Leaf]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for (name, value) in values {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(b"");
    for leaf in outputs {
        add(leaf.path.as_bytes());
        add(&leaf.seen.digest.0);
    }
    hasher.finalize().into()
}
