//! Keys and signatures, against openssl where it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::evidence::{Envelope, KeyError, PAYLOAD_TYPE, PublicKey, SigningKey, Untrusted};

/// The first test vector of RFC 8032, as openssl writes it.
pub(super) const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

pub(super) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_two_halves_of_a_key_belong_together() {
    let lab = tempfile::tempdir().unwrap();
    let private = SigningKey::read(&file(lab.path(), "key", PRIVATE)).unwrap();
    let public = PublicKey::read(&file(lab.path(), "key.pub", PUBLIC)).unwrap();
    assert_eq!(private.public().id(), public.id());
    assert!(!format!("{private:?}").contains("9d61b19d"), "it does not tell itself");
    let envelope = Envelope::sign(PAYLOAD_TYPE, b"{}", &private);
    let open = |json: &str, kind: &str| Envelope::open(json.as_bytes(), kind, &public);
    assert_eq!(open(&envelope.to_json(), PAYLOAD_TYPE).unwrap(), b"{}");
    assert!(matches!(open(&envelope.to_json(), "text/plain"), Err(Untrusted::Type(_))));
    assert!(matches!(open("{}", PAYLOAD_TYPE), Err(Untrusted::Malformed(_))));
    let altered = Envelope { payload: STANDARD.encode("{ }"), ..envelope.clone() };
    assert_eq!(open(&altered.to_json(), PAYLOAD_TYPE), Err(Untrusted::Signature));
    let unsigned = Envelope { signatures: Vec::new(), ..envelope };
    assert_eq!(open(&unsigned.to_json(), PAYLOAD_TYPE), Err(Untrusted::Signature));
}

#[test]
fn what_is_no_key_is_told_with_what_it_is() {
    let lab = tempfile::tempdir().unwrap();
    for (text, found) in [
        ("", ""),
        (PUBLIC, "but `PUBLIC KEY`"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nxx\n-----END ENCRYPTED PRIVATE KEY-----\n", "ENCRYPTED"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n", "OPENSSH"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", ""),
        ("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", ""),
        (&PRIVATE.replace("MC4CAQAw", "MC4CAQEw"), ""),
    ] {
        let error = SigningKey::read(&file(lab.path(), "key", text)).unwrap_err();
        assert!(matches!(error, KeyError::Other { .. }) && error.to_string().contains(found), "{error}");
    }
    assert!(matches!(SigningKey::read(&lab.path().join("absent")), Err(KeyError::Read { .. })));
    assert!(PublicKey::read(&file(lab.path(), "key", PRIVATE)).is_err());
}

/// What openssl says to these arguments; none where it is not installed.
fn openssl(args: &[&str]) -> Option<bool> {
    match Command::new("openssl").args(args).output() {
        Err(_) => {
            eprintln!("skipped: no openssl here");
            None
        }
        Ok(output) => Some(output.status.success()),
    }
}

#[test]
fn openssl_makes_our_keys_and_takes_our_signatures() {
    let lab = tempfile::tempdir().unwrap();
    let path = |name: &str| lab.path().join(name).to_string_lossy().into_owned();
    let (key, public) = (path("key"), path("key.pub"));
    if openssl(&["genpkey", "-algorithm", "ed25519", "-out", &key]).is_none() {
        return;
    }
    assert_eq!(openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]), Some(true));
    let private = SigningKey::read(Path::new(&key)).unwrap();
    assert_eq!(private.public().id(), PublicKey::read(Path::new(&public)).unwrap().id());
    let envelope = Envelope::sign(PAYLOAD_TYPE, b"{\"a\": 1}", &private);
    // The pre-authentication encoding, by hand.
    file(lab.path(), "signed", "DSSEv1 28 application/vnd.in-toto+json 8 {\"a\": 1}");
    std::fs::write(path("sig"), STANDARD.decode(&envelope.signatures[0].sig).unwrap()).unwrap();
    let verify = |signed: &str| {
        let (signed, sig) = (path(signed), path("sig"));
        openssl(&[
            "pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-in", &signed, "-sigfile", &sig,
        ])
    };
    assert_eq!(verify("signed"), Some(true));
    file(lab.path(), "other", "DSSEv1 28 application/vnd.in-toto+json 8 {\"a\": 2}");
    assert_eq!(verify("other"), Some(false));
}
