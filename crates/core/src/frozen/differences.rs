//! What is another in a plan that was made again.

use std::collections::BTreeMap;

use super::{Frozen, RecipeFile, Step};

impl Frozen {
    /// In what a plan that was made again is not this one, a line each; empty where nothing is. What is due to the machine
    /// does not count.
    pub fn differences(&self, again: &Self) -> Vec<String> {
        let mut all = Vec::new();
        if self.program != again.program {
            all.push(format!(
                "it was made by version {} of this program, which is version {}",
                self.program, again.program
            ));
        }
        all.extend(changed(&self.files, &again.files));
        match (self.lock, again.lock) {
            (Some(was), Some(is)) if was != is => all.push("`pipeline.lock` has changed".into()),
            (Some(_), None) => all.push("`pipeline.lock` is gone, or empty".into()),
            (None, Some(_)) => all.push("there is a `pipeline.lock` now".into()),
            _ => {}
        }
        if self.commit != again.commit {
            let commit = |frozen: &Self| frozen.commit.clone().unwrap_or_else(|| "none".into());
            all.push(format!("the recipe's commit is {}, and was {}", commit(again), commit(self)));
        }
        // What follows from the above is not told as well.
        if all.is_empty() {
            all.extend(steps(&self.instances, &again.instances));
        }
        if all.is_empty() && self.recipe != again.recipe {
            all.push(format!("the recipe is `{}`, and was `{}`", again.recipe, self.recipe));
        }
        all
    }
}

/// In what the files of a recipe are not those that a plan was made of, a line each.
pub fn changed(was: &[RecipeFile], is: &[RecipeFile]) -> Vec<String> {
    let name = |file: &RecipeFile| format!("`{}`", file.path);
    compared(was, is, name, ["is not read any more", "has changed", "is read as well"])
}

fn steps(was: &[Step], is: &[Step]) -> Vec<String> {
    let words = ["is not in it any more", "is another step, or waits for others", "is new"];
    compared(was, is, |step| step.id.to_string(), words)
}

/// What is gone, another, or new: `words` say so behind the name.
fn compared<T: PartialEq>(was: &[T], is: &[T], name: impl Fn(&T) -> String, words: [&str; 3]) -> Vec<String> {
    let (was, is) = (by_name(was, &name), by_name(is, &name));
    let [gone, another, new] = words;
    let old = was.iter().filter_map(|(name, before)| match is.get(name) {
        None => Some(format!("{name} {gone}")),
        Some(now) => (now != before).then(|| format!("{name} {another}")),
    });
    let new = is.keys().filter(|name| !was.contains_key(*name)).map(|name| format!("{name} {new}"));
    old.chain(new).collect()
}

fn by_name<'a, T>(all: &'a [T], name: &impl Fn(&T) -> String) -> BTreeMap<String, &'a T> {
    all.iter().map(|one| (name(one), one)).collect()
}
