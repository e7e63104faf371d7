//! From what lies in an image to what is wrong with it.

use std::collections::BTreeMap;

use super::elf::{ARM, Class, Float, Program};
use super::report::{Count, Files, ImageReport, Place, Verdict};
use super::rules::{Allowed, Deny, Rules};
use super::tree::{Node, Tree, What};
use crate::platform::Platform;

/// How a program goes with a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It is for it.
    Exact,
    /// It is for another that runs there all the same.
    Runs,
    Foreign,
}

/// The platform that a class of programs is for, the same for all ARM programs that do not tell their float ABI.
fn name(class: Class) -> String {
    match platform(class) {
        Some(platform) => platform.to_string(),
        None => format!(
            "ELF machine {} ({} bits, {} endian)",
            class.machine,
            if class.is_64 { 64 } else { 32 },
            if class.is_little { "little" } else { "big" }
        ),
    }
}

/// The platform that a program is for: `should`, where it is for that.
pub(super) fn called(program: &Program, should: Option<&Platform>) -> String {
    match should.filter(|should| fit(program, should) == Fit::Exact) {
        Some(should) => should.to_string(),
        None => name(program.class),
    }
}

/// The platform whose default variant such programs are for; armel's is `v5`.
fn platform(class: Class) -> Option<Platform> {
    let elf = (class.machine, class.is_64, class.is_little);
    let found = Platform::all().find(|platform| platform.elf() == elf)?;
    match class.float {
        Some(Float::Soft) => Platform::parse("linux/arm/v5").ok(),
        _ => Some(found),
    }
}

/// How passing of floating-point arguments goes with the variant.
fn float_of(platform: &Platform) -> Float {
    if platform.variant() == Some("v5") { Float::Soft } else { Float::Hard }
}

fn fit(program: &Program, wanted: &Platform) -> Fit {
    let class = program.class;
    if (class.machine, class.is_64, class.is_little) != wanted.elf() {
        // A processor of amd64 executes i386 as it is.
        return match platform(class) {
            Some(own) if own.arch() == "386" && wanted.arch() == "amd64" => Fit::Runs,
            _ => Fit::Foreign,
        };
    }
    match class.float {
        Some(float) if wanted.arch() == "arm" && float != float_of(wanted) => {
            // A static program takes its own with it, and asks for no more of the processor.
            if float == Float::Soft && program.loader.is_none() && !program.is_dyn {
                Fit::Runs
            } else {
                Fit::Foreign
            }
        }
        _ => Fit::Exact,
    }
}

/// Fills in programs, verdict and failures. `label` is the configuration's platform, where it is a known one.
pub(super) fn judge(
    report: &mut ImageReport,
    tree: &Tree,
    label: Option<&Platform>,
    wanted: Option<&Platform>,
    rules: &Rules,
) {
    let (allowed, should) = (Allowed::new(rules), wanted.or(label));
    let mut programs: Vec<(&[u8], &Node, &Program)> = Vec::new();
    for (path, node) in tree.iter() {
        let What::Program(program) = &node.what else { continue };
        let goes = should.is_some_and(|platform| fit(program, platform) == Fit::Exact);
        match allowed.carried(path, program) {
            Some(why) if !goes => {
                let what = format!("{}, {why}", called(program, should));
                report.carried.push(Place::new(path, node.layer).of(what));
            }
            _ => programs.push((path, node, program)),
        }
    }
    // ARM programs that do not tell their ABI are counted with those that do.
    let arm = |program: &&Program| program.class.machine == ARM && program.class.float.is_some();
    let told = programs.iter().map(|(_, _, program)| *program).find(arm);
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, program) in &programs {
        let untold = program.class.machine == ARM && program.class.float.is_none();
        let program = told.filter(|_| untold).unwrap_or(program);
        *by_name.entry(called(program, should)).or_default() += 1;
    }
    report.programs = by_name.into_iter().map(|(platform, files)| Count { platform, files }).collect();
    report.programs.sort_by(|a, b| b.files.cmp(&a.files).then_with(|| a.platform.cmp(&b.platform)));
    if let [one] = report.programs.as_slice() {
        report.content = Some(one.platform.clone());
    }
    report.verdict = platform_verdict(report, &programs, label, wanted);
    forbidden(report, rules);
}

/// The verdict on label and programs.
fn platform_verdict(
    report: &mut ImageReport,
    programs: &[(&[u8], &Node, &Program)],
    label: Option<&Platform>,
    wanted: Option<&Platform>,
) -> Verdict {
    let shown = if report.label.is_empty() {
        "no platform".to_owned()
    } else {
        report.label.escape_debug().to_string()
    };
    let label_fits = match (label, wanted) {
        (Some(label), Some(wanted)) => is_same(label, wanted, &report.label),
        (None, Some(_)) => false,
        (_, None) => true,
    };
    if programs.is_empty() {
        if let Some(wanted) = wanted.filter(|_| !label_fits) {
            report.failures.push(format!(
                "the image is labelled {shown}, not {wanted}, and holds no programs to tell from"
            ));
            return Verdict::LabelWrong;
        }
        return Verdict::NothingToTell;
    }
    let fits = |platform: &Platform| {
        let of =
            |wanted: Fit| programs.iter().filter(|(_, _, program)| fit(program, platform) == wanted).count();
        (of(Fit::Exact), of(Fit::Runs), of(Fit::Foreign))
    };
    // What most programs are for, where nobody knows what they should be for.
    let Some(should) = wanted.or(label) else {
        let found = report.programs.first().map(|count| count.platform.clone()).unwrap_or_default();
        report.failures.push(format!("the image is labelled {shown}, and its programs are for {found}"));
        return if report.programs.len() > 1 { Verdict::Mixed } else { Verdict::LabelWrong };
    };
    let (exact, runs, foreign) = fits(should);
    if foreign == 0 && (exact > 0 || runs < programs.len()) {
        if runs > 0 {
            report.remarks.push(format!(
                "{runs} programs are for another platform that runs on {should}: their own is {}",
                others(report, should)
            ));
        }
        if label_fits {
            return Verdict::Right;
        }
        report.failures.push(format!("the image is labelled {shown}, and its programs are for {should}"));
        return Verdict::LabelWrong;
    }
    for (path, node, program) in programs {
        if fit(program, should) == Fit::Foreign || exact == 0 {
            report.foreign.push(Place::new(path, node.layer).of(called(program, Some(should))));
        }
    }
    let some = report.foreign.some();
    if exact > 0 || report.programs.len() > 1 {
        report.failures.push(format!(
            "of {} programs {} are not for {should}: {some}",
            programs.len(),
            report.foreign.count
        ));
        return Verdict::Mixed;
    }
    let found = report.programs.first().map(|count| count.platform.clone()).unwrap_or_default();
    if wanted.is_none() {
        report
            .failures
            .push(format!("the image is labelled {shown}, and its programs are for {found}: {some}"));
        return Verdict::LabelWrong;
    }
    let also = if label_fits { "" } else { ", as its label says" };
    report.failures.push(match label.filter(|_| !label_fits) {
        Some(label) if fits(label).0 > 0 => format!("the image is for {found}{also}, not for {should}"),
        _ => format!("the image should be for {should} and is labelled {shown}, and its programs are for {found}: {some}"),
    });
    Verdict::ContentWrong
}

/// The platforms of programs other than this one.
fn others(report: &ImageReport, but: &Platform) -> String {
    let but = but.to_string();
    let names: Vec<&str> =
        report.programs.iter().map(|count| count.platform.as_str()).filter(|name| *name != but).collect();
    names.join(", ")
}

/// The label is the wanted platform; a missing variant is any.
fn is_same(label: &Platform, wanted: &Platform, text: &str) -> bool {
    let variant = text.split('/').nth(2);
    wanted.matches_config(label.os(), label.arch(), variant)
}

/// Setuid programs, what everybody may write, and secrets.
fn forbidden(report: &mut ImageReport, rules: &Rules) {
    let mut wrong = Vec::new();
    let files = |files: &Files, what: &str| format!("{} {what}: {}", files.count, files.some());
    if report.setuid.count > 0 && rules.deny.contains(&Deny::Setuid) {
        wrong.push(files(&report.setuid, "programs run with another's rights, which `deny` forbids"));
    }
    if report.world_writable.count > 0 && rules.deny.contains(&Deny::WorldWritable) {
        wrong.push(files(&report.world_writable, "files may be changed by everybody, which `deny` forbids"));
    }
    for place in &report.secrets {
        wrong.push(format!("a declared secret stands in {place}"));
    }
    if !wrong.is_empty() && report.verdict.is_good() {
        report.verdict = Verdict::Forbidden;
    }
    report.failures.extend(wrong);
}
