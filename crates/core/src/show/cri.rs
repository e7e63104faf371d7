//! What is asked of a node's CRI runtime, in words.

use super::shown_line;
use crate::plan::{CriExpect, CriRun, CriVerify, Expect};

pub(super) fn verify(verify: &CriVerify) -> String {
    let endpoint = verify.endpoint.as_deref().map_or_else(String::new, |endpoint| {
        format!(" --runtime-endpoint {endpoint} --image-endpoint {endpoint}")
    });
    let machine = if verify.node_platform.is_none() { "uname -m; " } else { "" };
    let pinned = match &verify.report {
        Some(report) if report.pinned => ", that it is pinned",
        _ => "",
    };
    let list = if verify.report.is_some() { ", and that the runtime lists its images" } else { "" };
    format!(
        "on {}: {machine}crictl --timeout 30s{endpoint} inspecti --output json {} (through the CRI socket where there is \
         no crictl); check name, {} and {}{pinned}{list}",
        verify.node, verify.reference, verify.id, verify.platform
    )
}

pub(super) fn run(run: &CriRun) -> String {
    let what = if run.argv.is_empty() { "its own command".to_owned() } else { shown_line(&run.argv) };
    let network = if run.host_network { "the node's network" } else { "a network of its own" };
    let expect = match &run.expect {
        CriExpect::Exit { code, stdout } => {
            let stdout = match stdout {
                None => String::new(),
                Some(Expect::Text(text) | Expect::ManifestConfig(text)) => {
                    format!(" and that it prints {text}")
                }
                Some(Expect::Regex(regex)) => format!(" and that what it prints matches {regex}"),
            };
            format!("exit code {code}{stdout}")
        }
        CriExpect::Http(http) => {
            let body = http
                .body
                .as_ref()
                .map_or_else(String::new, |body| format!(" with a body that matches {body}"));
            format!("GET {} at port {}: status {}{body}", http.path, http.port, http.status)
        }
    };
    format!(
        "on {}: run {} in a pod with {network}: {what}; check {expect}, within {:?}",
        run.pod.node, run.reference, run.timeout
    )
}
