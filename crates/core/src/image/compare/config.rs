//! Two configurations, field by field.

use serde_json::Value;

use super::{FieldDiffers, Told, short};
use crate::image::{LocalError, LocalImage};

/// Layers are told as layers.
const DIFF_IDS: &str = "rootfs.diff_ids";

/// Every field that differs, in the order of their names.
pub(super) fn compare(images: &[LocalImage; 2]) -> Result<Told<FieldDiffers>, LocalError> {
    let read = |image: &LocalImage| {
        serde_json::from_slice(&image.config)
            .map_err(|error| LocalError::Config { id: image.id, reason: error.to_string() })
    };
    let [one, other]: [Value; 2] = [read(&images[0])?, read(&images[1])?];
    let mut fields = Told::default();
    descend(String::new(), [Some(&one), Some(&other)], &mut fields);
    if one == other {
        fields.push(FieldDiffers { path: String::new(), values: [None, None] });
    }
    Ok(fields)
}

fn descend(path: String, values: [Option<&Value>; 2], fields: &mut Told<FieldDiffers>) {
    if values[0] == values[1] || path == DIFF_IDS {
        return;
    }
    match values {
        [Some(Value::Object(one)), Some(Value::Object(other))] => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                descend(join(&path, name), [one.get(name), other.get(name)], fields);
            }
        }
        [Some(Value::Array(one)), Some(Value::Array(other))] => {
            for index in 0..one.len().max(other.len()) {
                descend(format!("{path}[{index}]"), [one.get(index), other.get(index)], fields);
            }
        }
        values => {
            let values = values.map(|value| value.map(|value| short(&value.to_string())));
            fields.push(FieldDiffers { path, values });
        }
    }
}

fn join(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (path, is_plain) {
        ("", true) => name.to_owned(),
        (path, true) => format!("{path}.{name}"),
        (path, false) => format!("{path}[{}]", Value::from(name)),
    }
}
