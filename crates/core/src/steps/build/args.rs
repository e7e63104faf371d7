//! `args`, `labels`, `annotations`: names and values.

use std::collections::BTreeMap;

use crate::diag::Diagnostic;
use crate::plan::{Part, Text};
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// The texts by name, where the names can stand before a `=`.
pub(in crate::steps) fn texts(cx: &mut Lower<'_>, map: &BTreeMap<String, Str>, what: &str) -> Result<BTreeMap<String, Text>, Refused> {
    let mut texts = BTreeMap::new();
    for (name, value) in map {
        if name.is_empty()
            || name.starts_with('-')
            || name.contains('=')
            || name.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-name", format!("bad name of {what}: `{}`", name.escape_debug()))
                    .at(&value.span, "its value")
                    .help("names hold no `=`, spaces or control characters, and do not begin with `-`"),
            ));
        }
        texts.insert(name.clone(), cx.text(value)?);
    }
    Ok(texts)
}

/// Words by which BuildKit too takes an `ARG` for a secret (its rule `SecretsUsedInArgOrEnv`).
const TELLING: [&str; 11] = [
    "apikey", "auth", "credential", "credentials", "key", "password", "passwd", "pword", "secret", "token", "secrets",
];

/// The name is one of a secret: a word of it says so, and none says that everybody may know it.
fn is_telling(name: &str) -> bool {
    let words = || name.split(['_', '-', '.']).map(str::to_ascii_lowercase);
    words().any(|word| TELLING.contains(&word.as_str())) && !words().any(|word| word == "public" || word == "pub")
}

/// Refuses values that would stand in the image's history for everybody to read.
pub(super) fn no_secrets(cx: &mut Lower<'_>, args: &BTreeMap<String, Str>, allowed: &[Str]) -> Result<(), Refused> {
    for name in allowed {
        if !args.contains_key(&name.value) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", format!("`args` has no `{}`", name.value.escape_debug()))
                    .at(&name.span, "this name")
                    .help("list only names of `args` that look like secrets and are none"),
            ));
        }
    }
    let mut refused = Ok(());
    for (name, value) in args {
        if is_telling(name) && !allowed.iter().any(|allowed| allowed.value == *name) {
            refused = Err(cx.refuse(
                Diagnostic::error(
                    "spec::secret-value",
                    format!("the build argument `{name}` looks like a secret, and the image's history shows it to everybody"),
                )
                .at(&value.span, "its value")
                .help(format!(
                    "hand it over with `secrets = {{ {id} = {{ env = \"{name}\" }} }}` and `RUN --mount=type=secret,id={id}`; \
                     if it is none, `allow-secret-args = [\"{name}\"]`",
                    id = name.to_ascii_lowercase()
                )),
            ));
        }
    }
    refused
}

/// The map as a JSON object, late values and all: those that have a shape need no escapes in it.
pub(super) fn json(map: &BTreeMap<String, Text>) -> Text {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut json = Text::from("{");
    for (index, (name, value)) in map.iter().enumerate() {
        json = json.lit(if index > 0 { "," } else { "" }).lit(&quoted(name)).lit(":\"");
        for part in value.parts() {
            json = match part {
                Part::Literal(text) => {
                    let quoted = quoted(text);
                    json.lit(&quoted[1..quoted.len() - 1])
                }
                Part::Late(late) => json.then(&Text::from_late((**late).clone())),
                Part::Here => json.then(&Text::here("")),
            };
        }
        json = json.lit("\"");
    }
    json.lit("}")
}

#[cfg(test)]
mod tests {
    use super::{is_telling, json};
    use crate::plan::{Grammar, Text};

    #[test]
    fn names_that_tell_of_a_secret() {
        for name in ["NPM_TOKEN", "token", "db-password", "API_KEY", "APIKEY", "Key", "CLIENT_SECRET_2"] {
            assert!(is_telling(name), "{name}");
        }
        for name in ["KEYBOARD", "TOKENIZER", "MONKEY", "PUBLIC_KEY", "SSH_PUB_KEY", "VERSION", "AUTHOR"] {
            assert!(!is_telling(name), "{name}");
        }
    }

    #[test]
    fn a_map_is_json_around_late_values() {
        let late = Text::late("source", "commit", Grammar::Hex);
        let map = [("a\"b".to_owned(), Text::from("x\n").then(&late)), ("c".to_owned(), Text::new())].into();
        let commit = "a".repeat(40);
        let text = json(&map).resolve("/".as_ref(), &|_| Some(&commit)).unwrap();
        let read: std::collections::BTreeMap<String, String> = serde_json::from_str(text.to_str().unwrap()).unwrap();
        assert_eq!(read, [("a\"b".to_owned(), format!("x\n{commit}")), ("c".into(), String::new())].into());
    }
}
