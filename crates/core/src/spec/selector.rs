//! What selects targets, on the command line and in a step's `targets`: a name, a pattern of names, or `AXIS=VALUE`.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

/// Longer patterns take their time and match no name.
const MAX_LENGTH: usize = 256;

/// One term of a selection.
#[derive(Debug, Clone)]
pub struct Selector {
    axis: Option<String>,
    pattern: GlobMatcher,
}

impl Selector {
    /// Reads a term, or says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (axis, pattern) = match text.split_once('=') {
            Some((axis, value)) => (Some(axis.trim().to_owned()), value.trim()),
            None => (None, text),
        };
        Ok(Self { axis, pattern: glob(pattern)? })
    }

    /// The axis that it is about, and the pattern of its values.
    pub fn axis(&self) -> Option<(&str, &GlobMatcher)> {
        self.axis.as_deref().map(|axis| (axis, &self.pattern))
    }

    /// It is about names, and takes this one.
    pub fn takes_name(&self, name: &str) -> bool {
        self.axis.is_none() && self.pattern.is_match(name)
    }

    /// It takes a target with these names and these values of axes.
    pub fn takes<'a>(&self, names: &[&'a str], value: impl Fn(&str) -> Option<&'a str>) -> bool {
        match &self.axis {
            Some(axis) => value(axis).is_some_and(|value| self.pattern.is_match(value)),
            None => names.iter().any(|name| self.pattern.is_match(name)),
        }
    }
}

/// Reads a pattern of names, or says why it is none.
pub fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    if pattern.len() > MAX_LENGTH {
        return Err(format!("it has more than {MAX_LENGTH} characters"));
    }
    let glob = Glob::new(pattern).map_err(|error| error.kind().to_string())?;
    Ok(glob.compile_matcher())
}

/// Terms of one sort are alternatives, terms of different sorts must all hold: `arm64 armv7 version=2` takes the version 2
/// of both. None at all take everything.
pub fn takes<'a>(selectors: &[Selector], names: &[&'a str], value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let mut sorts: BTreeMap<Option<&str>, bool> = BTreeMap::new();
    for selector in selectors {
        *sorts.entry(selector.axis.as_deref()).or_default() |= selector.takes(names, &value);
    }
    sorts.values().all(|taken| *taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(terms: &[&str], name: &str, version: &str) -> bool {
        let selectors: Vec<Selector> = terms.iter().map(|term| Selector::parse(term).unwrap()).collect();
        takes(&selectors, &[name], |axis| (axis == "version").then_some(version))
    }

    #[test]
    fn terms_of_one_sort_are_alternatives_and_all_sorts_must_hold() {
        assert!(taken(&[], "arm64", "2"));
        assert!(taken(&["arm*", "x"], "arm64", "2") && !taken(&["x"], "arm64", "2"));
        assert!(taken(&["version=2", "version=3"], "arm64", "3") && !taken(&["version=2"], "arm64", "3"));
        assert!(
            taken(&["arm64", "version=2"], "arm64", "2") && !taken(&["arm64", "version=2"], "arm64", "3")
        );
        assert!(!taken(&["os=linux"], "arm64", "2"), "an axis that is not there");
        assert!(Selector::parse("a[").is_err());
        assert!(Selector::parse(&"a".repeat(10 << 20)).is_err(), "a matcher of it would not be made");
    }
}
