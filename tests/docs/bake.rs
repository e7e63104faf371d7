//! `docs/bake.md`: its table counts the lines of its own files, and every command that is shown with its output prints that.
//!
//! In the page, a block's language may be followed by a file name (`toml prod.toml`) or by `wrong`, for a recipe that is not
//! meant to be planned. A heading starts an empty folder. A line `…` in an output stands for any lines.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;

use pipeline_testkit::{TestSpace, require, skip};

use crate::{PIPELINE, read};

const PAGE: &str = "docs/bake.md";

/// Names the program of buildx, which few machines have: the commands of bake are only run with it.
const BUILDX: &str = "BUILDX";

/// A heading, with the blocks below it: what follows the fence, and the text.
struct Section {
    title: String,
    blocks: Vec<(String, String)>,
}

impl Section {
    /// The files in it by name, those of bake and their scripts, or ours.
    fn files(&self) -> BTreeMap<&str, &str> {
        let name = |info: &str| -> Option<&'static str> {
            Some(match info {
                "hcl" => "docker-bake.hcl",
                "hcl prod.hcl" => "prod.hcl",
                "sh" => "deliver.sh",
                "toml" | "toml wrong" => "pipeline.toml",
                "toml prod.toml" => "prod.toml",
                "text" | "console" => return None,
                other => panic!("{PAGE}: what is a block `{other}`?"),
            })
        };
        self.blocks.iter().filter_map(|(info, text)| Some((name(info)?, text.as_str()))).collect()
    }

    fn lines(&self, ours: bool) -> usize {
        let files = self.files();
        let files = files.iter().filter(|(name, _)| name.strip_suffix(".toml").is_some() == ours);
        files.flat_map(|(_, text)| text.lines()).filter(|line| counts(line)).count()
    }

    /// Commands that are shown with what they print.
    fn commands(&self) -> Vec<(&str, String)> {
        let mut commands: Vec<(&str, String)> = Vec::new();
        for (_, text) in self.blocks.iter().filter(|(info, _)| info == "console") {
            for line in text.lines() {
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(command), _) => commands.push((command, String::new())),
                    (None, Some((_, output))) => *output += &format!("{line}\n"),
                    (None, None) => panic!("{PAGE}: an output without a command: {line}"),
                }
            }
        }
        commands
    }
}

fn counts(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![];
    let mut block: Option<(String, String)> = None;
    for line in page.lines() {
        let fence = line.strip_prefix("```");
        match (&mut block, fence) {
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, Some(info)) => block = Some((info.to_owned(), String::new())),
            (Some(_), Some(_)) => {
                let section: &mut Section = sections.last_mut().unwrap();
                section.blocks.extend(block.take());
            }
            (None, None) if line.starts_with('#') => {
                let title = line.trim_start_matches('#').trim().to_owned();
                sections.push(Section { title, blocks: vec![] });
            }
            (None, None) => {}
        }
    }
    sections
}

/// Whether `found` is what is wanted, where a line `…` stands for any lines.
fn fits(wanted: &[&str], found: &[&str]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((&"…", rest)) => (0..=found.len()).any(|skipped| fits(rest, &found[skipped..])),
        Some((line, rest)) => {
            found.split_first().is_some_and(|(first, more)| first == line && fits(rest, more))
        }
    }
}

#[test]
fn the_table_of_the_page_about_bake_counts_right() {
    let page = read(PAGE);
    let sections = sections(&page);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| [")).collect::<Vec<_>>();
    assert_eq!(rows.len(), 11, "ten tasks and one");
    for row in rows {
        let (title, rest) = row.split_once("](#").unwrap();
        let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
        let section = sections.iter().find(|section| section.title == title).expect(title);
        let counted = [section.lines(false).to_string(), section.lines(true).to_string()];
        assert_eq!(cells[1..3], counted, "{title}: lines of bake, and of pipeline");
        let anchor = title.to_lowercase().replace(',', "").replace(' ', "-");
        assert_eq!(cells[0], format!("{anchor})"), "{title}: where the link leads");
    }
}

#[test]
fn what_the_page_about_bake_shows_is_what_is_printed() {
    require!("sh");
    let buildx = env::var_os(BUILDX);
    if buildx.is_none() {
        skip("the commands of bake need buildx (BUILDX=/path/to/buildx)");
    }
    for section in sections(&read(PAGE)) {
        for (command, wanted) in section.commands() {
            let ours = command.split(' ').any(|word| word == "pipeline");
            if !ours && buildx.is_none() {
                continue;
            }
            let space = TestSpace::with_real_tools();
            for (name, text) in section.files() {
                space.write(name, text);
            }
            symlink(PIPELINE, space.root().join("bin/pipeline")).unwrap();
            if let Some(buildx) = &buildx {
                // `docker buildx …`, with an empty configuration.
                symlink(buildx, space.root().join("bin/docker-buildx")).unwrap();
                let docker = space.root().join("bin/docker");
                fs::write(&docker, "#!/bin/sh\nshift\nexec docker-buildx \"$@\"\n").unwrap();
                fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            }
            let mut shell = space.command("sh");
            shell.arg("-c").arg(format!("{command} 2>&1")).env("BUILDKIT_PROGRESS", "quiet");
            let output = shell.output().unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            let found: Vec<&str> = found.trim_end().lines().map(str::trim_end).collect();
            let wanted: Vec<&str> = wanted.trim_end().lines().map(str::trim_end).collect();
            assert!(fits(&wanted, &found), "{}: {command} prints\n{}", section.title, found.join("\n"));
        }
    }
}

#[test]
fn the_script_on_the_page_about_bake_can_be_read_by_a_shell() {
    for section in sections(&read(PAGE)) {
        for (name, script) in section.files().into_iter().filter(|(name, _)| *name == "deliver.sh") {
            let space = TestSpace::with_real_tools();
            space.write(name, script);
            let output = space.command("sh").args(["-n", name]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
