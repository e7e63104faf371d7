//! Names of steps, targets, nodes and variables.

/// Why a text is not a name, or `None` when it is one.
///
/// A name is `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, and none that Windows keeps for devices: it becomes part of file names, tags
/// and instance ids.
pub fn name_problem(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() {
        Some("a name cannot be empty".into())
    } else if text.len() > MAX_LENGTH {
        Some(format!("a name has at most {MAX_LENGTH} characters"))
    } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        Some(format!("a name cannot hold `{}`", bad.escape_default()))
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("a name begins with a letter or a digit".into())
    } else if is_device(text) {
        Some("Windows keeps it for a device, so no file there can be called so".into())
    } else {
        None
    }
}

/// `CON`, `nul.txt`, `COM1` and the like: with any extension, and in any case.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let port = ["COM", "LPT"].iter().find_map(|port| stem.strip_prefix(port));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || port.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
}

/// What to do about a bad name.
pub fn name_help(text: &str) -> &'static str {
    if is_device(text) {
        "put something before it, such as `my-`"
    } else if text.len() > MAX_LENGTH {
        "use a shorter one"
    } else {
        "use letters, digits, `.`, `_` and `-`"
    }
}

/// In characters.
const MAX_LENGTH: usize = 64;

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

    #[test]
    fn devices_of_windows_are_no_names() {
        for bad in ["con", "CON", "Nul.txt", "aux.tar.gz", "prn", "com1", "LPT9", "com1.x"] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
        for good in ["console", "com", "com0", "com10", "lpt", "x.con", "null", "con-1"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
    }
}
