//! `run` of `crictl-verify`: the image is run on the node, and how that must end.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::stdout::{Stdout, pattern};
use super::{Lower, Refused, build};
use crate::diag::Diagnostic;
use crate::plan::{CriExpect, CriPod, CriRun, HttpExpect, Node};
use crate::spec::Str;

/// Where the recipe says nothing. An emulated program may take long to start.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A pod of one container on the node, removed afterwards.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Run {
    /// The program in the image and its arguments, in place of the image's entrypoint; the image's own when absent.
    #[serde(default)]
    argv: Vec<Str>,
    /// Variables besides those of the image, by name.
    #[serde(default)]
    env: BTreeMap<String, Str>,
    /// The exit code it must have; 0 when absent.
    exit_code: Option<u8>,
    /// What it must print on stdout: the exact text less trailing newlines, or `{ regex = "…" }` for a match anywhere.
    stdout: Option<Stdout>,
    /// For an image that serves: a request it must answer. Then it need not end, and has neither exit code nor `stdout`.
    http: Option<Http>,
    /// The longest that it may take, such as `90s`; one minute when absent.
    timeout: Option<Str>,
    /// `host`, the node's own network, which needs no CNI there, or `pod`, one of its own.
    #[serde(default)]
    network: Network,
}

/// An HTTP request from the node, and what the answer must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Http {
    /// What is asked for; `/` when absent.
    path: Option<Str>,
    /// The TCP port that the image listens on.
    port: std::num::NonZeroU16,
    /// The status it must have; 200 when absent.
    status: Option<u16>,
    /// A regular expression that matches somewhere in the body.
    body: Option<Str>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Network {
    #[default]
    Host,
    Pod,
}

impl Run {
    pub(super) fn lower(
        &self,
        cx: &mut Lower<'_>,
        node: &Node,
        reference: String,
    ) -> Result<CriRun, Refused> {
        let mut argv = Vec::with_capacity(self.argv.len());
        for arg in &self.argv {
            argv.push(cx.text(arg)?);
        }
        if let Some(program) =
            self.argv.first().filter(|_| argv.first().is_some_and(|text| text.as_literal() == Some("")))
        {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`argv` names no program")
                    .at(&program.span, "this word")
                    .help(
                        "write `argv = [\"uname\", \"-m\"]`, or leave `argv` out for the image's own command",
                    ),
            ));
        }
        let env = build::args::texts(cx, &self.env, "a variable")?;
        let timeout =
            self.timeout.as_ref().map(|timeout| cx.duration(timeout)).transpose()?.unwrap_or(TIMEOUT);
        let expect = match &self.http {
            Some(http) => {
                self.only_http(cx)?;
                CriExpect::Http(http.lower(cx)?)
            }
            None => CriExpect::Exit {
                code: self.exit_code.unwrap_or(0).into(),
                stdout: self.stdout.as_ref().map(|stdout| stdout.lower(cx)).transpose()?,
            },
        };
        // CRI asks for no more of a name, but runtimes make files of it.
        let name = format!("pipeline-{}-{}", cx.recipe, cx.id.as_str().replace('@', "-"));
        Ok(CriRun {
            pod: CriPod { node: node.name.clone(), endpoint: node.cri.clone(), name, dir: node.dir.clone() },
            reference,
            argv,
            env,
            host_network: self.network == Network::Host,
            timeout,
            expect,
        })
    }

    /// What serves is stopped by us: how it ends says nothing.
    fn only_http(&self, cx: &mut Lower<'_>) -> Result<(), Refused> {
        let extra = match (&self.stdout, self.exit_code) {
            (Some(_), _) => "stdout",
            (None, Some(_)) => "exit-code",
            (None, None) => return Ok(()),
        };
        Err(cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`run` has both `http` and `{extra}`"))
                .at(&cx.span.clone(), "this step")
                .help("an image that serves does not end by itself; use another step with `run` for the other check"),
        ))
    }
}

impl Http {
    fn lower(&self, cx: &mut Lower<'_>) -> Result<HttpExpect, Refused> {
        let path = match &self.path {
            None => "/".to_owned(),
            Some(path) => {
                let word = cx.word(path)?;
                if !word.starts_with('/') || word.chars().any(|c| c.is_control() || c.is_whitespace()) {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-value", format!("bad path `{}`", word.escape_debug()))
                            .at(&path.span, "this path")
                            .help("it begins with `/` and holds no spaces, such as `/v2/`"),
                    ));
                }
                word
            }
        };
        let status = self.status.unwrap_or(200);
        if !(100..=599).contains(&status) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", format!("HTTP has no status {status}"))
                    .at(&cx.span.clone(), "this step")
                    .help("statuses are 100 to 599"),
            ));
        }
        let body = self.body.as_ref().map(|body| pattern(cx, body)).transpose()?;
        Ok(HttpExpect { path, port: self.port.get(), status, body })
    }
}
