//! `run` with real programs.

use crate::kit::Work;
use crate::require_lab;

#[test]
fn outputs_are_sources_contexts_and_archives_for_others() {
    let lab = require_lab!("nodes", "containerd");
    // An archive that nothing of ours wrote.
    let maker = Work::tiny(
        "run-maker",
        "buildah",
        &[("arm64", "")],
        "",
        "[[step]]\nuses = \"save\"\npath = \"a.tar\"\n",
    );
    let made = maker.run(&[]).exits(0);
    let at = lab.dir.display();
    let recipe = format!(
        "[targets.arm64]\nplatform = \"linux/arm64\"\nnodes = [\"edge\"]\n\
         [nodes.edge]\nhost = \"edge-armv7\"\nssh-config = \"{at}/ssh_config\"\nemulates = [\"linux/arm64\"]\n\
         runtime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"\ndir = \"{at}/edge-armv7/files/run-archive\"\n\
         [[step]]\nid = \"fetch\"\nuses = \"run\"\nargv = [\"cp\", \"{}\", \"got.tar\"]\noutputs = {{ archive = \"got.tar\" }}\n\
         reference = \"docker.io/library/run-maker:1\"\n\
         [[step]]\nuses = \"scp\"\n[[step]]\nuses = \"load\"\n[[step]]\nuses = \"crictl-verify\"\n",
        maker.path("a.tar").display()
    );
    let work = Work::new(&recipe);
    let outcome = work.run(&[]).exits(0);
    assert_eq!(outcome.output("fetch@arm64", "id"), made.output("image@arm64", "id"));
    assert_eq!(outcome.output("fetch@arm64", "sha256"), made.output("save@arm64", "sha256"));
    assert_eq!(
        lab.delivered("edge-armv7", "docker.io/library/run-maker:1"),
        Some(made.output("image@arm64", "id"))
    );

    // A `source`, patched and read by another command, in a folder of its own.
    let work = Work::new(
        "[[step]]\nid = \"make\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", \"mkdir -p s && printf 'FROM a:1\\\\n' >s/Dockerfile\"]\n\
         outputs = { source = \"s\" }\n\
         [[step]]\nid = \"patched\"\nuses = \"patch-FROM\"\nfrom = \"b:2\"\n\
         [[step]]\nid = \"look\"\nuses = \"run\"\ndir = \"s\"\nargv = [\"grep\", \"a:1\", \"Dockerfile\"]\nneeds = [\"patched\"]\n",
    );
    let outcome = work.run(&[]).exits(0);
    assert!(outcome.lines("look@host").contains("FROM a:1"));
    assert_eq!(work.read(".pipeline/work/patched@host/context/Dockerfile"), "FROM b:2\n");
}

#[test]
fn what_is_not_there_is_a_failure() {
    for (keys, message) in [
        ("argv = [\"true\"]\noutputs = { context = \"never-made\" }", "never-made"),
        ("argv = [\"true\"]\ninputs = [\"not-here\"]", "not-here"),
        ("argv = [\"./no-such-program\"]", "no-such-program"),
        ("argv = [\"sh\", \"-c\", \"echo oh dear >&2; exit 9\"]", "exited with code 9: oh dear"),
    ] {
        let work = Work::new(&format!("[[step]]\nid = \"it\"\nuses = \"run\"\n{keys}\n"));
        let outcome = work.run(&["--keep-going"]);
        let failure = outcome.failure("it@host");
        assert!(failure.message.contains(message), "{failure:?}");
        outcome.exits(1);
    }
}

#[test]
fn words_are_arguments_and_never_code() {
    let work = Work::new(
        "[vars]\nodd = \"a b; $(touch made) `touch made` ' \\\" \\n ../\"\n\
         [[step]]\nid = \"it\"\nuses = \"run\"\nargv = [\"printf\", \"[%s]\", \"${vars.odd}\", \"--\", \"*\"]\n",
    );
    let outcome = work.run(&[]).exits(0);
    assert_eq!(outcome.lines("it@host").trim_end(), "[a b; $(touch made) `touch made` ' \" \n ../][--][*]");
    assert!(!work.path("made").exists());
}
