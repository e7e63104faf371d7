//! An in-toto statement (v1) with SLSA provenance (v1), as <https://slsa.dev/spec/v1.1/provenance> has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `_type` of a statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// `predicateType` of SLSA provenance.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What is said of which files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// [`STATEMENT`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// The archive, and the image in it.
    pub subject: Vec<Subject>,
    /// [`PREDICATE`].
    pub predicate_type: String,
    /// How they were made.
    pub predicate: Predicate,
}

/// A file or an image, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// By algorithm, in hexadecimal digits.
    pub digest: BTreeMap<String, String>,
}

/// SLSA provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// What was to be built.
    pub build_definition: BuildDefinition,
    /// How that went.
    pub run_details: RunDetails,
}

/// See [`Predicate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// What the parameters mean.
    pub build_type: String,
    /// What the user chose.
    pub external_parameters: Value,
    /// What follows from that.
    pub internal_parameters: Value,
    /// What it was made of.
    #[serde(default)]
    pub resolved_dependencies: Vec<Resource>,
}

/// See [`Predicate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who built.
    pub builder: Builder,
    /// Which run.
    pub metadata: Metadata,
    /// What else came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<Resource>,
}

/// See [`RunDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// Its kind: how far it can be trusted.
    pub id: String,
    /// Versions by tool.
    #[serde(default)]
    pub version: BTreeMap<String, String>,
}

/// See [`RunDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The run's id.
    pub invocation_id: String,
    /// When the first step began that it took.
    pub started_on: String,
    /// When the archive was there.
    pub finished_on: String,
}

/// An in-toto resource descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// By algorithm, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Statement {
    /// It is provenance, and of the file with this digest.
    pub fn is_about(&self, sha256: &str) -> bool {
        let is = |subject: &Subject| subject.digest.get("sha256").is_some_and(|digest| digest == sha256);
        self.kind == STATEMENT && self.predicate_type == PREDICATE && self.subject.iter().any(is)
    }

    /// As a document, the same for the same statement.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
