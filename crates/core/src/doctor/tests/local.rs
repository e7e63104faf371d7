//! Tools, emulation and workspace of this machine.

use super::kit::{Space, calls, calls_on, instance, leaves, list, named, plan, runs};
use crate::doctor::Level;
use crate::plan::{Action, Command, EnsureBinfmt, Register, Text};
use crate::platform::Platform;

#[test]
fn preflight_tells_all_missing_tools_at_once() {
    let space = Space::new();
    space.tool("git");
    let steps = vec![calls("a", &["git", "skopeo-of-a-test"]), calls("b", &["buildah", "skopeo-of-a-test"])];
    let findings = space.preflight(&plan(steps, Vec::new()));
    assert_eq!(list(&findings), ["tools buildah", "tools skopeo-of-a-test"]);
    assert_eq!(findings[0].remedy.as_deref(), Some("apt-get install buildah"));
    assert!(findings[1].remedy.as_ref().unwrap().contains("PATH"));
}

#[test]
fn what_a_step_can_do_without_is_not_reported_before_a_run() {
    let space = Space::new();
    let mut may_fail = calls("a", &["none-a"]);
    may_fail.allow_failure = true;
    let mut cleans = calls("b", &[]);
    cleans.cleanup = vec![Command::new(["none-b"]).into()];
    let container = Register::Container(Command::new(["none-c"]));
    let ensure =
        Action::EnsureBinfmt(EnsureBinfmt { platforms: Vec::new(), register: container, builder: None });
    let steps = plan(vec![may_fail, cleans, instance("c", None, vec![ensure])], Vec::new());
    assert!(space.preflight(&steps).is_empty());
    let findings = space.examine(Some(&steps));
    for tool in ["none-a", "none-b", "none-c"] {
        assert_eq!(named(&findings, "tools", tool).level, Level::Warning);
    }
}

#[test]
fn a_path_is_looked_up_from_the_recipe_unless_a_step_before_makes_it() {
    let space = Space::new();
    space.script("there.sh", "");
    std::fs::write(space.file("plain.txt"), "").unwrap();
    std::fs::create_dir(space.file("sub")).unwrap();
    let mut in_folder = Command::new(["../there.sh"]);
    in_folder.dir = Some("sub".into());
    let steps = vec![
        leaves(calls("make", &["./there.sh", "./later"]), "out/tools"),
        calls("use", &["./out/tools/gen", ".pipeline/work/x/tool", "./absent.sh", "./plain.txt"]),
        instance("in", None, vec![in_folder.into(), Command::new([Text::here("there.sh")]).into()]),
        // Too late for the others.
        leaves(calls("after", &["./out/tools"]), "later"),
    ];
    let findings = space.preflight(&plan(steps, Vec::new()));
    let expected =
        ["absent.sh", "later", "plain.txt"].map(|name| format!("tools {}", space.file(name).display()));
    assert_eq!(list(&findings), expected);
    assert!(findings[2].remedy.as_ref().unwrap().starts_with("chmod +x "));
}

#[test]
fn a_tool_is_looked_for_on_the_path_of_its_command() {
    let space = Space::new();
    std::fs::create_dir(space.file("own")).unwrap();
    space.script("own/gen", "echo gen 3");
    space.tool("git");
    let on =
        |path: Text, tool: &str| instance(tool, None, vec![Command::new([tool]).env("PATH", path).into()]);
    let steps = plan(vec![on(Text::here("own"), "gen"), on("/nowhere".into(), "git")], Vec::new());
    let findings = space.preflight(&steps);
    assert_eq!(list(&findings), ["tools git"]);
    assert!(findings[0].detail.contains("own PATH, /nowhere"), "{findings:?}");
    assert_eq!(named(&space.examine(Some(&steps)), "tools", "gen").level, Level::Ok);
    // What the run itself will make of it, nobody knows yet.
    let late = Text::late("a", "b", crate::plan::Grammar::Hex);
    assert!(space.preflight(&plan(vec![on(late, "gen")], Vec::new())).is_empty());
}

#[test]
fn what_a_run_step_before_may_bring_is_only_a_warning() {
    let space = Space::new();
    space.tool("make");
    let tools = ["bin/mytool", "mytool-of-a-test"];
    let steps = plan(vec![runs("a", &["make"]), calls("b", &[]), runs("c", &tools)], Vec::new());
    assert!(space.preflight(&steps).is_empty());
    // What the other kinds call, nobody makes in a recipe.
    assert_eq!(space.preflight(&plan(vec![runs("a", &["make"]), calls("c", &tools)], Vec::new())).len(), 2);
    let findings = space.examine(Some(&steps));
    assert_eq!(named(&findings, "tools", "mytool-of-a-test").level, Level::Warning);
    let path = space.file("bin/mytool").display().to_string();
    assert_eq!(named(&findings, "tools", &path).level, Level::Warning);
    // Itself, what comes after, and what runs on a node bring nothing here.
    let on_node = crate::plan::Instance { kind: "run".into(), ..calls_on("n", &["make"]) };
    let steps = plan(vec![on_node, runs("c", &tools), runs("d", &["make"])], Vec::new());
    assert_eq!(space.preflight(&steps).len(), 2);
}

#[test]
fn one_working_engine_excuses_the_others() {
    let space = Space::new();
    for tool in ["buildah", "cp", "git", "mv", "rm"] {
        space.tool(tool);
    }
    // It tells its version on stderr.
    space.script("bin/ssh", "echo OpenSSH_9.2 >&2");
    space.script("bin/skopeo", "echo 'libgpgme.so.11: cannot open shared object file' >&2; exit 127");
    let findings = space.examine(None);
    assert_eq!(named(&findings, "tools", "docker").level, Level::Warning);
    assert_eq!(named(&findings, "tools", "podman").remedy.as_deref(), Some("apt-get install podman"));
    assert_eq!(named(&findings, "tools", "scp").level, Level::Missing);
    let git = format!("git version 1.2 ({})", space.file("bin/git").display());
    assert_eq!(named(&findings, "tools", "git").detail, git);
    assert!(named(&findings, "tools", "ssh").detail.starts_with("OpenSSH_9.2 "));
    let skopeo = named(&findings, "tools", "skopeo");
    assert!(skopeo.level == Level::Missing && skopeo.detail.contains("libgpgme"), "{skopeo:?}");
    assert_eq!(named(&findings, "engine", "buildah").level, Level::Ok);
    assert_eq!(named(&findings, "workspace", "free space").area, "workspace");

    std::fs::remove_file(space.file("bin/buildah")).unwrap();
    let findings = space.examine(None);
    assert_eq!(named(&findings, "tools", "docker").level, Level::Missing);
    assert_eq!(named(&findings, "engine", "auto").level, Level::Missing);
}

#[test]
fn emulation_matters_as_far_as_the_plan_needs_it() {
    let space = Space::new();
    let foreign = Platform::parse("s390x").unwrap();
    let ensure = Action::EnsureBinfmt(EnsureBinfmt {
        platforms: vec![foreign.clone()],
        register: Register::Host,
        builder: None,
    });
    let needs = plan(vec![instance("a", None, vec![ensure])], Vec::new());
    let findings = space.examine(Some(&needs));
    let finding = named(&findings, "emulation", "linux/s390x");
    assert_eq!(finding.level, Level::Missing);
    let remedy = format!("mount -t binfmt_misc binfmt_misc {}", space.file("binfmt_misc").display());
    assert_eq!(finding.remedy.as_deref(), Some(remedy.as_str()));

    let mut only_sends = calls("a", &[]);
    only_sends.platform = Some(foreign);
    let findings = space.examine(Some(&plan(vec![only_sends], Vec::new())));
    assert_eq!(named(&findings, "emulation", "linux/s390x").level, Level::Warning);
    let all = space.examine(None);
    assert_eq!(named(&all, "emulation", "linux/s390x").level, Level::Warning);
    let own = space.subject(None).platform.to_string();
    assert_eq!(named(&all, "emulation", &own).detail, "runs natively");
}

#[test]
fn the_workspace_must_be_a_folder() {
    let space = Space::new();
    let findings = space.examine(None);
    assert_eq!(named(&findings, "workspace", ".pipeline").level, Level::Ok);
    std::fs::write(space.file(".pipeline"), "").unwrap();
    let findings = space.examine(None);
    assert_eq!(named(&findings, "workspace", ".pipeline").level, Level::Missing);
}
