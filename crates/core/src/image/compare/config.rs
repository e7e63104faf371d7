//! Two configurations, field by field.

use serde_json::Value;

use super::{FieldDiffers, Told, VALUE_MAX, short};
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
            let texts = values.map(|value| value.map(ToString::to_string));
            let from = match &texts {
                [Some(one), Some(other)] => start(one, other),
                _ => 0,
            };
            let values = texts.map(|text| text.map(|text| part(&text, from)));
            fields.push(FieldDiffers { path, values });
        }
    }
}

/// Where to begin so that what differs is seen: a character's number.
fn start(one: &str, other: &str) -> usize {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    if same < VALUE_MAX / 2 { 0 } else { same - VALUE_MAX / 4 }
}

fn part(text: &str, from: usize) -> String {
    let rest: String = text.chars().skip(from).collect();
    let before = if from > 0 { "…" } else { "" };
    format!("{before}{}", short(&rest))
}

fn join(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (path, is_plain) {
        ("", true) => name.to_owned(),
        (path, true) => format!("{path}.{name}"),
        (path, false) => format!("{path}[{}]", Value::from(name)),
    }
}
