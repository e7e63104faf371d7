//! stub
#![allow(missing_docs)]
use crate::{
    binfmt::Binfmt,
    diag::Diagnostic,
    plan::{Engine, Plan},
    platform::Platform,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
#[derive(serde::Serialize)]
pub struct Finding {
    pub area: String,
    pub name: String,
    pub level: Level,
    pub detail: String,
    pub remedy: Option<String>,
}
#[derive(serde::Serialize, PartialEq, Eq)]
pub enum Level {
    Ok,
    Warning,
    Missing,
}
pub struct Subject<'a> {
    pub env: &'a BTreeMap<OsString, OsString>,
    pub here: &'a Path,
    pub platform: &'a Platform,
    pub binfmt: &'a Binfmt,
    pub plan: Option<&'a Plan>,
}
pub fn choose_engine(_: &BTreeMap<OsString, OsString>, _: &Path) -> Result<(Engine, String), Diagnostic> {
    Ok((Engine::Buildah, "stub".into()))
}
pub fn examine(_: &Subject<'_>) -> Vec<Finding> {
    vec![]
}
pub fn preflight(_: &Subject<'_>) -> Vec<Finding> {
    vec![]
}
