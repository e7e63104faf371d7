//! The audit on images that real tools built of Debian's real programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kit::{Lab, Work, debs, package};
use crate::require_lab;

/// An image in the making: a context, and a Dockerfile on it.
struct Recipe<'w> {
    work: &'w Work,
    name: &'static str,
    dockerfile: String,
}

impl<'w> Recipe<'w> {
    fn new(work: &'w Work, name: &'static str) -> Self {
        fs::create_dir_all(work.path(name)).unwrap();
        Self { work, name, dockerfile: "FROM scratch\n".to_owned() }
    }

    /// A layer with a file of the context.
    fn file(mut self, path: &str, mode: u32, bytes: &[u8]) -> Self {
        let at = self.work.path(self.name).join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, bytes).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
        self.dockerfile += &format!("COPY {path} /{path}\n");
        self
    }

    /// Debian's static busybox of this architecture.
    fn busybox(self, path: &str, arch: &str) -> Self {
        let bytes = busybox(arch);
        self.file(path, 0o755, &bytes)
    }

    fn line(mut self, line: &str) -> Self {
        self.dockerfile += line;
        self.dockerfile.push('\n');
        self
    }

    /// Built for this platform, and written where the transport says.
    fn build(self, platform: &str, transport: &str) {
        let image = format!("localhost/{}:1", self.name);
        self.work.write(format!("{}/Dockerfile", self.name), &self.dockerfile);
        let flags = ["--no-cache", "--layers", "--isolation", "chroot", "--platform", platform];
        buildah(self.work, &[&["build"], &flags[..], &["--tag", &image, self.name]].concat());
        let to = match transport {
            "oci" => format!("oci:{}.oci", self.name),
            other => format!("{other}:{}.tar:example.com/{}:1", self.name, self.name),
        };
        buildah(self.work, &["push", "--quiet", &image, &to]);
    }
}

#[track_caller]
fn buildah(work: &Work, args: &[&str]) {
    let mut command = work.command("buildah");
    command.arg("--root").arg(work.path("store")).arg("--runroot").arg(work.path("runroot")).args(args);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A file of a Debian package.
fn of_package(deb: &Path, file: &str) -> Vec<u8> {
    let mut unpacked =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn().unwrap();
    let tarred = Command::new("tar")
        .args(["-x", "-O", "--wildcards", file])
        .stdin(unpacked.stdout.take().unwrap())
        .output()
        .unwrap();
    unpacked.wait().unwrap();
    assert!(!tarred.stdout.is_empty(), "no {file} in {}", deb.display());
    tarred.stdout
}

fn busybox(arch: &str) -> Vec<u8> {
    of_package(&package(arch, "busybox-static"), "*/bin/busybox")
}

/// The report on an archive: exit code, verdict, and the platform of its programs.
fn audited(work: &Work, archive: &str, args: &[&str]) -> (i32, Value) {
    let mut command = work.pipeline(&["audit", "--format", "json"]);
    let output = command.args(args).arg(archive).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{archive}: {error}: {said}"));
    (output.status.code().unwrap(), report)
}

#[test]
fn a_corpus_of_debians_programs() {
    pipeline_testkit::require!("buildah");
    let work = Work::new("");
    let new = |name| Recipe::new(&work, name);
    let docker = "docker-archive";
    let simple = |name, arch, platform| new(name).busybox("bin/busybox", arch).build(platform, docker);
    simple("right-arm64", "arm64", "linux/arm64");
    simple("right-armhf", "armhf", "linux/arm/v7");
    simple("right-amd64", "amd64", "linux/amd64");
    simple("right-i386", "i386", "linux/386");
    simple("right-s390x", "s390x", "linux/s390x");
    simple("right-ppc64el", "ppc64el", "linux/ppc64le");
    simple("amd64-as-arm64", "amd64", "linux/arm64");
    simple("arm64-as-amd64", "arm64", "linux/amd64");
    simple("armel-as-armhf", "armel", "linux/arm/v7");
    // buildah 1.28 labels all that is built for `linux/arm` with `v7`.
    for (name, arch) in [("right-armel", "armel"), ("armhf-as-armel", "armhf")] {
        simple(name, arch, "linux/arm/v7");
        let image = format!("localhost/{name}:1");
        buildah(&work, &["from", "--name", name, &image]);
        buildah(&work, &["config", "--arch", "arm", "--variant", "v5", name]);
        buildah(&work, &["commit", "--quiet", name, &image]);
        fs::remove_file(work.path(format!("{name}.tar"))).unwrap();
        buildah(&work, &["push", "--quiet", &image, &format!("docker-archive:{name}.tar:{name}:1")]);
    }
    new("oci").busybox("bin/busybox", "arm64").build("linux/arm64", "oci");
    new("oci-archive").busybox("bin/busybox", "armhf").build("linux/arm64", "oci-archive");
    new("mixed").busybox("bin/busybox", "arm64").busybox("opt/tool", "amd64").build("linux/arm64", docker);
    new("script")
        .file("run", 0o755, b"#!/bin/sh\nexec true\n")
        .line("CMD [\"/run\"]")
        .build("linux/arm64", docker);
    new("overwritten")
        .busybox("bin/busybox", "amd64")
        .line("COPY right /bin/busybox")
        .busybox("right", "arm64")
        .build("linux/arm64", docker);
    new("secret")
        .busybox("bin/busybox", "arm64")
        .file("app/.env", 0o600, b"TOKEN=tell-nobody-of-this\n")
        .line("ENV TOKEN=tell-nobody-of-this")
        .build("linux/arm64", docker);
    // A dynamic userland: Debian's libc with its loader, and a program that needs them.
    let folder = debs("arm64");
    let libc = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let libc = libc.into_iter().find(|path| path.to_string_lossy().contains("/libc6_")).unwrap();
    let loader = of_package(&libc, "*/ld-linux-aarch64.so.1");
    let so = of_package(&libc, "*/libc.so.6");
    let program = of_package(&package("arm64", "busybox"), "*/bin/busybox");
    new("dynamic")
        .file("lib/ld-linux-aarch64.so.1", 0o755, &loader)
        .file("lib/aarch64-linux-gnu/libc.so.6", 0o755, &so)
        .file("bin/busybox", 0o755, &program)
        .line("ENTRYPOINT [\"busybox\"]")
        .build("linux/arm64", docker);
    // Hard links and whiteouts, as buildah writes them.
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("bin")).unwrap();
    fs::write(tree.path().join("bin/busybox"), busybox("amd64")).unwrap();
    fs::hard_link(tree.path().join("bin/busybox"), tree.path().join("bin/sh")).unwrap();
    symlink("busybox", tree.path().join("bin/ls")).unwrap();
    let packed = |name: &str| {
        let to = work.path(name).join("tree.tar");
        fs::create_dir(to.parent().unwrap()).unwrap();
        let status = Command::new("tar").arg("-C").arg(tree.path()).arg("-cf").arg(to).arg(".").status();
        assert!(status.unwrap().success());
    };
    packed("linked");
    fs::write(tree.path().join("bin/busybox"), busybox("arm64")).unwrap();
    // COPY of buildah drops the bit.
    fs::set_permissions(tree.path().join("bin/busybox"), fs::Permissions::from_mode(0o4755)).unwrap();
    packed("setuid");
    new("setuid").line("ADD tree.tar /").build("linux/arm64", docker);
    new("linked").line("ADD tree.tar /").build("linux/arm64", docker);
    let emulator = fs::read("/usr/bin/qemu-aarch64-static").ok();
    if let Some(emulator) = &emulator {
        new("emulator")
            .busybox("bin/busybox", "arm64")
            .file("usr/bin/qemu-aarch64-static", 0o755, emulator)
            .build("linux/arm64", docker);
    }
    if std::env::consts::ARCH == "x86_64" {
        // As a Dockerfile removes a file: the layer that removes is of this machine's programs only while it is built.
        new("removed")
            .busybox("bin/rm", "amd64")
            .busybox("wrong", "s390x")
            .line("RUN [\"/bin/rm\", \"/wrong\"]")
            .build("linux/amd64", docker);
    }

    // Name, exit code, verdict, what its programs are for.
    let cases = [
        ("right-arm64.tar", 0, "right", "linux/arm64"),
        ("right-armhf.tar", 0, "right", "linux/arm/v7"),
        ("right-armel.tar", 0, "right", "linux/arm/v5"),
        ("right-amd64.tar", 0, "right", "linux/amd64"),
        ("right-i386.tar", 0, "right", "linux/386"),
        ("right-s390x.tar", 0, "right", "linux/s390x"),
        ("right-ppc64el.tar", 0, "right", "linux/ppc64le"),
        ("amd64-as-arm64.tar", 6, "label-wrong", "linux/amd64"),
        ("arm64-as-amd64.tar", 6, "label-wrong", "linux/arm64"),
        ("armel-as-armhf.tar", 6, "label-wrong", "linux/arm/v5"),
        ("armhf-as-armel.tar", 6, "label-wrong", "linux/arm/v7"),
        ("oci.oci", 0, "right", "linux/arm64"),
        ("oci-archive.tar", 6, "label-wrong", "linux/arm/v7"),
        ("mixed.tar", 6, "mixed", ""),
        ("script.tar", 0, "nothing-to-tell", ""),
        ("overwritten.tar", 0, "right", "linux/arm64"),
        ("setuid.tar", 0, "right", "linux/arm64"),
        ("secret.tar", 0, "right", "linux/arm64"),
        ("dynamic.tar", 0, "right", "linux/arm64"),
        ("linked.tar", 6, "label-wrong", "linux/amd64"),
        ("emulator.tar", 0, "right", "linux/arm64"),
        ("removed.tar", 0, "right", "linux/amd64"),
    ];
    let mut looked = 0;
    for (archive, code, verdict, content) in cases.into_iter().filter(|(name, ..)| work.path(name).exists()) {
        let (exited, report) = audited(&work, archive, &[]);
        let image = &report["images"][0];
        assert_eq!((exited, image["verdict"].as_str()), (code, Some(verdict)), "{archive}: {report:#}");
        assert_eq!(image["content"].as_str().unwrap_or_default(), content, "{archive}: {report:#}");
        looked += 1;
    }
    assert!(looked >= 20, "{looked}");

    let of = |archive: &str, args: &[&str]| audited(&work, archive, args);
    // Held against a target, what differs from it is wrong.
    assert_eq!(of("amd64-as-arm64.tar", &["--platform", "linux/arm64"]).1["verdict"], "content-wrong");
    assert_eq!(of("arm64-as-amd64.tar", &["--platform", "linux/arm64"]).1["verdict"], "label-wrong");
    assert_eq!(of("mixed.tar", &[]).1["images"][0]["foreign"]["files"][0]["path"], "/opt/tool");
    assert_eq!(of("mixed.tar", &["--allow", "opt/*"]).0, 0);
    let linked = of("linked.tar", &[]).1;
    assert_eq!(
        linked["images"][0]["foreign"]["count"], 2,
        "a hard link is a program, a symlink is none: {linked:#}"
    );
    assert_eq!(of("setuid.tar", &["--deny", "setuid"]).0, 6);
    let dynamic = of("dynamic.tar", &[]).1;
    let start = &dynamic["images"][0]["start"];
    assert_eq!((&start[0]["role"], &start[1]["role"]), (&"entrypoint".into(), &"loader".into()), "{start:#}");
    assert_eq!(start[1]["at"]["path"], "/lib/ld-linux-aarch64.so.1");
    if emulator.is_some() {
        assert_eq!(of("emulator.tar", &[]).1["images"][0]["carried"]["count"], 1);
    }
    let mut secret = work.pipeline(&["audit", "--format", "json", "--secret", "TOKEN", "secret.tar"]);
    let output = secret.env("TOKEN", "tell-nobody-of-this").output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("/app/.env") && told.contains("config.Env[") && !told.contains("tell-nobody"),
        "{told}"
    );

    // The label is fixed, and skopeo and buildah take the result.
    let fixed =
        ["audit", "--fix-label", "-o", "fixed.tar", "--as", "example.com/fixed:1", "arm64-as-amd64.tar"];
    let output = work.pipeline(&fixed).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(of("fixed.tar", &["--platform", "linux/arm64"]).0, 0);
    let inspect = work.command("skopeo").args(["inspect", "docker-archive:fixed.tar"]).output().unwrap();
    let inspect: Value = serde_json::from_slice(&inspect.stdout).unwrap();
    assert_eq!(inspect["Architecture"], "arm64");
    buildah(&work, &["pull", "--quiet", "docker-archive:fixed.tar"]);
}

#[test]
fn an_index_for_several_platforms() {
    pipeline_testkit::require!("buildah");
    let work = Work::new("");
    buildah(&work, &["manifest", "create", "localhost/index:1"]);
    for (name, arch, platform) in [
        ("part-arm64", "arm64", "linux/arm64"),
        ("part-armhf", "armhf", "linux/arm/v7"),
        // Under the label, and in the index, of another.
        ("part-s390x", "amd64", "linux/s390x"),
    ] {
        Recipe::new(&work, name).busybox("bin/busybox", arch).build(platform, "oci-archive");
        buildah(&work, &["manifest", "add", "localhost/index:1", &format!("localhost/{name}:1")]);
    }
    for to in ["oci:index.oci", "oci-archive:index.tar"] {
        buildah(&work, &["manifest", "push", "--all", "localhost/index:1", to]);
        let path = to.split_once(':').unwrap().1;
        let (code, report) = audited(&work, path, &[]);
        let verdicts: Vec<_> = report["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["verdict"].as_str().unwrap())
            .collect();
        assert_eq!((code, verdicts), (6, vec!["right", "right", "content-wrong"]), "{report:#}");
        assert_eq!(audited(&work, path, &["--platform", "linux/arm/v7"]).0, 0);
        let none = work.pipeline(&["audit", "--platform", "linux/386", path]).output().unwrap();
        assert_eq!(none.status.code(), Some(6));
    }
}

/// An app on a base that another step builds: its label says ARM64, its userland is armhf's.
fn on_a_mislabelled_base(name: &str, engine: &str, audit: &str) -> Work {
    let more = "audit = false\n[[step]]\nid = \"app-context\"\nuses = \"run\"\nargv = [\"true\"]\noutputs = { context = \"app\" }\n\
        [[step]]\nid = \"app\"\nuses = \"build\"\nsource = \"app-context\"\ntag = \"app:1\"\nbases = { \"example.org/base:1\" = \"image\" }\n\
        AUDIT\n[[step]]\nuses = \"save\"\nimage = \"app\"\n";
    let more = format!("source = \"context\"\n{}", more.replace("AUDIT", audit));
    let work = Work::tiny(name, engine, &[("arm64", "")], "", &more);
    work.context("context-arm64", "armv7", "");
    work.write("app/Dockerfile", "FROM example.org/base:1\nCOPY text /text\n");
    work.write("app/text", "text\n");
    work
}

#[track_caller]
fn is_refused(work: &Work) {
    let outcome = work.run(&[]).exits(6);
    let failure = outcome.failure("app@arm64");
    assert!(
        failure.message.contains("its programs are for linux/arm/v7: `/bin/busybox` (layer 1)"),
        "{failure:?}"
    );
    let report: Value = serde_json::from_str(&work.read(".pipeline/work/app@arm64/audit.json")).unwrap();
    assert_eq!(report["verdict"], "content-wrong");
    assert!(!outcome.lines("app@arm64").contains("exports the whole image"), "it is read in the store");
    assert!(outcome.lines("save@arm64").is_empty());
}

#[test]
fn docker_on_a_mislabelled_base() {
    let lab = require_lab!("dockerd");
    is_refused(on_a_mislabelled_base("audit-docker", "docker", "").with_docker(lab));
}

#[test]
fn podman_on_a_mislabelled_base() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    is_refused(on_a_mislabelled_base("audit-podman", "podman", "").with_podman(lab));
}

#[test]
fn buildah_on_a_mislabelled_base() {
    let _lab: &Lab = require_lab!();
    is_refused(&on_a_mislabelled_base("audit-buildah", "buildah", ""));
    let allowed = on_a_mislabelled_base("audit-allowed", "buildah", "audit = { allow = [\"bin/busybox\"] }");
    allowed.run(&[]).exits(0);
}

#[test]
fn images_in_stores_by_name() {
    let lab = require_lab!("dockerd");
    pipeline_testkit::require!("podman");
    for engine in ["docker", "podman"] {
        let mut work =
            Work::tiny(&format!("audit-name-{engine}"), engine, &[("arm64", "")], "", "audit = false\n");
        work.context("context-arm64", "armv7", "");
        if engine == "docker" {
            work.with_docker(lab)
        } else {
            work.with_podman(lab)
        };
        let id = work.run(&[]).exits(0).output("image@arm64", "id");
        let name = format!("{engine}:localhost/pipeline/audit-name-{engine}/image/arm64:latest");
        let (code, report) = audited(&work, &name, &[]);
        assert_eq!((code, report["verdict"].as_str()), (6, Some("label-wrong")), "{report:#}");
        assert_eq!(report["images"][0]["id"].as_str(), Some(id.as_str()));
    }
}

/// A `RUN` that copies what it was handed in secret, and removes the copy in a later layer.
#[test]
fn a_secret_of_the_build_that_got_into_a_layer() {
    let _lab: &Lab = require_lab!();
    let dockerfile = "RUN --mount=type=secret,id=token cp /run/secrets/token /token\nRUN rm /token";
    let keys = "[step.secrets]\ntoken = { env = \"TOKEN\" }\n[env]\nsecret = [\"TOKEN\"]\n";
    let dockerfile = dockerfile.replace("rm /token", "[\"/bin/sh\", \"-c\", \": >/token\"]");
    let mut work = Work::tiny("audit-secret", "buildah", &[("arm64", "")], &dockerfile, keys);
    work.env("TOKEN", "tell-nobody-of-this");
    let outcome = work.run(&[]).exits(6);
    let failure = outcome.failure("image@arm64");
    assert!(failure.message.contains("a declared secret stands in `/token` (layer 2)"), "{failure:?}");
    assert!(!outcome.stderr.contains("tell-nobody"), "{}", outcome.stderr);
}
