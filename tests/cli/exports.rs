//! Files about a run for other programs: JUnit XML, Chrome's trace format, metadata, and the schema of events.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_core::event::EventKind;
use pipeline_testkit::{require, skip};
use serde_json::{Value, json};

use crate::history::{kill_hard, long, started};
use crate::lab::{Lab, Ran};

/// Says what is wrong with an event or another document, by the schema that the program prints.
pub(crate) struct Schema {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    /// The schema in that file of docs/.
    pub(crate) fn of(name: &str) -> Self {
        let file = crate::repository().join("docs").join(name);
        let schema = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, index }
    }

    pub(crate) fn problem(&self, event: &Value) -> Option<String> {
        self.schemas.validate(event, self.index).err().map(|error| format!("{error:#}: {event}"))
    }
}

/// Two targets; one step fails, one is skipped, one is tried again, one fails and may; and all that printing can do.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.recipe(
        r#"version = 1
[pipeline]
name = "app"
[targets.one]
platform = "linux/amd64"
[targets.two]
platform = "linux/arm64"
[[step]]
id = "first"
uses = "run"
argv = ["sh", "-c", "echo once"]
[[step]]
id = "flaky"
uses = "run"
argv = ["sh", "-c", "test -e tried-${target.name} || { : >tried-${target.name}; exit 7; }"]
targets = ["one", "two"]
retry = { attempts = 2, delay = "10ms" }
needs = ["first"]
[[step]]
id = "may"
uses = "run"
argv = ["sh", "-c", "exit 4"]
targets = ["one"]
allow-failure = true
[[step]]
id = "bad"
uses = "run"
argv = ["sh", "-c", "printf '\\000\\001\\010\\033[31mred\\033[0m ]]> </failure> & \\377\\n\\357\\277\\277end\\n'; exit 3"]
targets = ["two"]
needs = ["flaky"]
[[step]]
id = "after"
uses = "run"
argv = ["sh", "-c", ":"]
targets = ["two"]
needs = ["bad"]
"#
    );
    lab
}

const ALL: [&str; 6] = ["--junit", "out.xml", "--trace", "out.json", "--metadata-file", "meta.json"];

fn args<'a>(first: &[&'a str]) -> Vec<&'a str> {
    [first, &ALL].concat()
}

/// Valid by the schema that Jenkins publishes.
fn xml(lab: &Lab, file: &str) -> String {
    let text = lab.space.read(file);
    if let Some(xmllint) = pipeline_testkit::require("xmllint") {
        let schema = crate::repository().join("tests/cli/junit-10.xsd");
        let mut command = Command::new(xmllint);
        Ran::of(command.args(["--noout", "--schema"]).arg(schema).arg(lab.space.path(file))).must(0);
    }
    text
}

#[test]
fn the_schema_of_events_refuses_what_is_none() {
    let schema = Schema::of("events.schema.json");
    let lab = lab();
    lab.output(&["run", "-k"]).must(1);
    // Looks at all of them itself.
    let events: Vec<Value> = lab.events().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let finished = events.iter().find(|event| event["event"] == "finished").unwrap();
    assert_eq!(schema.problem(finished), None);
    for (key, value) in [
        ("seq", json!(-1)),
        ("event", json!("other")),
        ("status", json!("fine")),
        ("at", Value::Null),
        ("took", json!(3)),
    ] {
        let mut other = finished.clone();
        other[key] = value;
        assert!(schema.problem(&other).is_some(), "{other}");
    }
    let mut without = finished.clone();
    without.as_object_mut().unwrap().remove("instance");
    assert!(schema.problem(&without).is_some());
    assert!(schema.problem(&json!({})).is_some());
}

#[test]
fn a_report_is_valid_whatever_was_printed() {
    let lab = lab();
    lab.output(&args(&["run", "-k"])).must(1);
    let text = xml(&lab, "out.xml");
    assert!(text.contains(r#"<testsuites name="app" tests="7" failures="1" errors="0""#), "{text}");
    assert!(
        text.contains(r#"<testsuite name="two" tests="4" failures="1" errors="0" skipped="1""#),
        "{text}"
    );
    assert!(
        text.contains("not started: bad@two failed") && text.contains("failed, which is allowed"),
        "{text}"
    );
    assert!(text.contains("attempts: 2") && text.contains(r#"type="exit""#), "{text}");
    assert!(text.contains("red ]]&gt; &lt;/failure&gt; &amp;") && text.contains("end\n"), "{text}");
    assert!(!text.contains("</failure> &"), "{text}");
    // An earlier run is the same, and what is gone is told.
    lab.output(&["export", "--junit", "again.xml"]).must(0);
    assert_eq!(xml(&lab, "again.xml"), text);
    fs::remove_dir_all(lab.run_folder().join("logs")).unwrap();
    lab.output(&["export", "--junit", "again.xml"]).must(0);
    assert!(xml(&lab, "again.xml").contains("its log is gone"));
    lab.output(&["export"]).must(2);
    // Without a plan there are still results.
    fs::remove_file(lab.run_folder().join("plan.json")).unwrap();
    lab.output(&args(&["export"])).must(0);
    assert!(xml(&lab, "out.xml").contains(r#"<testcase name="bad@two" classname="app.two""#));
}

#[test]
fn of_a_run_that_was_killed_everything_can_be_written() {
    let lab = Lab::new();
    long(&lab);
    let mut child = started(&lab, &["run"]);
    kill_hard(child.id());
    child.wait().unwrap();
    lab.output(&args(&["export"])).must(0);
    let text = xml(&lab, "out.xml");
    assert!(text.contains(r#"errors="1""#) && text.contains("killed while this was under way"), "{text}");
    slices(&lab, "out.json");
    let metadata: Value = serde_json::from_str(&lab.space.read("meta.json")).unwrap();
    assert_eq!(metadata["result"], "killed");
}

/// The events of a trace; slices of a lane lie in each other or apart.
fn slices(lab: &Lab, file: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(&lab.space.read(file)).unwrap();
    let events = trace["traceEvents"].as_array().unwrap().clone();
    let mut lanes: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key}: {event}"));
        let (ts, dur) = (number("ts"), number("dur"));
        lanes.entry((number("pid"), number("tid"))).or_default().push((ts, ts + dur));
    }
    for (lane, slices) in lanes {
        for (index, a) in slices.iter().enumerate() {
            for b in &slices[..index] {
                let apart = a.1 <= b.0 || b.1 <= a.0;
                let within = (a.0 >= b.0 && a.1 <= b.1) || (b.0 >= a.0 && b.1 <= a.1);
                assert!(apart || within, "{lane:?}: {a:?} and {b:?}");
            }
        }
    }
    events
}

#[test]
fn a_trace_has_lanes_attempts_commands_and_the_critical_path() {
    let lab = lab();
    lab.output(&args(&["run", "-k", "-j", "4"])).must(1);
    let events = slices(&lab, "out.json");
    let named = |cat: &str, name: &str| {
        let is_it = |event: &&Value| {
            event["cat"] == cat && event["name"].as_str().is_some_and(|text| text.starts_with(name))
        };
        events.iter().filter(is_it).count()
    };
    assert_eq!(
        (named("step", "flaky@"), named("attempt", "attempt "), named("step", "after@two")),
        (2, 4, 0)
    );
    assert!(named("command", "sh -c") >= 7, "{}", named("command", "sh -c"));
    // Microseconds since the run began, as the events have it.
    let began = lab.events().into_iter().find_map(|event| match event.kind {
        EventKind::Started { instance, .. } if instance.as_str() == "flaky@one" => Some(event.elapsed),
        _ => None,
    });
    let slice = events.iter().find(|event| event["cat"] == "step" && event["name"] == "flaky@one").unwrap();
    assert_eq!(slice["ts"].as_u64(), began.map(|began| u64::try_from(began.as_micros()).unwrap()));
    // Which step ends last is the machine's affair; the critical path ends with it.
    let last = |cat: &str| {
        let end = |event: &Value| event["ts"].as_f64().unwrap() + event["dur"].as_f64().unwrap_or_default();
        let of_it = events.iter().filter(|event| event["cat"] == cat && event["ph"] == "X");
        of_it.max_by(|a, b| end(a).total_cmp(&end(b))).map(|event| event["name"].clone())
    };
    assert!(last("critical").is_some());
    assert_eq!(last("critical"), last("step"));
    let arrows = |ph: &str| {
        events.iter().filter(|event| event["ph"] == ph).map(|event| event["id"].as_u64()).collect::<Vec<_>>()
    };
    assert!(!arrows("s").is_empty());
    assert_eq!(arrows("s"), arrows("f"));
    catapult(&lab, "out.json", events.iter().filter(|event| event["ph"] == "X").count());
    lab.output(&["export", "--trace", "again.json"]).must(0);
    assert_eq!(lab.space.read("again.json"), lab.space.read("out.json"));
}

/// Opens a trace with the importer of `chrome://tracing`, which Go brings along, in a browser.
fn catapult(lab: &Lab, file: &str, count: usize) {
    require!("chromium", "go");
    let root = Command::new("go").args(["env", "GOROOT"]).output().unwrap().stdout;
    let root =
        Path::new(String::from_utf8(root).unwrap().trim()).join("src/internal/trace/traceviewer/static");
    let (Ok(components), Ok(viewer)) = (
        fs::read_to_string(root.join("webcomponents.min.js")),
        fs::read_to_string(root.join("trace_viewer_full.html")),
    ) else {
        return skip("this go has no trace viewer");
    };
    let trace = serde_json::to_string(&lab.space.read(file)).unwrap().replace("</", "<\\/");
    let script = "addEventListener('load', () => { let told; try {
        const model = new tr.Model(); new tr.importer.Import(model).importTraces([trace]);
        let slices = 0; for (const thread of model.getAllThreads()) slices += thread.sliceGroup.length;
        told = { warnings: model.importWarnings.map(one => one.message), slices, arrows: model.flowEvents.length };
    } catch (error) { told = { warnings: [String(error)] }; }
    document.body.textContent = 'BEGIN' + JSON.stringify(told) + 'END'; });";
    let page = format!(
        "<!doctype html><meta charset=utf-8><script>{components}</script><body>{viewer}<script>const trace = {trace}; {script}</script>"
    );
    lab.space.write("page.html", page);
    let mut browser = Command::new("chromium");
    browser.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=60000",
        "--dump-dom",
    ]);
    browser.arg(format!("--user-data-dir={}", lab.space.path("browser").display()));
    browser.arg(format!("file://{}", lab.space.path("page.html").display())).stderr(Stdio::null());
    let dom = Ran::of(&mut browser).must(0).stdout;
    let told = dom.rsplit_once("BEGIN").and_then(|(_, rest)| rest.split_once("END")).map(|(told, _)| told);
    let told: Value = serde_json::from_str(told.unwrap_or_else(|| panic!("{dom}"))).unwrap();
    assert_eq!((&told["warnings"], &told["slices"]), (&json!([]), &json!(count)), "{told}");
    assert!(told["arrows"].as_u64() > Some(0), "{told}");
}

#[test]
fn metadata_says_what_became_of_each_image() {
    let lab = Lab::new();
    let (platform, ..) = crate::image::native();
    lab.recipe(&format!(
        "version = 1\n[pipeline]\nname = \"app\"\nengine = \"docker\"\n[targets.native]\nplatform = \"{platform}\"\nnodes = [\"edge\"]\n\
         [nodes.edge]\nhost = \"edge\"\ndir = \"{}\"\n\
         [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"upstream\"\nbranch = \"main\"\nallow-protocols = [\"file\"]\n\
         [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"app:1\"\n\
         [[step]]\nuses = \"save\"\npath = \"out/app.tar\"\n[[step]]\nuses = \"scp\"\n\
         [[step]]\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/app:1\"\n",
        lab.space.root().join("node").display()
    ));
    let mut run = lab.pipeline(&["run"]);
    Ran::of(run.env("PIPELINE_METADATA_FILE", "meta.json").env("PIPELINE_TRACE", "t.json")).must(0);
    let metadata: Value = serde_json::from_str(&lab.space.read("meta.json")).unwrap();
    assert_eq!((&metadata["version"], &metadata["result"]), (&json!(1), &json!("done")));
    let target = &metadata["targets"]["native"];
    assert_eq!(target["containerimage.config.digest"], lab.id.as_str());
    assert_eq!(target["image.name"], "docker.io/library/app:1");
    let image = &target["images"][0];
    assert_eq!(target["images"].as_array().unwrap().len(), 1, "{target}");
    assert_eq!((&image["id"], &image["platform"]), (&json!(lab.id), &json!(platform)));
    assert_eq!(image["nodes"], json!({ "edge": "docker.io/library/app:1" }));
    let sum = Command::new("sha256sum").arg(lab.space.path("out/app.tar")).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap()[..64].to_owned();
    assert_eq!(image["archives"][0]["path"], "out/app.tar");
    assert_eq!(image["archives"][0]["sha256"], format!("sha256:{sum}"));
    // How things stand says the same.
    let status: Value =
        serde_json::from_str(&lab.output(&["status", "--format", "json"]).must(0).stdout).unwrap();
    assert_eq!(status["images"][0], *image);
    assert!(lab.output(&["status"]).must(0).stdout.contains("on edge"));
}

#[test]
fn what_cannot_be_written_loses_nothing() {
    let lab = lab();
    fs::create_dir(lab.space.path("folder")).unwrap();
    let ran = lab
        .output(&[
            "run",
            "-t",
            "one",
            "--junit",
            "absent/out.xml",
            "--trace",
            "out.json",
            "--metadata-file",
            "/dev/full",
        ])
        .must(1);
    assert!(
        ran.stderr.contains("error[run::unrecorded]") && ran.stderr.contains("absent/out.xml"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("/dev/full: No space left"), "{}", ran.stderr);
    slices(&lab, "out.json");
    let list = lab.output(&["history"]).must(0).stdout;
    assert!(list.contains("  done  ") || list.contains("incomplete"), "{list}");
    lab.output(&["export", "--junit", "folder"]).must(1);
    let written = lab.output(&["export", "--metadata-file", "-"]).must(0).stdout;
    serde_json::from_str::<Value>(&written).unwrap();
    assert!(!lab.space.path("-").exists());
    lab.output(&["export", "--junit", "out.xml"]).must(0);
    // What was there stays until the new one is whole, and keeps its mode and name.
    lab.space.write("real.xml", "old");
    std::os::unix::fs::symlink("real.xml", lab.space.path("link.xml")).unwrap();
    lab.output(&["export", "--junit", "link.xml"]).must(0);
    assert!(lab.space.path("link.xml").is_symlink());
    assert!(lab.space.read("real.xml").starts_with("<?xml"));
}
