//! Signed envelopes: DSSE v1, as <https://github.com/secure-systems-lab/dsse> has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::key::{PublicKey, SigningKey};

/// Of an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A document and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The document, in base64.
    pub payload: String,
    /// At least one.
    pub signatures: Vec<Signature>,
}

/// See [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key, for those who have several. It proves nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keyid: String,
    /// In base64.
    pub sig: String,
}

/// Why an envelope proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is no envelope.
    #[error("it is no signed envelope: {0}")]
    Malformed(String),
    /// Of something else.
    #[error("it is an envelope of `{}`", .0.escape_debug())]
    Type(String),
    /// Somebody else signed it, or somebody altered it.
    #[error("it is not signed by this key, or was altered")]
    Signature,
}

impl Envelope {
    /// Signs a document.
    pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        let signature = key.sign(&authenticated(payload_type, payload));
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signature { keyid: key.public().id(), sig: STANDARD.encode(signature) }],
        }
    }

    /// A document with signatures that lie elsewhere.
    pub(super) fn of(payload_type: &str, payload: &[u8], signatures: &[Signature]) -> Self {
        let payload = STANDARD.encode(payload);
        Self { payload_type: payload_type.to_owned(), payload, signatures: signatures.to_vec() }
    }

    /// Reads an envelope, and gives its document if the key has signed it.
    pub fn open(json: &[u8], payload_type: &str, key: &PublicKey) -> Result<Vec<u8>, Untrusted> {
        let malformed = |error: &dyn std::fmt::Display| Untrusted::Malformed(error.to_string());
        let envelope: Self = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        if envelope.payload_type != payload_type {
            return Err(Untrusted::Type(envelope.payload_type));
        }
        let payload = STANDARD.decode(&envelope.payload).map_err(|error| malformed(&error))?;
        let signed = authenticated(payload_type, &payload);
        let is_signed = envelope.signatures.iter().any(|signature| {
            STANDARD.decode(&signature.sig).is_ok_and(|signature| key.has_signed(&signed, &signature))
        });
        if is_signed { Ok(payload) } else { Err(Untrusted::Signature) }
    }

    /// One line, as tools read it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// What is signed: the type as well, and each with its length.
fn authenticated(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}
