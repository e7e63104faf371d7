//! `git-checkout`: a commit of a repository, as a folder.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::git::{PROTOCOLS, ref_problem, url_problem};
use crate::lock::Key;
use crate::plan::{Action, Artifact, Checkout, Command, Grammar, Probe, Signature, Signed};
use crate::spec::{Scope, Str};

pub(super) struct GitCheckout;

impl StepKind for GitCheckout {
    const NAME: &'static str = "git-checkout";
    const SUMMARY: &'static str = "Check out a commit of a git repository";
    const FLOW: &'static str = "→ Source (dir, commit, tree, epoch)";
    const TOOLS: &'static [&'static str] = &["git"];
    type Spec = Spec;
}

/// What a branch or a tag stands for is asked once and written into `pipeline.lock`; from then on that commit is taken,
/// until `pipeline lock --update`. Fetches into a mirror that all recipes share, so that nothing is transferred twice, and
/// puts the commit into a folder that appears whole or not at all. The user's and the system's git configuration, hooks and
/// filters have no part in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// `https://…`, `ssh://…` or `user@host:path`; a path or `file://…` where `allow-protocols` names `file`.
    url: Str,
    /// The branch. Give at most one of `branch`, `tag` and `commit`; without any it is the remote's default branch.
    branch: Option<Str>,
    /// The tag.
    tag: Option<Str>,
    /// The commit's full id.
    commit: Option<Str>,
    /// Protocols besides `https` and `ssh`: `file`, `http`, `git`. Submodules too come by these alone.
    #[serde(default)]
    allow_protocols: Vec<Str>,
    /// So many commits of the history are fetched, and not all of it: a shallow clone.
    depth: Option<NonZeroU32>,
    /// Objects that are fetched only where they are needed, a partial clone: `blob:none`, `blob:limit=1m` or `tree:0`.
    filter: Option<Str>,
    /// Check out submodules too, and theirs.
    #[serde(default)]
    submodules: bool,
    /// Fetch the files that git LFS keeps apart; without it they stay pointers. Needs `git-lfs`.
    #[serde(default)]
    lfs: bool,
    /// The commit must be signed: `ssh` or `gpg`. `keyring` says by whom.
    verify: Option<Str>,
    /// The keys that count, relative to the recipe: for `ssh` a file of allowed signers (ssh-keygen(1)), for `gpg` exported public
    /// keys.
    keyring: Option<Str>,
    /// Keep the `.git` folder in the checkout.
    #[serde(default)]
    keep_git_dir: bool,
}

impl Spec {
    fn protocols(&self, cx: &mut Lower<'_>) -> Result<Vec<String>, Refused> {
        let mut protocols = vec!["https".to_owned(), "ssh".to_owned()];
        for protocol in &self.allow_protocols {
            let word = cx.word(protocol)?;
            if !PROTOCOLS.contains(&word.as_str()) {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", format!("`{}` cannot be allowed", word.escape_debug()))
                        .at(&protocol.span, "this protocol")
                        .help("`file`, `http` and `git` can; `https` and `ssh` always are"),
                ));
            }
            protocols.push(word);
        }
        Ok(protocols)
    }

    fn url(&self, cx: &mut Lower<'_>, protocols: &[String]) -> Result<String, Refused> {
        let url = cx.word(&self.url)?;
        match url_problem(&url, protocols) {
            None => Ok(url),
            Some(bad) => Err(cx.refuse(
                Diagnostic::error("spec::bad-url", format!("bad url: {}", bad.problem))
                    .at(&self.url.span, "this url")
                    .help(bad.help),
            )),
        }
    }

    /// The ref to fetch, as the remote names it.
    fn wanted(&self, cx: &mut Lower<'_>) -> Result<String, Refused> {
        let given: Vec<&Str> = [&self.branch, &self.tag, &self.commit].into_iter().flatten().collect();
        if let [first, second, ..] = given.as_slice() {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", "`branch`, `tag` and `commit` exclude each other")
                    .at(&second.span, "this one")
                    .at(&first.span, "or this one")
                    .help("keep one of them"),
            ));
        }
        if let Some(commit) = &self.commit {
            let word = cx.word(commit)?;
            if !Grammar::Hex.accepts(&word) {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", "`commit` must be a full commit id")
                        .at(&commit.span, "not 40 or 64 hexadecimal digits")
                        .help("a short id can mean another commit tomorrow; `git rev-parse` prints the full one"),
                ));
            }
            return Ok(word);
        }
        let (prefix, name) = match (&self.branch, &self.tag) {
            (Some(branch), _) => ("refs/heads/", branch),
            (None, Some(tag)) => ("refs/tags/", tag),
            (None, None) => return Ok("HEAD".into()),
        };
        let word = cx.word(name)?;
        match ref_problem(&word) {
            None => Ok(format!("{prefix}{word}")),
            Some(problem) => Err(cx.refuse(
                Diagnostic::error("spec::bad-value", format!("`{}` is no name of a ref: {problem}", word.escape_debug()))
                    .at(&name.span, "this name")
                    .help("write the name of a branch or tag as `git ls-remote` prints it, without `refs/heads/`"),
            )),
        }
    }
    fn filter(&self, cx: &mut Lower<'_>) -> Result<Option<String>, Refused> {
        let Some(key) = &self.filter else { return Ok(None) };
        let word = cx.word(key)?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
        let known = match word.split_once(':') {
            Some(("blob", "none")) => true,
            Some(("blob", limit)) => {
                limit.strip_prefix("limit=").is_some_and(|size| number(size.trim_end_matches(['k', 'm', 'g'])))
            }
            Some(("tree", depth)) => number(depth),
            _ => false,
        };
        let refuse = |message: String, help: &str| {
            Err(Diagnostic::error("spec::bad-value", message).at(&key.span, "this filter").help(help))
        };
        let result = if !known {
            refuse(format!("`{}` is no filter", word.escape_debug()), "write `blob:none`, `blob:limit=1m` or `tree:0`")
        } else if self.keep_git_dir || self.submodules || self.lfs {
            refuse(
                "a folder that is a repository of its own has all objects".into(),
                "leave out `filter`, or `keep-git-dir`, `submodules` and `lfs`",
            )
        } else {
            Ok(Some(word))
        };
        result.map_err(|diagnostic| cx.refuse(diagnostic))
    }

    fn signed(&self, cx: &mut Lower<'_>) -> Result<Option<Signed>, Refused> {
        let (verify, keyring) = match (&self.verify, &self.keyring) {
            (None, None) => return Ok(None),
            (Some(verify), Some(keyring)) => (verify, keyring),
            (Some(alone), None) | (None, Some(alone)) => {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", "`verify` and `keyring` belong together")
                        .at(&alone.span, "the other one is missing")
                        .help("say how commits are signed, `verify = \"ssh\"` or `\"gpg\"`, and by whom, `keyring = \"FILE\"`"),
                ));
            }
        };
        let path = cx.local_path(keyring);
        let with = match cx.word(verify)?.as_str() {
            "ssh" => Signature::Ssh,
            "gpg" => Signature::Gpg,
            other => {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", format!("commits are not signed with `{}`", other.escape_debug()))
                        .at(&verify.span, "this value")
                        .help("write `ssh` or `gpg`"),
                ));
            }
        };
        Ok(Some(Signed { with, keyring: path?.into() }))
    }
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Once
    }

    fn produces(&self) -> Vec<Artifact> {
        vec![Artifact::Source]
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        // Each is looked at before the first that is wrong ends it.
        let (wanted, filter, signed) = (self.wanted(cx), self.filter(cx), self.signed(cx));
        let protocols = self.protocols(cx)?;
        let (url, wanted, filter, signed) = (self.url(cx, &protocols)?, wanted?, filter?, signed?);
        let dir = cx.work("src");
        let mut lowered = Lowered::default();
        // A commit's id says by itself what is meant, and what another step makes is no input.
        let locked = !Grammar::Hex.accepts(&wanted) && !self.url.value.contains("${steps.");
        if locked {
            let key = Key::Git { url: url.clone(), reference: wanted.clone() };
            let named = [&self.branch, &self.tag].into_iter().flatten().next().unwrap_or(&self.url);
            lowered.ask(key, &named.span);
        }
        lowered.basis.reads.extend(signed.iter().map(|signed| signed.keyring.clone()));
        lowered.push(Action::Checkout(Box::new(Checkout {
            url,
            wanted,
            locked,
            protocols,
            dir: dir.clone(),
            depth: self.depth.map(NonZeroU32::get),
            filter,
            submodules: self.submodules,
            lfs: self.lfs,
            keep_git_dir: self.keep_git_dir,
            signed,
            env: std::collections::BTreeMap::new(),
            output: "commit".into(),
        })));
        for (output, grammar) in [("tree", Grammar::Hex), ("epoch", Grammar::Number)] {
            lowered.push(Command::new(["cat", "--", &cx.work(output)]).capture(output, grammar));
            lowered.late(output, grammar);
        }
        lowered.known("dir", dir.as_str());
        lowered.late("commit", Grammar::Hex);
        lowered.probe = Some(Probe::Paths(vec![dir.into()]));
        lowered.basis.intermediate = true;
        Ok(lowered)
    }
}
