mod corpus;
mod properties;
mod refusals;

use std::collections::BTreeMap;

use super::{DockerfileError, Rewritten, Rules, rewrite};

fn from(new: &str) -> Rules {
    Rules::From(new.into())
}

fn stage(stage: &str, new: &str) -> Rules {
    Rules::Stage { stage: stage.into(), from: new.into() }
}

fn replace(pairs: &[(&str, &str)]) -> Rules {
    Rules::Replace(pairs.iter().map(|(key, new)| ((*key).into(), (*new).into())).collect::<BTreeMap<_, _>>())
}

/// The rewritten text; the changes must agree with it.
#[track_caller]
fn rewritten(text: &str, rules: &Rules) -> String {
    let Rewritten { bytes, changes, .. } = rewrite(text.as_bytes(), rules).unwrap();
    assert_eq!(changes.is_empty(), bytes == text.as_bytes());
    String::from_utf8(bytes).unwrap()
}

fn error(text: &str, rules: &Rules) -> DockerfileError {
    let error = rewrite(text.as_bytes(), rules).unwrap_err();
    assert!(miette::Diagnostic::help(&error).is_some());
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    error
}
