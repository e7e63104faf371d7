//! The forms in which a secret may be printed without being one to the eye.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// So many characters of base64 tell a secret: six bytes.
const PIECE: usize = 8;

/// All of them, less the secret itself. A form is what any text around it leaves unchanged, or a piece of that.
pub(super) fn encodings(secret: &[u8]) -> Vec<String> {
    forms(secret, pieces)
}

/// The same without pieces: what nobody writes who does not know the secret.
pub(super) fn whole_encodings(secret: &[u8]) -> Vec<String> {
    forms(secret, |form| vec![form.to_owned()])
}

fn forms(secret: &[u8], pieces: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        forms.extend(pieces(&base64(&STANDARD_NO_PAD, secret, offset)));
        forms.extend(pieces(&base64(&URL_SAFE_NO_PAD, secret, offset)));
    }
    let hex = |digits: &[u8; 16]| -> String {
        let digit = |value: u8| char::from(digits[usize::from(value)]);
        secret.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
    };
    forms.extend([hex(LOWER), hex(UPPER)]);
    // Which characters stay as they are in a URL is decided differently by RFC 3986, JavaScript and forms.
    for digits in [LOWER, UPPER] {
        forms.extend(["-_.~", "-_.~!'()*", "-_.*"].map(|kept| percent(secret, kept, digits, "")));
        forms.push(percent(secret, "-_.*", digits, "+"));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned());
        // As shells quote it, in traces and in messages.
        forms.push(text.replace('\'', r"'\''"));
        forms.push(text.replace('\'', r#"'"'"'"#));
    }
    forms.retain(|form| form.as_bytes() != secret);
    forms.sort_unstable();
    forms.dedup();
    forms
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// The characters that the secret decides alone when `offset` bytes come before it in its group of three.
fn base64(engine: &impl Engine, secret: &[u8], offset: usize) -> String {
    let padded = [&[0; 3][..offset], secret].concat();
    let mut text = engine.encode(&padded);
    text.truncate(padded.len() * 8 / 6);
    text.split_off((offset * 8).div_ceil(6).min(text.len()))
}

/// Tools break base64 into lines, anywhere in a secret. Of pieces that overlap by half at most three characters on each side
/// of a break are in none.
fn pieces(form: &str) -> Vec<String> {
    let Some(last) = form.len().checked_sub(PIECE) else { return vec![form.to_owned()] };
    let starts = (0..last).step_by(PIECE / 2).chain([last]);
    starts.map(|start| form[start..start + PIECE].to_owned()).collect()
}

fn percent(secret: &[u8], kept: &str, digits: &[u8; 16], space: &str) -> String {
    let mut text = String::new();
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else if byte == b' ' && !space.is_empty() {
            text.push_str(space);
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 0xf].map(|value| char::from(digits[usize::from(value)])));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Redactor;

    /// What is left to read of base64 in these lines.
    fn left(secret: &[u8], printed: &str, width: usize) -> usize {
        let redactor = Redactor::new([secret]);
        let lines = printed.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap());
        lines.map(|line| redactor.redact(line).replace("***", "").len()).sum()
    }

    #[test]
    fn base64_is_found_at_every_offset() {
        let secret = b"s3cret/+?>";
        for before in ["", "u", "us", "user:", "user::"] {
            for after in ["", "x", "yz", "\n"] {
                let text = [before.as_bytes(), secret, after.as_bytes()].concat();
                for printed in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    // A character that the secret shares with what is beside it does not count.
                    let beside = (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6) + 1;
                    assert!(left(secret, &printed, 1000) <= beside, "{printed}");
                }
            }
        }
    }

    #[test]
    fn base64_is_found_wherever_it_is_broken_into_lines() {
        let secret: Vec<u8> = (0..150_u8).map(|at| b'!' + at.wrapping_mul(7) % 90).collect();
        for before in 0..80 {
            let printed = STANDARD_NO_PAD.encode([vec![b'.'; before], secret.clone()].concat());
            for width in [64, 76] {
                let breaks = printed.len() / width;
                let beside = (before * 8).div_ceil(6) + 1;
                let left = left(&secret, &printed, width);
                assert!(left <= beside + 6 * breaks, "{before} {width}: {left}");
            }
        }
    }

    #[test]
    fn other_forms() {
        let forms = encodings(b"a b'c\"d/e");
        for form in [
            "a%20b%27c%22d%2Fe",
            "a%20b'c%22d%2Fe",
            "a+b%27c%22d%2fe",
            "612062276322642f65",
            "612062276322642F65",
            r#"a b'\''c"d/e"#,
            r#"a b'"'"'c"d/e"#,
            r#"a b'c\"d/e"#,
        ] {
            assert!(forms.iter().any(|known| known == form), "{form}: {forms:?}");
        }
        assert!(!encodings(b"plain").contains(&"plain".to_owned()));
    }
}
