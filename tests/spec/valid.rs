//! Recipes that use everything: each is checked and planned, and says nothing.

use crate::{pipeline, recipes};

#[test]
fn every_right_recipe_is_planned_without_a_word() {
    for (name, recipe) in recipes("valid") {
        let (code, stdout, stderr) = pipeline(&["check"], &name, &recipe);
        assert_eq!((code, stdout.as_str()), (0, ""), "{name}: {stderr}");
        assert!(stderr.starts_with(&format!("{name}.toml: the recipe is valid (")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name} is warned of:\n{stderr}");

        let (code, text, stderr) = pipeline(&["plan"], &name, &recipe);
        assert_eq!((code, stderr.as_str()), (0, ""), "{name}");
        assert!(!text.is_empty(), "{name}");
        let (_, again, _) = pipeline(&["run", "--dry-run"], &name, &recipe);
        assert_eq!(again, text, "{name}: `run -n` shows something else than `plan`");

        let (code, json, _) = pipeline(&["plan", "--format", "json"], &name, &recipe);
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code, plan["version"].as_u64()), (0, Some(1)), "{name}");
        assert!(!plan["instances"].as_array().unwrap().is_empty(), "{name}");
    }
}
