//! A build that is handed secrets uses them, and nothing else ever shows them: no process, no file, no image, no plan.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::kit::{Work, set_executable};
use crate::require_lab;

/// Looks at every process of the machine while a closure runs.
struct Sampler<'n> {
    needles: &'n [String],
    /// Processes that were given the variable by whoever started them.
    given: PathBuf,
    looks: AtomicUsize,
}

impl Sampler<'_> {
    /// The processes that showed one, and in which of their files.
    fn during<T>(&self, does: impl FnOnce() -> T) -> (T, BTreeSet<String>) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sampler = scope.spawn(|| {
                let mut shown = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    self.look(&mut shown);
                    self.looks.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(5));
                }
                shown
            });
            let done = does();
            over.store(true, Ordering::Relaxed);
            (done, sampler.join().unwrap())
        })
    }

    fn look(&self, shown: &mut BTreeSet<String>) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let process = entry.path();
            for file in ["cmdline", "environ"] {
                let Ok(bytes) = fs::read(process.join(file)) else { continue };
                let found = self.needles.iter().any(|needle| holds(&bytes, needle));
                let given = || fs::read_link(process.join("exe")).is_ok_and(|exe| exe == self.given);
                if found && !(file == "environ" && given()) {
                    let command = fs::read(process.join("cmdline")).unwrap_or_default();
                    shown.insert(format!("{file} of {}", String::from_utf8_lossy(&command)));
                }
            }
        }
    }
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(needle)
}

/// The files below a folder that hold one of them, also in their names. Nothing that is mounted there is looked at twice.
fn files_with(folder: &Path, needles: &[String], but: &Path, seen: &mut usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if path == but {
            continue;
        }
        if kind.is_dir() {
            found.extend(files_with(&path, needles, but, seen));
        } else if kind.is_file() {
            *seen += 1;
            let bytes = fs::read(&path).unwrap_or_default();
            let name = path.file_name().unwrap().as_bytes();
            if needles.iter().any(|needle| holds(&bytes, needle) || holds(name, needle)) {
                found.push(path);
            }
        }
    }
    found
}

/// The values, which no other test and no earlier run has.
fn values(engine: &str) -> [String; 2] {
    let pid = std::process::id();
    [format!("npm-{engine}-{pid}-s3cret"), format!("key-{engine}-{pid}-s3cret\nof two lines {pid}\n")]
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn recipe(engine: &str, keys: &str, key: &str) -> Work {
    // It prints them too, whole and encoded: a log has what a build prints. No cache knows this command, nor the secrets.
    let dockerfile = format!(
        "RUN --mount=type=secret,id=npm --mount=type=secret,id=the.key : {} && \
        cat /run/secrets/npm /run/secrets/the.key && base64 /run/secrets/npm && sleep 1 && \
        cat /run/secrets/npm | sha256sum >/sums && cat /run/secrets/the.key | sha256sum >>/sums",
        std::process::id()
    );
    let rest = format!(
        "secrets = {{ npm = {{ env = \"NPM_TOKEN\" }}, \"the.key\" = {{ file = \"../home/key, with a comma\" }} }}\n{keys}\
         [[step]]\nuses = \"smoke\"\nargv = [\"cat\", \"/sums\"]\n\
         [[step]]\nuses = \"save\"\npath = \"app.tar\"\n[env]\nsecret = [\"NPM_TOKEN\"]\n"
    );
    let work = Work::tiny(&format!("secret-{engine}"), engine, &[("arm64", "")], &dockerfile, &rest);
    fs::write(work.root().join("home/key, with a comma"), key).unwrap();
    work
}

/// The run, the plans and the script of it; `inspect` prints what the engine tells of an image.
fn handed(engine: &str, mut work: Work, inspect: &[&str]) {
    let [token, key] = values(engine);
    work.env("NPM_TOKEN", &token);
    let mut needles: Vec<String> = key.lines().map(str::to_owned).collect();
    needles.push(token.clone());
    // In base64, after the three ways in which it can be divided.
    for skip in 0..3 {
        let bytes = &token.as_bytes()[skip..];
        let encoded = base64(&bytes[..bytes.len() / 3 * 3]);
        needles.push(encoded);
    }
    let given = PathBuf::from(env!("CARGO_BIN_EXE_pipeline")).canonicalize().unwrap();
    let sampler = Sampler { needles: &needles, given, looks: AtomicUsize::new(0) };

    let (outcome, shown) = sampler.during(|| work.run(&["-v"]));
    let outcome = outcome.exits(0);
    let sums = outcome.output("smoke@arm64", "stdout");
    assert!(sums.contains(&sha256(&token)) && sums.contains(&sha256(&key)), "it arrived: {sums}");
    assert!(outcome.stderr.contains("***"), "what the build printed is hidden: {}", outcome.stderr);
    assert_eq!(shown, BTreeSet::new(), "processes");
    // One look at all processes takes longer where there are very many.
    assert!(sampler.looks.load(Ordering::Relaxed) > 30, "{:?} looks", sampler.looks);

    let kept = |text: &str| needles.iter().find(|needle| holds(text.as_bytes(), needle)).cloned();
    assert_eq!(kept(&outcome.stderr).or(kept(&outcome.stdout)), None);
    let handle = outcome.output("image@arm64", "handle");
    let told = work.command(inspect[0]).args(&inspect[1..]).arg(&handle).output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("sha256") && kept(&told).is_none(), "{told}");
    for format in ["text", "json", "sh"] {
        let plan = work.pipeline(&["plan", "--format", format]).output().unwrap();
        let text = String::from_utf8(plan.stdout).unwrap();
        assert!(text.contains("NPM_TOKEN") && kept(&text).is_none(), "{format}: {text}");
    }
    let home = work.root().join("home");
    let mut seen = 0;
    assert_eq!(files_with(work.root(), &needles, &home, &mut seen), Vec::<PathBuf>::new());
    assert!(seen > 10, "state, events, logs, plan, archive and store are files: {seen}");
    assert!(!work.path(".pipeline/work/image@arm64/secrets").exists());

    // Another value is no reason to build again.
    work.env("NPM_TOKEN", "another-s3cret-value");
    assert!(work.run(&[]).exits(0).stderr.contains("up to date"));
    work.env("NPM_TOKEN", &token);

    // In a script the environment is everybody's; arguments are not, and nothing stays.
    let script = work.pipeline(&["plan", "--format", "sh"]).output().unwrap().stdout;
    work.write("run.sh", &script);
    set_executable(&work.path("run.sh"));
    let (done, shown) = sampler.during(|| {
        let mut command = work.command("sh");
        command.arg("run.sh").env("PIPELINE", env!("CARGO_BIN_EXE_pipeline"));
        command.output().unwrap()
    });
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let arguments: Vec<_> = shown.iter().filter(|found| found.starts_with("cmdline")).collect();
    assert_eq!(arguments, Vec::<&String>::new());
    assert_eq!(files_with(work.root(), &needles, &home, &mut seen), Vec::<PathBuf>::new());
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).map(|three| u32::from_be_bytes([0, three[0], three[1], three[2]]));
    let digit = |group: u32, at: u32| char::from(DIGITS[(group >> (18 - 6 * at) & 63) as usize]);
    groups.flat_map(|group| (0..4).map(move |at| digit(group, at))).collect()
}

#[test]
fn by_buildah() {
    let _lab = require_lab!();
    let work = recipe("buildah", "", &values("buildah")[1]);
    let (root, run) = (work.path(".pipeline/store/root"), work.path(".pipeline/store/run"));
    let store = ["buildah", "--root", root.to_str().unwrap(), "--runroot", run.to_str().unwrap()];
    handed("buildah", work, &[&store[..], &["inspect", "--type", "image"]].concat());
}

#[test]
fn by_podman() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    let mut work = recipe("podman", "", &values("podman")[1]);
    work.with_podman(lab);
    handed("podman", work, &["podman", "image", "inspect"]);
}

/// By the client of Debian 12, which needs no plug-in for BuildKit.
#[test]
fn by_docker_with_buildkit() {
    let lab = require_lab!("dockerd");
    let client = Path::new("/usr/bin/docker");
    let help =
        std::process::Command::new(client).args(["build", "--help"]).env("DOCKER_BUILDKIT", "1").output();
    if !help.is_ok_and(|help| holds(&help.stdout, "--secret")) {
        pipeline_testkit::skip("no docker client here has BuildKit built in");
        return;
    }
    let mut work = recipe("docker", "buildkit = true\nnetwork = \"none\"\n", &values("docker")[1]);
    work.with_docker(lab);
    let path = format!("/usr/bin:{}", std::env::var("PATH").unwrap());
    work.env("PATH", path);
    handed("docker", work, &["/usr/bin/docker", "image", "inspect"]);
}

/// What a `RUN` leaves of it in the image is for everybody: the audit finds it, and its place is told.
#[test]
fn a_build_that_keeps_one_goes_nowhere() {
    let _lab = require_lab!();
    let dockerfile =
        "RUN --mount=type=secret,id=key cp /run/secrets/key /kept && chmod 644 /kept && rm -f /other";
    let rest = "secrets = { key = { file = \"key\" } }\n[[step]]\nuses = \"save\"\npath = \"app.tar\"\n";
    let work = Work::tiny("secret-kept", "buildah", &[("arm64", "")], dockerfile, rest);
    work.write("key", "a-key-that-somebody-copies\n");
    let outcome = work.run(&[]).exits(6);
    let told = format!("{}{}", outcome.failure("image@arm64").message, outcome.lines("image@arm64"));
    assert!(told.contains("kept") && !told.contains("somebody"), "{told}");
    assert!(!work.path("app.tar").exists());
}
