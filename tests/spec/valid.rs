//! Recipes that use everything: each is checked and planned, and says nothing.

use crate::samples;

#[test]
fn every_right_recipe_is_planned_without_a_word() {
    for sample in samples("valid") {
        let name = &sample.name;
        let (code, stdout, stderr) = sample.run(&["check"]);
        assert_eq!((code, stdout.as_str()), (0, ""), "{name}: {stderr}");
        assert!(stderr.starts_with(&format!("{}: the recipe is valid (", sample.recipe)), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name} is warned of:\n{stderr}");

        let (code, text, stderr) = sample.run(&["plan"]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{name}");
        assert!(!text.is_empty(), "{name}");
        let (_, again, _) = sample.run(&["run", "--dry-run"]);
        assert_eq!(again, text, "{name}: `run -n` shows something else than `plan`");

        let (code, json, _) = sample.run(&["plan", "--format", "json"]);
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code, plan["version"].as_u64()), (0, Some(1)), "{name}");
        assert!(!plan["instances"].as_array().unwrap().is_empty(), "{name}");
        let again = pipeline_core::show::read(json.as_bytes()).unwrap();
        assert_eq!(pipeline_core::show::json(&again), plan, "{name}: a plan that is read again is another");
    }
}
