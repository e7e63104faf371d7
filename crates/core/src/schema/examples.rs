//! Examples of values in the schema, from the descriptions: what stands in backticks after "such as" is one.

use serde_json::Value;

/// Gives every schema with such a description its examples.
pub(super) fn add(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let texts = map
                .get("type")
                .is_some_and(|kind| kind == "string" || kind.to_string().contains("\"string\""));
            let found = map.get("description").and_then(Value::as_str).map(examples).unwrap_or_default();
            if texts && !found.is_empty() && !map.contains_key("enum") {
                map.insert("examples".into(), found.into());
            }
            map.values_mut().for_each(add);
        }
        Value::Array(list) => list.iter_mut().for_each(add),
        _ => {}
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
