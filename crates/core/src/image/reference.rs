//! Image references, read the way docker reads them.
//!
//! `oci_spec::distribution::Reference` has the same grammar as one regular expression, but building it takes 40 ms, and it lets
//! through upper-case repositories, non-ASCII tags and upper-case digests that engines then refuse.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The longest name (registry and repository) that engines accept, in bytes.
const NAME_MAX: usize = 255;

/// The longest tag that engines accept, in bytes.
const TAG_MAX: usize = 128;

const HUB: &str = "docker.io";

/// A fully qualified image reference: `docker.io/library/registry:2`.
///
/// It is shown in its normalised form: the registry always, `library/` where docker puts it, and a tag,
/// `latest` when neither tag nor digest was given. Two references are equal when they mean the same image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("`{}` is not an image reference: {reason}", text.escape_debug())]
pub struct ImageRefError {
    /// What was given, cut after 300 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    #[help]
    pub help: String,
}

impl ImageRef {
    /// Reads `[registry[:port]/]path[:tag][@sha256:…]` and normalises it as docker does.
    pub fn parse(text: &str) -> Result<Self, ImageRefError> {
        read(text).map_err(|(reason, help)| ImageRefError {
            text: text.chars().take(300).collect(),
            reason,
            help: help.unwrap_or_else(|| "write it like `registry:2` or `example.com/team/app:1.4`".into()),
        })
    }

    /// The registry, with its port if it has one; `docker.io` for short names.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path within the registry, such as `library/registry`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Registry and path, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag; absent only where the reference is by digest alone.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that pins the reference, which is one of a manifest or index, never an image id.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// It is the image that `wanted` means, which without tag and digest stands for all of that name.
    pub fn fits(&self, wanted: &str) -> bool {
        let Ok(meant) = Self::parse(wanted) else { return false };
        // Behind the last slash, as a registry may have a port.
        let tagged = wanted.rsplit('/').next().is_some_and(|last| last.contains(':'));
        self.registry == meant.registry
            && self.repository == meant.repository
            && (!tagged || self.tag == meant.tag || meant.digest.is_some())
            && (meant.digest.is_none() || self.digest == meant.digest)
    }

    /// The short form that docker shows: `registry:2`, `team/app:1`, `example.com/app:1`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        // `docker.io/a.b/c` without its registry would be on the registry `a.b`: shorten only what reads back.
        ["docker.io/library/", "docker.io/"]
            .iter()
            .filter_map(|prefix| full.strip_prefix(prefix))
            .find(|short| Self::parse(short).is_ok_and(|read| read == *self))
            .map_or_else(|| full.clone(), str::to_owned)
    }
}

/// A reason, and the advice for it where there is a better one than the usual.
type Flaw = (String, Option<String>);

fn read(text: &str) -> Result<ImageRef, Flaw> {
    let flaw = |reason: &str| (reason.to_owned(), None);
    if text.is_empty() {
        return Err(flaw("it is empty"));
    }
    if let Some(found) = text.chars().find(|char| !char.is_ascii_graphic()) {
        let what = if found == ' ' { "a space".to_owned() } else { format!("`{}`", found.escape_default()) };
        return Err((format!("it contains {what}"), None));
    }
    if text.starts_with('-') {
        return Err(flaw("it starts with `-`, which tools take for an option"));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = Digest::parse(digest).map_err(|error| {
                (error.to_string(), miette::Diagnostic::help(&error).map(|help| help.to_string()))
            })?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[path_start..].find(':') {
        Some(colon) => (&rest[..path_start + colon], Some(&rest[path_start + colon + 1..])),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, path) = split_registry(name)?;
    path.split('/').try_for_each(check_component)?;
    if registry == HUB && !path.contains('/') && Digest::from_hex(path).is_some() {
        return Err((
            "64 hexadecimal digits alone are an image id, not a name".into(),
            Some("give the image a name and a tag".into()),
        ));
    }
    let repository =
        if registry == HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
    if registry.len() + 1 + repository.len() > NAME_MAX {
        return Err((format!("its name is longer than {NAME_MAX} characters"), Some("shorten it".into())));
    }
    let tag = tag.or(if digest.is_none() { Some("latest") } else { None }).map(str::to_owned);
    Ok(ImageRef { registry: registry.to_owned(), repository, tag, digest })
}

/// The first part is a registry only when it looks like a host: docker's rule.
fn split_registry(name: &str) -> Result<(&str, &str), Flaw> {
    let Some((first, rest)) = name.split_once('/') else { return Ok((HUB, name)) };
    if !(first.contains(['.', ':']) || first == "localhost") {
        return Ok((HUB, name));
    }
    let (host, port) = match first.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (first, None),
    };
    let good_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !host.split('.').all(good_label) {
        let help =
            first.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| "write it in lower case".to_owned());
        return Err((format!("`{first}` is not a registry's host name"), help));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return Err((format!("`{first}` has no port between 0 and 65535"), None));
    }
    Ok((if first == "index.docker.io" { HUB } else { first }, rest))
}

/// Lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn check_component(component: &str) -> Result<(), Flaw> {
    if component.is_empty() {
        return Err(("a part of its name is empty".into(), None));
    }
    if component.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err((
            format!("`{component}` has upper-case letters"),
            Some("write the name in lower case".into()),
        ));
    }
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if let Some(bad) =
        component.chars().find(|char| !(is_word(*char as u8) || matches!(char, '.' | '_' | '-')))
    {
        return Err((format!("`{component}` contains `{bad}`"), None));
    }
    let separators_hold = component
        .split(|char: char| is_word(char as u8))
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-'));
    let ends_are_words =
        component.bytes().next().is_some_and(is_word) && component.bytes().last().is_some_and(is_word);
    if separators_hold && ends_are_words {
        return Ok(());
    }
    Err((format!("`.`, `_`, `__` or `-` must stand between letters or digits in `{component}`"), None))
}

fn check_tag(tag: &str) -> Result<(), Flaw> {
    if tag.len() > TAG_MAX {
        return Err((format!("its tag is longer than {TAG_MAX} characters"), Some("shorten the tag".into())));
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
    if good { Ok(()) } else { Err((format!("`{tag}` is not a tag"), None)) }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for ImageRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::distribution::Reference;
    use proptest::prelude::*;

    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn short_names_become_full_and_short_again() {
        for (text, full, familiar) in [
            ("registry:2", "docker.io/library/registry:2", "registry:2"),
            ("registry", "docker.io/library/registry:latest", "registry:latest"),
            ("team/app:1", "docker.io/team/app:1", "team/app:1"),
            ("docker.io/registry:2", "docker.io/library/registry:2", "registry:2"),
            ("index.docker.io/library/registry:2", "docker.io/library/registry:2", "registry:2"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
            ("host:5000", "docker.io/library/host:5000", "host:5000"),
            ("docker.io/a.b/c:1", "docker.io/a.b/c:1", "docker.io/a.b/c:1"),
            ("library/localhost/x:1", "docker.io/library/localhost/x:1", "library/localhost/x:1"),
            (
                "a.b-c.de/a--b/c__d/e.f_g:T_a-g.1",
                "a.b-c.de/a--b/c__d/e.f_g:T_a-g.1",
                "a.b-c.de/a--b/c__d/e.f_g:T_a-g.1",
            ),
        ] {
            let parsed = ImageRef::parse(text).unwrap();
            assert_eq!(parsed.to_string(), full, "{text}");
            assert_eq!(parsed.familiar(), familiar, "{text}");
        }
    }

    #[test]
    fn a_digest_stands_for_a_tag_or_beside_it() {
        let by_digest = ImageRef::parse(&format!("host:5000/x@{D}")).unwrap();
        assert_eq!(by_digest.tag(), None);
        assert_eq!(by_digest.digest(), Some(Digest::parse(D).unwrap()));
        assert_eq!(by_digest.to_string(), format!("host:5000/x@{D}"));
        let both = ImageRef::parse(&format!("x:1@{D}")).unwrap();
        assert_eq!(both.to_string(), format!("docker.io/library/x:1@{D}"));
    }

    #[test]
    fn what_engines_would_refuse_or_misread_is_refused_here() {
        let long_name = "a".repeat(250);
        let long_tag = format!("x:{}", "1".repeat(129));
        let id = &D[7..];
        for (text, reason) in [
            ("", "empty"),
            ("Registry:2", "upper-case"),
            ("Foo/bar", "upper-case"),
            ("HOST:5000/x", "host name"),
            ("-x", "option"),
            ("--all:1", "option"),
            ("a b", "a space"),
            ("x:1\n", "\\n"),
            ("x\u{1b}[2J", "\\u{1b}"),
            ("x:ä", "\\u{e4}"),
            (&long_name, "longer than 255"),
            (&long_tag, "longer than 128"),
            (id, "image id"),
            ("x:", "not a tag"),
            ("x:-1", "not a tag"),
            ("x:1:2", "not a tag"),
            (":1", "empty"),
            ("/x", "empty"),
            ("a//b", "empty"),
            ("a/", "empty"),
            ("../x", "host name"),
            ("a/../b", "must stand between"),
            ("a..b", "must stand between"),
            ("a___b", "must stand between"),
            ("a-", "must stand between"),
            ("a;b", "contains `;`"),
            ("$x", "contains `$`"),
            ("host:99999/x", "port"),
            ("host:/x", "port"),
            ("x@sha256:abc", "not a digest"),
            ("x@", "not a digest"),
            (&format!("x@{}", D.replace('e', "E")), "not a digest"),
        ] {
            let error = ImageRef::parse(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text:?}: {error}");
            assert!(!error.help.is_empty());
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}|[a-z0-9:/@._ A-Z-]{0,40}") {
            if let Ok(parsed) = ImageRef::parse(&text) {
                prop_assert_eq!(&ImageRef::parse(&parsed.to_string()).unwrap(), &parsed);
                prop_assert_eq!(&ImageRef::parse(&parsed.familiar()).unwrap(), &parsed);
            }
        }

        #[test]
        fn what_is_read_means_what_the_specification_says(
            text in "([a-z]{1,3}(\\.[a-z]{2})?(:[0-9]{1,4})?/){0,3}[a-z0-9]{1,2}([._-]{0,3}[a-z]){0,2}(:[A-Za-z0-9_.-]{1,4})?"
        ) {
            let theirs = text.parse::<Reference>();
            match (ImageRef::parse(&text), theirs) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours.to_string(), theirs.whole()),
                (Err(_), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{}: {:?} / {:?}", text, ours, theirs),
            }
        }
    }
}
