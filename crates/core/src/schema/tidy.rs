//! The schema as editors like it: no `null`, which TOML has not; examples of values from the descriptions, where what stands in
//! backticks after "such as" is one.

use serde_json::{Map, Value};

/// Tidies a schema and all that are in it.
pub(super) fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            without_null(map);
            let texts = map
                .get("type")
                .is_some_and(|kind| kind == "string" || kind.to_string().contains("\"string\""));
            let found = map.get("description").and_then(Value::as_str).map(examples).unwrap_or_default();
            if texts && !found.is_empty() && !map.contains_key("enum") {
                map.insert("examples".into(), found.into());
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// An optional key may be absent; there is no other way to say nothing.
fn without_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(schemas)) = map.get_mut("anyOf") {
        schemas.retain(|schema| schema["type"] != "null");
        if let [Value::Object(one)] = schemas.as_slice() {
            let one = one.clone();
            map.remove("anyOf");
            for (key, value) in one {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// `such as "90s"`, `` such as `linux/arm64` or `linux/arm/v7` ``.
fn examples(description: &str) -> Vec<String> {
    let Some((_, rest)) = description.split_once("such as ") else { return Vec::new() };
    let sentence = rest.split([';', ':']).next().unwrap_or_default();
    let sentence = sentence.split(". ").next().unwrap_or_default();
    sentence
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|example| example.trim_matches('"').to_owned())
        .filter(|example| !example.is_empty() && !example.contains('…'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::examples;

    #[test]
    fn what_is_quoted_after_such_as() {
        assert_eq!(
            examples("The platform, such as `linux/arm64` or `linux/arm/v7`."),
            ["linux/arm64", "linux/arm/v7"]
        );
        assert_eq!(examples("At most, such as `\"90s\"`; `never` counts not."), ["90s"]);
        assert!(examples("Nothing `here`.").is_empty());
    }
}
