//! `${…}` in strings: names with their places, no logic.

use std::fmt;
use std::ops::Range;

use crate::diag::{did_you_mean, list_names, nearest};

/// A string, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// In order.
    pub pieces: Vec<Piece>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands, `$${` already read as `${`.
    Literal(String),
    /// A name, and the bytes of the string that `${name}` takes.
    Name(Name, Range<usize>),
}

/// What may stand between `${` and `}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// `vars.NAME`
    Var(String),
    /// `target.FIELD`
    Target(TargetField),
    /// `matrix.AXIS`
    Matrix(String),
    /// `node.name`
    NodeName,
    /// `recipe.commit`: the commit that the recipe itself is checked out at.
    RecipeCommit,
    /// `env.NAME`, listed in `[env] pass`
    Env(String),
    /// `steps.ID.OUTPUT`
    Step {
        /// The step's id.
        id: String,
        /// The output's name.
        output: String,
    },
}

/// A field of `target.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetField {
    /// The target's name.
    Name,
    /// Its platform, such as `linux/arm/v7`.
    Platform,
    /// Its operating system.
    Os,
    /// Its architecture.
    Arch,
    /// Its variant, or nothing.
    Variant,
}

const TARGET_FIELDS: [(&str, TargetField); 5] = [
    ("name", TargetField::Name),
    ("platform", TargetField::Platform),
    ("os", TargetField::Os),
    ("arch", TargetField::Arch),
    ("variant", TargetField::Variant),
];

/// What may stand between `${` and `}`, for readers.
pub const NAMES: [(&str, &str); 11] = [
    (
        "vars.NAME",
        "the strongest of `--set`, `--var-file`, `PIPELINE_VAR_NAME`, the target's `vars`, `[vars]`",
    ),
    ("target.name", "the target's name; in a matrix with the values of the axes, such as `arm64-2`"),
    ("target.platform", "its platform, such as `linux/arm/v7`"),
    ("target.os", "the first part of it"),
    ("target.arch", "the second part"),
    ("target.variant", "the third part, or nothing"),
    ("matrix.AXIS", "the target's value on an axis of the matrix"),
    ("node.name", "the node's name, in steps that run for each node"),
    ("recipe.commit", "the commit of the repository that holds the recipe"),
    ("env.NAME", "an environment variable that `[env] pass` lists"),
    ("steps.ID.OUTPUT", "what a step leaves behind; it may be known only when the step has run"),
];

const ROOTS: [&str; 7] = ["vars", "target", "matrix", "node", "recipe", "env", "steps"];

/// A string that cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The bytes of the string it is about.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Template {
    /// Takes a string apart; every error in it is reported.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut errors = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let start = at + found;
            if text[at..start].ends_with('$') {
                literal.push_str(&text[at..start]);
                literal.push('{');
                at = start + 2;
                continue;
            }
            literal.push_str(&text[at..start]);
            let Some(length) = text[start..].find('}') else {
                errors.push(TemplateError {
                    at: start..text.len(),
                    message: "`${` without `}`".into(),
                    help: Some("close it with `}`, or write `$${` for a literal `${`".into()),
                });
                at = text.len();
                break;
            };
            let end = start + length + 1;
            match Name::parse(&text[start + 2..end - 1]) {
                Ok(name) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Name(name, start..end));
                }
                Err((message, help)) => errors.push(TemplateError { at: start..end, message, help }),
            }
            at = end;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if errors.is_empty() { Ok(Self { pieces }) } else { Err(errors) }
    }

    /// The names in it with their places.
    pub fn names(&self) -> impl Iterator<Item = (&Name, &Range<usize>)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name, at) => Some((name, at)),
            Piece::Literal(_) => None,
        })
    }
}

impl Name {
    fn parse(text: &str) -> Result<Self, (String, Option<String>)> {
        let parts: Vec<&str> = text.split('.').collect();
        let known = "known are `vars.NAME`, `target.name`, `target.platform`, `target.os`, `target.arch`, \
                     `target.variant`, `matrix.AXIS`, `node.name`, `recipe.commit`, `env.NAME` and `steps.ID.OUTPUT`";
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(("nothing stands between `${` and `}`".into(), Some(known.into())));
        }
        if trimmed != text && Self::parse(trimmed).is_ok() {
            let message = format!("`${{{}}}` holds spaces", text.escape_debug());
            return Err((message, Some(format!("write `${{{trimmed}}}`"))));
        }
        match parts.as_slice() {
            // Names may hold dots.
            ["vars", name @ ..] if !name.is_empty() && !name.contains(&"") => Ok(Self::Var(name.join("."))),
            ["matrix", axis @ ..] if !axis.is_empty() && !axis.contains(&"") => {
                Ok(Self::Matrix(axis.join(".")))
            }
            ["env", name] if !name.is_empty() => Ok(Self::Env((*name).into())),
            ["node", "name"] => Ok(Self::NodeName),
            ["recipe", "commit"] => Ok(Self::RecipeCommit),
            // Ids may hold dots; outputs do not.
            ["steps", id @ .., output] if !id.is_empty() && !id.contains(&"") && !output.is_empty() => {
                Ok(Self::Step { id: id.join("."), output: (*output).into() })
            }
            ["target", field] => TARGET_FIELDS
                .iter()
                .find(|(name, _)| name == field)
                .map(|(_, field)| Self::Target(*field))
                .ok_or_else(|| {
                    let near = did_you_mean(field, TARGET_FIELDS.map(|(name, _)| name));
                    let fields = list_names(TARGET_FIELDS.map(|(name, _)| format!("target.{name}")));
                    let help = near.unwrap_or_else(|| format!("it has {fields}"));
                    (format!("a target has no `{}`", field.escape_debug()), Some(help))
                }),
            [root, rest @ ..] => {
                let help = match nearest(root, ROOTS) {
                    Some(near) if near != *root => {
                        let meant: Vec<&str> = std::iter::once(near).chain(rest.iter().copied()).collect();
                        format!("did you mean `{}`?", meant.join("."))
                    }
                    Some("steps") => "write `${steps.ID.OUTPUT}`: the step and what it leaves behind".into(),
                    Some("vars") => "write `${vars.NAME}`".into(),
                    Some("matrix") => "write `${matrix.AXIS}`".into(),
                    Some("env") => "write `${env.NAME}`, with the name in `[env] pass`".into(),
                    _ => known.into(),
                };
                Err((format!("`{}` stands for nothing", text.escape_debug()), Some(help)))
            }
            [] => Err(("nothing stands between `${` and `}`".into(), Some(known.into()))),
        }
    }
}

/// Parsing what is shown gives the same template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => f.write_str(&text.replace("${", "$${"))?,
                Piece::Name(name, _) => write!(f, "${{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Var(name) => write!(f, "vars.{name}"),
            Self::Target(field) => {
                let name =
                    TARGET_FIELDS.iter().find(|(_, known)| known == field).map_or("", |(name, _)| name);
                write!(f, "target.{name}")
            }
            Self::Matrix(axis) => write!(f, "matrix.{axis}"),
            Self::NodeName => f.write_str("node.name"),
            Self::RecipeCommit => f.write_str("recipe.commit"),
            Self::Env(name) => write!(f, "env.{name}"),
            Self::Step { id, output } => write!(f, "steps.{id}.{output}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_literals() {
        let template = Template::parse("a${vars.tag}-$${x}${steps.my.step.id}").unwrap();
        assert_eq!(
            template.pieces,
            [
                Piece::Literal("a".into()),
                Piece::Name(Name::Var("tag".into()), 1..12),
                Piece::Literal("-${x}".into()),
                Piece::Name(Name::Step { id: "my.step".into(), output: "id".into() }, 18..37),
            ]
        );
    }

    #[test]
    fn every_error_with_its_place() {
        let errors = Template::parse("${var.x} ${target.nam} ${").unwrap_err();
        assert_eq!(errors.len(), 3);
        assert_eq!(errors[0].help.as_deref(), Some("did you mean `vars.x`?"));
        assert_eq!(errors[1].at, 9..22);
        assert_eq!(errors[1].help.as_deref(), Some("did you mean `name`?"));
        assert_eq!(errors[2].at, 23..25);
        for bad in ["${}", "${vars}", "${vars.}", "${steps.x}", "${node}", "${ vars.x }", "${a\n}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_panic_and_showing_is_the_inverse_of_parsing(text in "([$]|[{]|[}]|vars[.]a|[$][{]vars[.]b[}]|.){0,20}") {
            if let Ok(template) = Template::parse(&text) {
                let again = Template::parse(&template.to_string()).unwrap();
                let shape = |template: &Template| template.pieces.iter().map(|piece| match piece {
                    Piece::Literal(text) => text.clone(),
                    Piece::Name(name, _) => format!("<{name}>"),
                }).collect::<Vec<_>>();
                prop_assert_eq!(shape(&again), shape(&template));
            }
        }
    }
}
