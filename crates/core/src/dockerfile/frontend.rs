//! Which program a Dockerfile wants to be interpreted by.

use super::text::Text;

/// A Dockerfile's own interpreter: an image that BuildKit fetches and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontend {
    /// The image, as written.
    pub image: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// Every image that BuildKit could take from the text: `# syntax=` and, since 1.5, `// syntax=` and `{"syntax": …}`, behind a
/// `#!` line too. It takes the first; more than that are not left to it.
pub fn frontends(text: &[u8]) -> Vec<Frontend> {
    let Ok(text) = Text::of(text) else { return Vec::new() };
    let text = text.text;
    let shebang = usize::from(text.starts_with("#!"));
    let mut found = Vec::new();
    for comment in ["#", "//"] {
        for (index, line) in text.lines().enumerate().skip(shebang) {
            let Some((key, value)) = directive(line, comment) else { break };
            if key.eq_ignore_ascii_case("syntax") {
                found.extend(image(value).map(|image| Frontend { image, line: index + 1 }));
            }
        }
    }
    let json = if shebang == 1 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    if json.trim_start().starts_with('{')
        && let Ok(serde_json::Value::Object(map)) = serde_json::from_str(json)
    {
        let syntax = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case("syntax"));
        let images = syntax.filter_map(|(_, value)| image(value.as_str()?));
        found.extend(images.map(|image| Frontend { image, line: 1 + shebang }));
    }
    found
}

/// Arguments for the program may follow.
fn image(value: &str) -> Option<String> {
    value.split_whitespace().next().map(str::to_owned)
}

/// `# key = value`: the first other line ends them.
fn directive<'l>(line: &'l str, comment: &str) -> Option<(&'l str, &'l str)> {
    let (key, value) = line.strip_prefix(comment)?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let named =
        key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
    (named && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::frontends;

    #[track_caller]
    fn names(text: &str, expected: &[(usize, &str)]) {
        let found = frontends(text.as_bytes());
        let found: Vec<_> = found.iter().map(|one| (one.line, one.image.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn as_buildkit_finds_them() {
        names("# syntax=docker/dockerfile:1\nFROM a\n", &[(1, "docker/dockerfile:1")]);
        names("\u{feff}#  SYNTAX =  evil/x  --flag \r\nFROM a\n", &[(1, "evil/x")]);
        names("# escape=`\n#syntax=evil/x\nFROM a\n", &[(2, "evil/x")]);
        names("#!/usr/bin/env x\n# syntax=evil/x\n", &[(2, "evil/x")]);
        names("// syntax=evil/x\n", &[(1, "evil/x")]);
        names("{\"syntax\": \"evil/x\", \"y\": 1}", &[(1, "evil/x")]);
        names("#!x\n{\"syntax\": \"evil/x\"}", &[(2, "evil/x")]);
    }

    #[test]
    fn what_comes_later_is_a_comment() {
        for text in [
            "# a comment\n# syntax=evil/x\nFROM a\n",
            "\n# syntax=evil/x\n",
            "FROM a\n# syntax=evil/x\n",
            " # syntax=evil/x\n",
            "# syntax\nFROM a",
            "# syntax=\n# syntax=evil/x\n",
            "",
            "{\"syntax\": 1}",
        ] {
            names(text, &[]);
        }
    }
}
