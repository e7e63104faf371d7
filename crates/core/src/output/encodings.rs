//! The forms in which a secret may be printed without being one to the eye.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// All of them, less the secret itself. A form is what any text around it leaves unchanged.
pub(super) fn encodings(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        forms.extend([base64(&STANDARD_NO_PAD, secret, offset), base64(&URL_SAFE_NO_PAD, secret, offset)]);
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

    #[test]
    fn base64_is_found_at_every_offset() {
        let secret = b"s3cret/+?>";
        let forms = encodings(secret);
        for before in ["", "u", "us", "user:", "user::"] {
            for after in ["", "x", "yz", "\n"] {
                let text = [before.as_bytes(), secret, after.as_bytes()].concat();
                for printed in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let found =
                        forms.iter().filter(|form| printed.contains(form.as_str())).map(String::len).max();
                    assert!(
                        found.is_some_and(|length| length >= secret.len() * 8 / 6 - 2),
                        "{printed} {forms:?}"
                    );
                }
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
