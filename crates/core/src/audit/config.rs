//! What an image's configuration says of how it is started, and every text in it.

use serde::Deserialize;
use serde_json::Value;

/// The parts that matter here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) config: Option<Start>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Start {
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) shell: Option<Vec<String>>,
    pub(super) env: Option<Vec<String>>,
    pub(super) working_dir: Option<String>,
}

/// docker's, where the image sets none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Start {
    /// Where a program of this name may lie, in the order of the search.
    pub(super) fn places(&self, name: &str) -> Vec<String> {
        let folder = self.working_dir.as_deref().unwrap_or("/");
        if name.starts_with('/') {
            vec![name.to_owned()]
        } else if name.contains('/') {
            vec![format!("{folder}/{name}")]
        } else {
            let set = self.env.iter().flatten().find_map(|entry| entry.strip_prefix("PATH="));
            set.unwrap_or(PATH).split(':').map(|folder| format!("{folder}/{name}")).collect()
        }
    }
}

/// Calls `found` with the place of each text for which `is_meant`, such as `config.Env[2]`. Names that are meant are not told.
pub(super) fn places(
    value: &Value,
    place: &str,
    is_meant: &impl Fn(&str) -> bool,
    found: &mut impl FnMut(&str),
) {
    match value {
        Value::String(text) if is_meant(text) => found(place),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                places(item, &format!("{place}[{at}]"), is_meant, found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                let shown = if is_meant(key) { "***" } else { key };
                let inner = if place.is_empty() { shown.to_owned() } else { format!("{place}.{shown}") };
                if shown != key {
                    found(&inner);
                }
                places(item, &inner, is_meant, found);
            }
        }
        _ => {}
    }
}
