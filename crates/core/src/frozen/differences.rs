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
    let by_path = |files: &[RecipeFile]| {
        files.iter().map(|file| (file.path.clone(), file.digest)).collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (by_path(was), by_path(is));
    let mut all = Vec::new();
    for (path, digest) in &was {
        match is.get(path) {
            None => all.push(format!("`{path}` is not read any more")),
            Some(now) if now != digest => all.push(format!("`{path}` has changed")),
            Some(_) => {}
        }
    }
    all.extend(
        is.keys().filter(|path| !was.contains_key(*path)).map(|path| format!("`{path}` is read as well")),
    );
    all
}

fn steps(was: &[Step], is: &[Step]) -> Vec<String> {
    let by_id =
        |steps: &[Step]| steps.iter().map(|step| (step.id.clone(), step.clone())).collect::<BTreeMap<_, _>>();
    let (was, is) = (by_id(was), by_id(is));
    let mut all = Vec::new();
    for (id, step) in &was {
        match is.get(id) {
            None => all.push(format!("{id} is not in it any more")),
            Some(now) if now != step => all.push(format!("{id} is another step, or waits for others")),
            Some(_) => {}
        }
    }
    all.extend(is.keys().filter(|id| !was.contains_key(*id)).map(|id| format!("{id} is new")));
    all
}
