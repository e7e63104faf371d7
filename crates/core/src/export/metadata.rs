//! What became of images, as a document for the job that comes next. Where `docker buildx bake --metadata-file` has a key for
//! something, a target has it too.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::targets;
use crate::history::{Account, LocatedImage, images};
use crate::plan::Plan;

/// The document: `version`, `run`, `recipe`, `result`, `targets` with their `images`, and `indexes`, which are for all.
pub fn metadata(plan: &Plan, account: &Account) -> Value {
    let mut of: BTreeMap<Option<String>, Vec<LocatedImage>> = BTreeMap::new();
    for image in images(plan, account) {
        of.entry(image.target.clone()).or_default().push(image);
    }
    let mut all = Map::new();
    for target in targets(plan).into_iter().flatten() {
        let images = of.remove(&Some(target.clone())).unwrap_or_default();
        let mut value = Map::new();
        value.insert("buildx.build.ref".into(), json!(format!("{}/{target}", account.run)));
        if let Some(image) = images.first() {
            let told = [
                ("image.name", image.reference.as_deref()),
                ("containerimage.config.digest", image.id.as_deref()),
                ("containerimage.digest", image.pushed.first().map(|pushed| pushed.digest.as_str())),
            ];
            value.extend(told.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text?)))));
        }
        value.insert("images".into(), json!(images));
        all.insert(target, Value::Object(value));
    }
    json!({
        "version": 1,
        "run": account.run,
        "recipe": account.recipe,
        "result": account.ending(false),
        "began": account.began,
        "seconds": account.elapsed.as_secs_f64(),
        "targets": all,
        "indexes": of.remove(&None).unwrap_or_default(),
    })
}
