//! Plans with names and values that would like to be something else.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::Place;
use crate::frozen::{CiJobs, FileRole, Frozen, RecipeFile, Select, Step, Target};
use crate::image::Digest;
use crate::plan::InstanceId;
use crate::planner::Stage;
use crate::platform::Platform;

/// A plan, and what is to be said of it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) frozen: Frozen,
    pub(super) place: Place,
    /// A name of it is none.
    pub(super) is_no_name: bool,
}

impl Case {
    /// A value in its files holds this.
    pub(super) fn has(&self, part: &str) -> bool {
        self.environment().contains(part) || self.says(part)
    }

    /// A value of a command holds this.
    pub(super) fn says(&self, part: &str) -> bool {
        let frozen = &self.frozen;
        let select = &frozen.select;
        let set = frozen.set.iter().map(|(name, value)| format!("{name}={value}"));
        let paths = [self.place.recipe.as_str(), self.place.file.as_str()].map(str::to_owned);
        let beside = frozen.files[1..].iter().map(|file| format!("{}/{}", self.place.folder, file.path));
        set.chain(paths).chain(select.targets.iter().cloned()).chain(beside).any(|text| text.contains(part))
    }

    /// The environment of the jobs that deliver, where there are some.
    pub(super) fn environment(&self) -> &str {
        let delivers = self.frozen.instances.iter().any(|step| step.stage == Stage::Deliver);
        if delivers { &self.frozen.ci.environment } else { "" }
    }
}

/// A text that means something to YAML, to a shell, or to a CI system.
pub(super) fn text() -> impl Strategy<Value = String> + Clone {
    const PARTS: [&str; 43] = [
        "${{ secrets.TOKEN }}",
        "${{",
        "}}",
        "$[[ inputs.x ]]",
        "$HOME",
        "$$",
        "${X}",
        "$(touch escaped)",
        "`touch escaped`",
        "; touch escaped",
        "\ntouch escaped\n",
        "&& touch escaped",
        "| touch escaped",
        "> escaped",
        "'",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        ": ",
        " #",
        "- ",
        "? ",
        "!!python/object:x",
        "&a",
        "*a",
        "{",
        "}",
        "[",
        "]",
        "|",
        "%",
        "@",
        "---\n",
        "...\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\u{1b}[0m",
        "\u{1f600}",
        "::error::x",
    ];
    let part = prop_oneof![
        4 => proptest::sample::select(PARTS.as_slice()).prop_map(str::to_owned),
        4 => "[a-z0-9 ./_-]{0,6}",
        1 => any::<char>().prop_map(String::from),
    ];
    vec(part, 0..5).prop_map(|parts| parts.concat())
}

/// A name, most often one that looks like something else in YAML.
fn name() -> impl Strategy<Value = String> {
    const TRAPS: [&str; 16] = [
        "on",
        "off",
        "no",
        "NO",
        "yes",
        "y",
        "n",
        "true",
        "null",
        "1e3",
        "0x1f",
        "012",
        "1_000",
        "1.0",
        "2026-01-01",
        "0",
    ];
    prop_oneof![
        proptest::sample::select(TRAPS.as_slice()).prop_map(str::to_owned),
        "[A-Za-z0-9][A-Za-z0-9._-]{0,8}"
    ]
}

/// Plans, of which about one in eight has a name that is none.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    let targets = vec((name(), any::<bool>(), any::<bool>(), any::<bool>()), 1..4);
    let values = (text(), text(), vec((name(), text()), 0..3), vec(text(), 0..3), vec(text(), 0..2));
    let environment = prop_oneof![6 => Just("production".to_owned()), 1 => text()];
    let secrets = vec("[A-Z][A-Z0-9]{0,5}", 0..2);
    let bad = (0..24_u8, text());
    (targets, values, environment, secrets, any::<bool>(), bad).prop_map(
        |(targets, values, environment, secrets, joins, (which, bad))| {
            let (recipe, folder, set, only, files) = values;
            let mut frozen = frozen();
            for (at, (name, deliver, native, privileged)) in targets.into_iter().enumerate() {
                add(&mut frozen, &format!("{name}{at}"), deliver, native, privileged);
            }
            frozen.set = set.into_iter().collect();
            frozen.select.targets = only;
            frozen.ci.environment = environment;
            // `RECIPE` and `TARGET` are longer.
            frozen.ci.secrets = secrets;
            frozen.files.extend(files.into_iter().map(|path| file(FileRole::Overlay, path)));
            if joins {
                frozen.instances.push(step("join", None, Stage::Join));
            }
            let mut is_no_name = false;
            if which < 3 && crate::ident::name_problem(&bad).is_some() {
                is_no_name = true;
                match which {
                    0 => frozen.targets[0].name = bad,
                    1 => frozen.recipe = bad,
                    _ => frozen.ci.secrets.push(format!("{bad}-")),
                }
            }
            let folder = folder.replace('/', "_");
            let place =
                Place { recipe: format!("{folder}/{recipe}"), folder, file: format!("ci/{recipe}.yml") };
            Case { frozen, place, is_no_name }
        },
    )
}

/// A plan of one target of that name.
pub(super) fn with_target(name: &str) -> (Frozen, Place) {
    let mut frozen = frozen();
    add(&mut frozen, name, false, false, false);
    (frozen, Place { recipe: "pipeline.toml".into(), folder: String::new(), file: "ci.yml".into() })
}

fn frozen() -> Frozen {
    Frozen {
        version: 1,
        program: "0.1.0".into(),
        recipe: "app".into(),
        platform: Platform::first(),
        commit: None,
        files: vec![file(FileRole::Recipe, "pipeline.toml".into())],
        lock: None,
        set: BTreeMap::new(),
        env: BTreeMap::new(),
        select: Select::default(),
        targets: Vec::new(),
        ci: CiJobs {
            runner: vec!["ubuntu-24.04".into()],
            named: true,
            deliver_runner: vec!["self-hosted".into(), "lab".into()],
            environment: "delivery".into(),
            install: None,
            image: None,
            secrets: Vec::new(),
            timeout_minutes: 120,
        },
        instances: Vec::new(),
        digest: None,
    }
}

fn add(frozen: &mut Frozen, name: &str, deliver: bool, native: bool, privileged: bool) {
    frozen.targets.push(Target {
        name: name.to_owned(),
        platform: Platform::first(),
        runner: vec![if native { "ubuntu-24.04-arm" } else { "ubuntu-24.04" }.into()],
        native,
        any_engine: false,
        tools: Vec::new(),
        nodes: Vec::new(),
        secrets: Vec::new(),
        privileged,
    });
    frozen.instances.push(step("build", Some(name), Stage::Build));
    if deliver {
        frozen.instances.push(step("deliver", Some(name), Stage::Deliver));
    }
}

fn step(id: &str, target: Option<&str>, stage: Stage) -> Step {
    Step {
        id: InstanceId::new(id, None, None),
        kind: "run".into(),
        target: target.map(str::to_owned),
        node: None,
        stage,
        after: Vec::new(),
    }
}

fn file(role: FileRole, path: String) -> RecipeFile {
    RecipeFile { path, role, digest: Digest::of(b"") }
}
