//! `scp`: the archive on a node.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Claim, Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, Command, CopyFile, Grammar, Probe, Text, own_folder};
use crate::spec::{Scope, Str};

pub(super) struct Scp;

impl StepKind for Scp {
    const NAME: &'static str = "scp";
    const SUMMARY: &'static str = "Copy the archive to each node";
    const FLOW: &'static str = "Archive → NodeFile (path, sha256, format, id, reference)";
    const TOOLS: &'static [&'static str] = &["scp", "ssh"];
    type Spec = Spec;
}

/// Copies under a temporary name, compares the sha256 digest on the node, syncs and renames: the file appears whole or not
/// at all. Where the connection breaks or the run is killed, the part stays, and the next attempt or run sends the rest by
/// `sftp` (`reput`). A part of something else, or one that has lain for a day, is removed; nothing stays where the node's
/// disk is full.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The step that wrote the archive; found by itself where there is one.
    archive: Option<Str>,
    /// The absolute path on the node; the archive's own name in the node's `dir` when absent.
    dest: Option<Str>,
}

/// The exit code of [`LAND`] when the digests differ.
const DIFFERS: i32 = 6;

/// Compares the digest of a file with `$1`, makes it durable and gives it its final name.
const LAND: &str = "set -e; s=$(sha256sum <\"$2\"); s=sha256:${s%% *}; [ \"$s\" = \"$1\" ] || \
     { echo \"the copy differs: $s, expected $1\" >&2; exit 6; }; sync -f -- \"$2\"; mv -T -- \"$2\" \"$3\"; \
     rmdir -- \"${2%/*}\" 2>/dev/null || :";

/// Removes parts of any step that have lain for a day, and follows no link to them. Keeps the part `$3` in the folder `$2`, if
/// that is ours, and prints its size.
const KEEP: &str = "find \"$1\"/.partial-* -mindepth 1 -maxdepth 1 -name 'sha256:*' -type f -mmin +1440 \
     -exec sh -c 'rm -f -- \"$1\"; rmdir -- \"${1%/*}\"' sh {} ';' >/dev/null 2>&1 || :; \
     if [ ! -L \"$2\" ] && [ -f \"$2/$3\" ] && [ \"$(stat -c %u -- \"$2\")\" = \"${SUDO_UID:-$(id -u)}\" ]; then \
     stat -c %s -- \"$2/$3\"; exit 0; fi; ";

/// The file `$2` is there and has the digest `$1`.
const THERE: &str =
    "test -f \"$2\" && s=$(sha256sum <\"$2\") && [ \"sha256:${s%% *}\" = \"$1\" ]";

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input { key: "archive", named: self.archive.as_ref(), accepts: &[Artifact::Archive], required: true }]
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::NodeFile]
    }

    fn role(&self) -> Role {
        Role::Delivery
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let node = cx.node()?;
        let archive = cx.need("archive", "path")?;
        let sha256 = cx.need("archive", "sha256")?;
        let format = cx.need("archive", "format")?;
        if format.as_literal() == Some("oci") {
            return Err(cx.refuse(
                Diagnostic::error("plan::type-mismatch", "the archive is a folder, and `scp` copies a file")
                    .at(&cx.span.clone(), "this step")
                    .help("save it with `format = \"oci-archive\"`"),
            ));
        }
        let dest = match &self.dest {
            Some(dest) => {
                let path = cx.word(dest)?;
                let folder = path.ends_with('/').then_some("it names a folder and no file");
                if let Some(problem) = remote_path_problem(&path).or(folder) {
                    return Err(cx.refuse(
                        Diagnostic::error("spec::bad-path", format!("bad path `{}`: {problem}", path.escape_debug()))
                            .at(&dest.span, "this path")
                            .help("write an absolute path on the node"),
                    ));
                }
                let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
                format!("/{}", parts.join("/"))
            }
            None => {
                let shown = archive.to_string();
                let name = shown.rsplit('/').next().unwrap_or_default();
                // Archives without a path of their own all have one name.
                let name = if shown.starts_with(".pipeline/") {
                    let target = cx.view.target.map_or("image", |target| target.name);
                    format!("{}-{target}-{name}", cx.recipe)
                } else {
                    name.to_owned()
                };
                format!("{}/{name}", node.dir)
            }
        };
        let folder = dest.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = if folder.is_empty() { "/" } else { folder };
        let entered = format!("{}/.partial-{}-{}", folder.trim_end_matches('/'), cx.recipe, cx.id);
        let part = Text::from(format!("{entered}/")).then(&sha256);
        let there = |script: &str| {
            Command::new(["sh", "-c", script, "sh", folder, &entered]).on_node(&node.name)
        };
        let land = Command::new(["sh", "-c", LAND, "sh"])
            .args([sha256.clone(), part.clone(), dest.as_str().into()])
            .on_node(&node.name);
        let land = Command { mismatch: Some(DIFFERS), ..land };
        let discard = Command::new(["rm", "-rf", "--", &entered]).on_node(&node.name);
        let mut lowered = Lowered::default();
        match &node.ssh {
            Some(ssh) => {
                // A name with a `:` in it would be taken for a host.
                let from = Text::from("./").then(&archive);
                let enter = there(&format!("{}; echo 0", own_folder(KEEP))).arg(sha256.clone());
                lowered.push(Action::CopyFile(Box::new(CopyFile {
                    enter: enter.capture("there", Grammar::Number),
                    whole: Command::new(ssh.scp(&from, &part, node.bandwidth)),
                    rest: Command::new(ssh.sftp(node.bandwidth)),
                    from,
                    part,
                    land,
                    discard,
                })));
            }
            None => {
                lowered.push(there(&own_folder("")));
                lowered.push(Command::new(["cp", "--"]).args([archive, part]));
                lowered.push(land);
                lowered.cleanup.push(discard.into());
            }
        }
        lowered.known("path", dest.as_str());
        lowered.known("sha256", sha256.clone());
        lowered.known("format", format);
        for output in ["id", "reference"] {
            lowered.known(output, cx.need("archive", output)?);
        }
        if let Some(tags) = cx.input("archive", "tags") {
            lowered.known("tags", tags.clone());
        }
        lowered.claims.push(Claim::NodeFile { node: node.name.clone(), path: dest.clone() });
        let there = Command::new(["sh", "-c", THERE, "sh"]).arg(sha256).arg(dest).on_node(&node.name);
        lowered.probe = Some(Probe::Actions(vec![there.into()]));
        lowered.basis.intermediate = true;
        Ok(lowered)
    }
}

/// Why a path on a node is refused.
pub(crate) fn remote_path_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("it is not absolute")
    } else if path.split('/').any(|part| part == "..") {
        Some("it holds `..`")
    } else if path.chars().any(char::is_control) {
        Some("it holds a control character")
    } else if path.contains(':') {
        Some("it holds `:`, after which skopeo would read a tag")
    } else {
        None
    }
}
