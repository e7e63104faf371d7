//! What is asked, and which answers fit: by the rules of the language, and in the end by planning the starter.

use std::collections::BTreeSet;

use pipeline_core::diag::{did_you_mean, one_of_names};
use pipeline_core::ident::{name_help, name_problem};
use pipeline_core::image::ImageRef;
use pipeline_core::platform::Platform;

use super::starter::starter;

pub(crate) const ENGINES: [&str; 5] = ["auto", "docker", "buildx", "podman", "buildah"];

pub(crate) const RUNTIMES: [&str; 4] = ["cri-o", "containerd", "docker", "podman"];

/// One thing that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Url,
    Branch,
    Platforms,
    Engine,
    Image,
    Nodes,
    Runtime,
}

impl Field {
    pub(crate) const ALL: [Field; 8] = [
        Field::Name,
        Field::Url,
        Field::Branch,
        Field::Platforms,
        Field::Engine,
        Field::Image,
        Field::Nodes,
        Field::Runtime,
    ];

    /// The option that answers it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Field::Name => "--name",
            Field::Url => "--url",
            Field::Branch => "--branch",
            Field::Platforms => "--platform",
            Field::Engine => "--engine",
            Field::Image => "--image",
            Field::Nodes => "--node",
            Field::Runtime => "--runtime",
        }
    }
}

/// Why an answer does not fit, and what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) problem: String,
    pub(crate) help: Option<String>,
}

fn reject<T>(problem: impl Into<String>, help: impl Into<String>) -> Result<T, Rejected> {
    Err(Rejected { problem: problem.into(), help: Some(help.into()) })
}

/// A node: its name and what ssh calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeAnswer {
    pub(crate) name: String,
    pub(crate) host: String,
}

/// The image: as people write it, and with everything that they leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageAnswer {
    pub(crate) short: String,
    pub(crate) full: String,
}

impl From<ImageRef> for ImageAnswer {
    fn from(image: ImageRef) -> Self {
        Self { short: image.familiar(), full: image.to_string() }
    }
}

/// All answers. Whatever is in here makes a valid recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) name: String,
    pub(crate) url: String,
    /// The repository's default branch when absent.
    pub(crate) branch: Option<String>,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) engine: String,
    pub(crate) image: ImageAnswer,
    pub(crate) nodes: Vec<NodeAnswer>,
    pub(crate) runtime: String,
}

impl Answers {
    /// Examples for a recipe of this name.
    pub(crate) fn named(name: &str) -> Self {
        // Names of images have stricter rules than names of recipes.
        let image = ImageRef::parse(&format!("{}:1", name.to_lowercase())).map_or_else(
            |_| ImageAnswer { short: "app:1".into(), full: "docker.io/library/app:1".into() },
            ImageAnswer::from,
        );
        Self {
            name: name.to_owned(),
            url: format!("https://example.com/{name}.git"),
            branch: None,
            platforms: Platform::parse("linux/arm64").into_iter().collect(),
            engine: "auto".into(),
            image,
            nodes: Vec::new(),
            runtime: "cri-o".into(),
        }
    }

    /// Answers one thing; unchanged when that does not fit.
    pub(crate) fn set(&mut self, field: Field, given: &[String]) -> Result<(), Rejected> {
        let mut next = self.clone();
        for text in given {
            if text.contains("${") {
                return reject(
                    "`${…}` would be replaced by a value",
                    "answer without it, and write it into the recipe afterwards",
                );
            }
        }
        let one = given.last().map(|text| text.trim()).unwrap_or_default();
        match field {
            Field::Name => {
                if let Some(problem) = name_problem(one) {
                    return reject(problem, name_help(one));
                }
                // What is called after it follows, unless it was answered.
                let (before, after) = (Self::named(&self.name), Self::named(one));
                if next.image == before.image {
                    next.image = after.image;
                }
                if next.url == before.url {
                    next.url = after.url;
                }
                next.name = after.name;
            }
            Field::Url => one.clone_into(&mut next.url),
            Field::Branch => next.branch = (!one.is_empty()).then(|| one.to_owned()),
            Field::Platforms => next.platforms = platforms(given)?,
            Field::Engine => next.engine = word(one, &ENGINES)?,
            Field::Image => next.image = image(one)?.into(),
            Field::Nodes => next.nodes = nodes(given)?,
            Field::Runtime => next.runtime = word(one, &RUNTIMES)?,
        }
        // Names of branches, urls and hosts have rules of their own, and the recipe knows them.
        let faults = super::faults(&starter(&next, false));
        if let Some(fault) = faults.iter().find(|fault| fault.is_error()) {
            return Err(Rejected { problem: fault.message.clone(), help: fault.help.clone() });
        }
        *self = next;
        Ok(())
    }

    /// The answer as one would type it.
    pub(crate) fn shown(&self, field: Field) -> String {
        match field {
            Field::Name => self.name.clone(),
            Field::Url => self.url.clone(),
            Field::Branch => self.branch.clone().unwrap_or_else(|| "the repository's default".into()),
            Field::Platforms => self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Field::Engine => self.engine.clone(),
            Field::Image => self.image.short.clone(),
            Field::Nodes if self.nodes.is_empty() => "none".into(),
            Field::Nodes => {
                let nodes = self.nodes.iter().map(|node| format!("{}={}", node.name, node.host));
                nodes.collect::<Vec<_>>().join(", ")
            }
            Field::Runtime => self.runtime.clone(),
        }
    }
}

/// The words of a list, without empty ones.
fn items(given: &[String]) -> impl Iterator<Item = &str> {
    given.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn word(text: &str, known: &[&str]) -> Result<String, Rejected> {
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    let help = did_you_mean(text, known.iter().copied())
        .unwrap_or_else(|| format!("{} can be", one_of_names(known)));
    reject(format!("`{}` is none of them", text.escape_debug()), help)
}

fn platforms(given: &[String]) -> Result<Vec<Platform>, Rejected> {
    let mut platforms: Vec<Platform> = Vec::new();
    for text in items(given) {
        let platform = Platform::parse(text).map_err(|error| Rejected {
            problem: error.to_string(),
            help: error.suggestion.map(|near| format!("did you mean `{near}`?")),
        })?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    if platforms.is_empty() {
        return reject("at least one platform is needed", "write it like `linux/arm64` or `linux/arm/v7`");
    }
    Ok(platforms)
}

fn image(text: &str) -> Result<ImageRef, Rejected> {
    let image = ImageRef::parse(text)
        .map_err(|error| Rejected { problem: error.to_string(), help: Some(error.help.clone()) })?;
    if image.digest().is_some() {
        return reject(
            "an image that is yet to be built has no digest",
            "leave the `@sha256:…` out, and give it a tag",
        );
    }
    Ok(image)
}

fn nodes(given: &[String]) -> Result<Vec<NodeAnswer>, Rejected> {
    let mut nodes: Vec<NodeAnswer> = Vec::new();
    let mut taken = BTreeSet::new();
    let items: Vec<&str> = items(given).collect();
    for text in items.iter().filter(|text| text.contains('=')) {
        let name = text.split('=').next().unwrap_or_default().trim();
        if let Some(problem) = name_problem(name) {
            return reject(format!("bad name of a node: {problem}"), name_help(name));
        }
        if !taken.insert(name.to_lowercase()) {
            return reject(format!("two nodes are called `{name}`"), "give one of them another name");
        }
    }
    for text in items {
        let (name, host) = match text.split_once('=') {
            Some((name, host)) => (name.trim().to_owned(), host.trim()),
            None => (name_of(text, &mut taken), text),
        };
        nodes.push(NodeAnswer { name, host: host.to_owned() });
    }
    Ok(nodes)
}

/// A free name for a host: what it is called itself, where that is a name and not a number.
fn name_of(host: &str, taken: &mut BTreeSet<String>) -> String {
    let own = host.rsplit('@').next().unwrap_or_default();
    let own = own.split('.').next().unwrap_or_default();
    let fits = name_problem(own).is_none()
        && own.starts_with(|c: char| c.is_ascii_alphabetic())
        && !own.eq_ignore_ascii_case("here");
    if fits && taken.insert(own.to_lowercase()) {
        return own.to_owned();
    }
    let mut number = 1;
    loop {
        let name = format!("node-{number}");
        if taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}
