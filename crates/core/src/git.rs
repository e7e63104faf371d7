//! What git may be handed: urls, names of refs, and an environment in which nothing of this machine takes part.

/// No configuration of the user or the machine, no question to anybody.
pub const ENVIRONMENT: [(&str, &str); 6] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10 -o PermitLocalCommand=no -a -x"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
];

/// Protocols that a recipe may allow besides `https` and `ssh`.
pub const PROTOCOLS: [&str; 3] = ["file", "http", "git"];

/// Why a url is refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlProblem {
    /// A fragment.
    pub problem: String,
    /// What to do.
    pub help: String,
}

/// The protocol by which git takes a url, and what follows it.
fn protocol(url: &str) -> (&str, &str) {
    match url.split_once("://") {
        Some(parts) => parts,
        // As git reads it: a colon before the first slash makes it scp-like.
        None => match url.find([':', '/']) {
            Some(at) if url[at..].starts_with(':') => ("ssh", url),
            _ => ("file", url),
        },
    }
}

/// The url is a path, and not absolute.
pub fn is_relative_path(url: &str) -> bool {
    protocol(url).0 == "file" && !url.contains("://") && !url.starts_with('/')
}

/// Why git may not be handed this url, where only these protocols are allowed.
pub fn url_problem<S: AsRef<str>>(url: &str, allowed: &[S]) -> Option<UrlProblem> {
    let refuse = |problem: &str, help: &str| Some(UrlProblem { problem: problem.into(), help: help.into() });
    let usual = "write `https://…` or `ssh://…`";
    if url.is_empty() {
        return refuse("it is empty", usual);
    }
    if url.starts_with('-') {
        return refuse("it would be read as an option", usual);
    }
    // As git reads it: `helper::` before anything else.
    if url.split_once("::").is_some_and(|(helper, _)| !helper.contains(['/', ':', '['])) {
        return refuse("remote helpers (`name::…`) run programs", usual);
    }
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return refuse("it holds spaces or control characters", "percent-encode them");
    }
    let (protocol, rest) = protocol(url);
    let authority = rest.split('/').next().unwrap_or_default();
    let password = || authority.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    if protocol != "file" && url.contains("://") && password() {
        return refuse(
            "it holds a password",
            "use an ssh key or a credential helper; a recipe is no place for secrets",
        );
    }
    // git hands the host to ssh, which would read an option.
    if authority.rsplit('@').next().is_some_and(|host| host.starts_with('-')) {
        return refuse("the host would be read as an option", "write the host's name");
    }
    if allowed.iter().any(|one| one.as_ref() == protocol) {
        return None;
    }
    let help = if PROTOCOLS.contains(&protocol) {
        format!("use `https` or `ssh`, or add `allow-protocols = [\"{protocol}\"]`")
    } else {
        usual.into()
    };
    refuse(&format!("the protocol `{}` is not allowed", protocol.escape_debug()), &help)
}

/// The rules of git-check-ref-format(1), and no leading `-`.
pub fn ref_problem(name: &str) -> Option<&'static str> {
    let forbidden =
        |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\u{7f}');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_that_git_would_misread() {
        for good in ["main", "release/1.0", "v1.2.3", "feature_x"] {
            assert_eq!(ref_problem(good), None, "{good}");
        }
        for bad in ["", "--orphan=zz", "a..b", "a b", "a\n", ".x", "x.lock", "a@{1}", "x/", "@", "a:b", "a^"]
        {
            assert!(ref_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn paths_that_begin_where_the_recipe_is() {
        for relative in ["upstream", "../a.git", "./x:y"] {
            assert!(is_relative_path(relative), "{relative}");
        }
        for other in ["/srv/a.git", "file:///srv/a.git", "git@h:a.git", "https://h/a.git"] {
            assert!(!is_relative_path(other), "{other}");
        }
    }
}
