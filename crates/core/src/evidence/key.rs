//! Ed25519 keys in the files that `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, Verifier as _};

use crate::image::Digest;

/// PKCS#8 (RFC 8410) of an Ed25519 key, up to its 32 bytes.
const PRIVATE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// SubjectPublicKeyInfo of one, likewise.
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A key that signs.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A key that tells whether another has signed.
#[derive(Debug, Clone)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

/// Why a file holds no key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("the key {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} holds no {wanted}{}", path.display(), found.as_ref().map(|found| format!(", but {found}")).unwrap_or_default())]
    Other {
        /// The file.
        path: PathBuf,
        /// Which sort of key.
        wanted: &'static str,
        /// What it holds, as its first line says.
        found: Option<String>,
    },
}

impl KeyError {
    /// How to get a key.
    pub fn help(&self) -> &'static str {
        "`openssl genpkey -algorithm ed25519 -out KEY` makes a key without a password, `openssl pkey -in KEY -pubout -out KEY.pub` \
         the public one"
    }
}

impl SigningKey {
    /// Reads a PEM file with a `PRIVATE KEY`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let key = read(path, "PRIVATE KEY", "private Ed25519 key", &PRIVATE)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&key)))
    }

    /// The key that tells its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// 64 bytes.
    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public().id()).finish()
    }
}

impl PublicKey {
    /// Reads a PEM file with a `PUBLIC KEY`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        const WANTED: &str = "public Ed25519 key";
        let key = read(path, "PUBLIC KEY", WANTED, &PUBLIC)?;
        let other = || KeyError::Other { path: path.to_owned(), wanted: WANTED, found: None };
        ed25519_dalek::VerifyingKey::from_bytes(&key).map(Self).map_err(|_| other())
    }

    /// The digest of its file's content in DER, by which others call it too.
    pub fn id(&self) -> String {
        Digest::of(&[&PUBLIC[..], self.0.as_bytes()].concat()).hex()
    }

    /// It is the key's signature of these bytes.
    pub(super) fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify(bytes, &signature).is_ok())
    }
}

/// The 32 bytes of the key in a PEM file.
fn read(path: &Path, label: &str, wanted: &'static str, head: &[u8]) -> Result<[u8; 32], KeyError> {
    let bytes = std::fs::read(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .filter(|found| *found != label)
        .map(|found| format!("`{}`", found.chars().take(60).collect::<String>().escape_debug()));
    let other = || KeyError::Other { path: path.to_owned(), wanted, found: found.clone() };
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
    let (body, _) = body.ok_or_else(other)?;
    let body: String = body.split_whitespace().collect();
    let der = STANDARD.decode(body).map_err(|_| other())?;
    let key = der.strip_prefix(head).and_then(|key| <[u8; 32]>::try_from(key).ok());
    key.ok_or_else(other)
}
