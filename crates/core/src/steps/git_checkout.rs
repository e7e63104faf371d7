//! `git-checkout`: a commit of a repository, as a folder.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Lower, Lowered, Refused, StepBody, StepKind};
use crate::diag::Diagnostic;
use crate::image::Digest;
use crate::plan::{Artifact, Command, Grammar, Probe, Text};
use crate::spec::{Scope, Str};

pub(super) struct GitCheckout;

impl StepKind for GitCheckout {
    const NAME: &'static str = "git-checkout";
    const SUMMARY: &'static str = "Check out a commit of a git repository";
    const FLOW: &'static str = "→ Source (dir, commit, tree, epoch)";
    const TOOLS: &'static [&'static str] = &["git"];
    type Spec = Spec;
}

/// Fetches into a mirror beside the recipe, so that a second run transfers only what is new, and puts the commit into a
/// folder that appears whole or not at all. The user's and the system's git configuration, hooks and filters have no
/// part in it.
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
    /// Protocols besides `https` and `ssh`: `file`, `http`, `git`.
    #[serde(default)]
    allow_protocols: Vec<Str>,
    /// Keep the `.git` folder in the checkout.
    #[serde(default)]
    keep_git_dir: bool,
}

const PROTOCOLS: [&str; 3] = ["file", "http", "git"];

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
        let refuse = |cx: &mut Lower<'_>, problem: &str, help: &str| {
            Err(cx.refuse(
                Diagnostic::error("spec::bad-url", format!("bad url: {problem}"))
                    .at(&self.url.span, "this url")
                    .help(help),
            ))
        };
        if url.is_empty() {
            return refuse(cx, "it is empty", "write `https://…` or `ssh://…`");
        }
        if url.starts_with('-') {
            return refuse(cx, "it would be read as an option", "write `https://…` or `ssh://…`");
        }
        // As git reads it: `helper::` before anything else.
        if url.split_once("::").is_some_and(|(helper, _)| !helper.contains(['/', ':', '['])) {
            return refuse(cx, "remote helpers (`name::…`) run programs", "write `https://…` or `ssh://…`");
        }
        if url.chars().any(|c| c.is_control() || c == ' ') {
            return refuse(cx, "it holds spaces or control characters", "percent-encode them");
        }
        let (protocol, rest) = match url.split_once("://") {
            Some((protocol, rest)) => (protocol, rest),
            // As git reads it: a colon before the first slash makes it scp-like.
            None => match url.find([':', '/']) {
                Some(at) if url[at..].starts_with(':') => ("ssh", url.as_str()),
                _ => ("file", url.as_str()),
            },
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if protocol != "file" && authority.split_once('@').is_some_and(|(user, _)| user.contains(':') && url.contains("://"))
        {
            return refuse(cx, "it holds a password", "use an ssh key or a credential helper; a recipe is no place for secrets");
        }
        // git hands the host to ssh, which would read an option.
        if authority.rsplit('@').next().is_some_and(|host| host.starts_with('-')) {
            return refuse(cx, "the host would be read as an option", "write the host's name");
        }
        if !protocols.iter().any(|allowed| allowed == protocol) {
            let help = if PROTOCOLS.contains(&protocol) {
                format!("use `https` or `ssh`, or add `allow-protocols = [\"{protocol}\"]`")
            } else {
                "write `https://…` or `ssh://…`".into()
            };
            return refuse(cx, &format!("the protocol `{}` is not allowed", protocol.escape_debug()), &help);
        }
        Ok(url)
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
}

/// Nothing that this machine is configured to do on a fetch or a checkout takes part, and nobody is asked.
pub const GIT_ENVIRONMENT: [(&str, &str); 5] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10 -o PermitLocalCommand=no -a -x"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
];

/// The rules of git-check-ref-format(1), and no leading `-`.
fn ref_problem(name: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\u{7f}');
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with('-') {
        Some("it would be read as an option")
    } else if name.chars().any(forbidden) {
        Some("it holds a character that git does not allow")
    } else if name.contains("..") || name.contains("@{") || name.contains("//") || name == "@" {
        Some("git does not allow `..`, `@{`, `//` or `@` alone")
    } else if name.starts_with('/') || name.ends_with('/') || name.ends_with('.') {
        Some("git does not allow `/` at its ends or `.` at its end")
    } else if name.split('/').any(|part| part.starts_with('.') || part.strip_suffix(".lock").is_some()) {
        Some("no part of it may begin with `.` or end with `.lock`")
    } else {
        None
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
        let wanted = self.wanted(cx);
        let protocols = self.protocols(cx)?;
        let (url, wanted) = (self.url(cx, &protocols)?, wanted?);
        let slug = &Digest::of(url.as_bytes()).hex()[..16];
        // Of the instance alone, so that no two fetch into one at the same time.
        let mirror = format!(".pipeline/git/{}-{slug}.git", cx.id);
        let dir = cx.work("src");
        let partial = cx.work("src.partial");
        let local = "refs/pipeline/fetched";
        let git = |args: &[&str]| {
            let git = Command::new(["git"]).args(args.iter().copied());
            let git = GIT_ENVIRONMENT.iter().fold(git, |git, (name, value)| git.env(name, *value));
            git.env("GIT_ALLOW_PROTOCOL", protocols.join(":"))
        };
        let in_mirror = format!("--git-dir={mirror}");
        let mut lowered = Lowered::default();
        lowered.push(Command::new(["mkdir", "-p", "--", ".pipeline/git", &cx.work("")]));
        // A killed git leaves its locks behind; under the workspace's lock nobody holds them.
        let locks = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"].map(|lock| format!("{mirror}/{lock}"));
        lowered.push(
            Command::new(["rm", "-rf", "--"]).args(locks).arg(format!("{mirror}/{local}.lock")).arg(partial.as_str()),
        );
        lowered.push(git(&["init", "--quiet", "--bare", "--template=", &mirror]));
        lowered.push(git(&[
            &in_mirror,
            "-c",
            "protocol.ext.allow=never",
            "-c",
            "fetch.fsckObjects=true",
            "-c",
            "gc.auto=0",
            "-c",
            "maintenance.auto=false",
            "fetch",
            "--no-tags",
            "--no-recurse-submodules",
            "--end-of-options",
            &url,
            &format!("+{wanted}:{local}"),
        ]));
        if !Grammar::Hex.accepts(&wanted) {
            // Where the branch or tag is now; an annotated tag in two lines. In no repository: that which the recipe lies in
            // has a configuration of its own, and relative paths would start at its top.
            let peeled = format!("{wanted}^{{}}");
            let none = "--git-dir=/dev/null";
            let ask = [none, "-c", "protocol.ext.allow=never", "ls-remote", "--end-of-options", &url, &wanted, &peeled];
            lowered.basis.asks.push(git(&ask));
        }
        lowered.push(
            git(&[&in_mirror, "rev-parse", "--verify", "--end-of-options", &format!("{local}^{{commit}}")])
                .capture("commit", Grammar::Hex),
        );
        let commit = Text::late(cx.id.as_str(), "commit", Grammar::Hex);
        lowered.push(
            git(&[&in_mirror, "rev-parse", "--verify", "--end-of-options"])
                .arg(commit.clone().lit("^{tree}"))
                .capture("tree", Grammar::Hex),
        );
        lowered.push(
            git(&[&in_mirror, "show", "--no-patch", "--no-show-signature", "--format=%ct"])
                .arg(commit.clone())
                .capture("epoch", Grammar::Number),
        );
        // From the mirror, whatever protocol the mirror itself was fetched by; with objects of its own where the
        // repository stays usable, as the mirror is not there in a build.
        let objects = if self.keep_git_dir { "--no-hardlinks" } else { "--shared" };
        lowered.push(
            git(&["clone", "--quiet", "--no-checkout", objects, "--template=", "--", &mirror, &partial])
                .env("GIT_ALLOW_PROTOCOL", "file"),
        );
        lowered.push(
            git(&["-C", &partial, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "checkout", "--quiet"])
                .arg("--detach")
                .arg(commit),
        );
        if !self.keep_git_dir {
            lowered.push(Command::new(["rm", "-rf", "--", &format!("{partial}/.git")]));
        }
        lowered.push(Command::new(["rm", "-rf", "--", &dir]));
        lowered.push(Command::new(["mv", "-T", "--", &partial, &dir]));
        lowered.known("dir", dir.as_str());
        lowered.late("commit", Grammar::Hex);
        lowered.late("tree", Grammar::Hex);
        lowered.late("epoch", Grammar::Number);
        lowered.probe = Some(Probe::Paths(vec![dir.into()]));
        lowered.basis.intermediate = true;
        Ok(lowered)
    }
}

#[cfg(test)]
mod tests {
    use super::ref_problem;

    #[test]
    fn refs_that_git_would_misread() {
        for good in ["main", "release/1.0", "v1.2.3", "feature_x"] {
            assert_eq!(ref_problem(good), None, "{good}");
        }
        for bad in ["", "--orphan=zz", "a..b", "a b", "a\n", ".x", "x.lock", "a@{1}", "x/", "@", "a:b", "a^"] {
            assert!(ref_problem(bad).is_some(), "{bad}");
        }
    }
}
