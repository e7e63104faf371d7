//! A command line as people read it.

use std::borrow::Cow;

/// The words of a command, quoted for a shell. Of a word of many lines, which is a script, only the ends are shown, and of
/// one that says what it does only that.
pub fn command_line<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|arg| quoted(&folded(arg.as_ref()))).collect::<Vec<_>>().join(" ")
}

/// Quotes only where a shell would do something with the word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn folded(word: &str) -> Cow<'_, str> {
    const ENDS: usize = 2;
    let lines: Vec<&str> = word.lines().collect();
    match (lines.first(), lines.last()) {
        (Some(first), _) if lines.len() > 2 * ENDS && first.starts_with("# ") => {
            Cow::Owned((*first).to_owned())
        }
        (Some(first), Some(last)) if lines.len() > 2 * ENDS => {
            Cow::Owned(format!("{first} [{} lines] {last}", lines.len() - ENDS))
        }
        _ => Cow::Borrowed(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_folded_and_everything_else_is_there() {
        assert_eq!(command_line(&["echo", "a b", "x\ny"]), "echo 'a b' 'x\ny'");
        assert_eq!(command_line(&["sh", "-c", "# count\n2\n3\n4\n5\n6", "z"]), "sh -c '# count' z");
        assert_eq!(command_line(&["sh", "-c", "1\n2\n3\n4\n5\n6", "z"]), "sh -c '1 [4 lines] 6' z");
    }
}
