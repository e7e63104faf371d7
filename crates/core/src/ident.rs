//! Names of steps, targets, nodes and variables.

/// Why a text is not a name, or `None` when it is one.
///
/// A name is `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`: it becomes part of file names, tags and instance ids.
pub fn name_problem(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() {
        Some("a name cannot be empty".into())
    } else if text.len() > 64 {
        Some("a name has at most 64 characters".into())
    } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        Some(format!("a name cannot hold `{}`", bad.escape_default()))
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("a name begins with a letter or a digit".into())
    } else {
        None
    }
}

/// What to do about a bad name.
pub const NAME_HELP: &str = "use letters, digits, `.`, `_` and `-`";

#[cfg(test)]
mod tests {
    use super::name_problem;

    #[test]
    fn names_are_safe_as_file_names() {
        for good in ["a", "edge-1", "A.b_c", "1"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in ["", "-x", ".x", "../x", "a/b", "a b", "a\n", "ä", "a@b", "$(x)", &"x".repeat(65)] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
    }
}
