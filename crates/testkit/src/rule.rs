//! What a fake tool is told to do, and what it tells that it was asked.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// A scripted reply. Among the rules of a script, the first that matches the call is played; a call that
/// none matches succeeds in silence.
///
/// A reply is played in the order of the fields here, from `sleep_ms` on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The name the tool was called by; empty for any.
    pub tool: String,
    /// These arguments must occur in this order, others may stand between; `--tag=*` stands for any that
    /// begins with `--tag=`.
    pub args_contain: Vec<String>,
    /// Plays only so many times, and is passed over from then on; zero for always.
    pub times: usize,
    /// Wait so many milliseconds first.
    pub sleep_ms: u64,
    /// Files to write.
    pub write_file: Vec<WriteFile>,
    /// Files to create empty.
    pub touch: Vec<PathBuf>,
    /// Text for standard output.
    pub stdout: String,
    /// Text for standard error.
    pub stderr: String,
    /// The program to become, with the same arguments: the real tool. Then `exit` has no say.
    pub exec: Option<PathBuf>,
    /// The exit code.
    pub exit: u8,
}

/// A file that a reply leaves behind. Relative paths start where the tool was called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WriteFile {
    /// Where.
    pub path: Option<PathBuf>,
    /// Or: where the argument after this option says, or this option's `=value`, such as `--iidfile`.
    pub path_arg_after: Option<String>,
    /// What.
    pub contents: String,
    /// Or: a copy of this file.
    pub contents_from: Option<PathBuf>,
}

/// One call of a fake tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The name it was called by.
    pub tool: String,
    /// Its arguments, without its own name; lossy where they are not UTF-8.
    pub argv: Vec<String>,
    /// The folder it was called in.
    pub cwd: PathBuf,
    /// Its whole environment, lossy as well.
    pub env: BTreeMap<String, String>,
    /// Its process, so that a test can see that it is gone.
    pub pid: u32,
}

impl Rule {
    /// A rule for `tool` (empty for any tool) that matches every call and succeeds in silence.
    pub fn of(tool: &str) -> Self {
        Self { tool: tool.into(), ..Self::default() }
    }

    /// Only calls with these arguments, see [`Rule::args_contain`].
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args_contain.extend(args.iter().map(ToString::to_string));
        self
    }

    /// Plays only so many times: a tool that first fails and then succeeds is two rules.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Prints on standard output.
    #[must_use]
    pub fn stdout(mut self, text: &str) -> Self {
        self.stdout = text.into();
        self
    }

    /// Prints on standard error.
    #[must_use]
    pub fn stderr(mut self, text: &str) -> Self {
        self.stderr = text.into();
        self
    }

    /// Ends with this exit code.
    #[must_use]
    pub fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// Waits so many milliseconds before all else.
    #[must_use]
    pub fn sleep_ms(mut self, milliseconds: u64) -> Self {
        self.sleep_ms = milliseconds;
        self
    }

    /// Writes `contents` at `path`.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>, contents: &str) -> Self {
        let path = Some(path.into());
        self.write_file.push(WriteFile { path, contents: contents.into(), ..WriteFile::default() });
        self
    }

    /// Writes `contents` where the argument after `option` says.
    #[must_use]
    pub fn write_after(mut self, option: &str, contents: &str) -> Self {
        let path_arg_after = Some(option.into());
        self.write_file.push(WriteFile { path_arg_after, contents: contents.into(), ..WriteFile::default() });
        self
    }

    /// Copies `file` to where the argument after `option` says.
    #[must_use]
    pub fn copy_after(mut self, option: &str, file: impl Into<PathBuf>) -> Self {
        let path_arg_after = Some(option.into());
        let contents_from = Some(file.into());
        self.write_file.push(WriteFile { path_arg_after, contents_from, ..WriteFile::default() });
        self
    }

    /// Becomes the real tool at `program`: the call is recorded and changes nothing else.
    #[must_use]
    pub fn exec(mut self, program: impl Into<PathBuf>) -> Self {
        self.exec = Some(program.into());
        self
    }

    /// The rule among `rules` that the last of `calls` plays, given those before it.
    pub fn played<'r>(rules: &'r [Self], calls: &[Call]) -> Option<&'r Self> {
        let mut uses = vec![0; rules.len()];
        let mut last = None;
        for call in calls {
            let left = |(at, rule): &(usize, &Self)| rule.times == 0 || uses[*at] < rule.times;
            last = rules.iter().enumerate().filter(left).find(|(_, rule)| rule.matches(call));
            if let Some((at, _)) = last {
                uses[at] += 1;
            }
        }
        last.map(|(_, rule)| rule)
    }

    /// Whether the rule is about this call, its `times` aside.
    pub fn matches(&self, call: &Call) -> bool {
        let mut given = call.argv.iter();
        let fits = |wanted: &String, arg: &String| match wanted.strip_suffix('*') {
            Some(start) => arg.starts_with(start),
            None => arg == wanted,
        };
        (self.tool.is_empty() || self.tool == call.tool)
            && self.args_contain.iter().all(|wanted| given.any(|arg| fits(wanted, arg)))
    }
}

impl Call {
    /// Tool and arguments with a space between, for assertions that read well; quotes nothing.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.tool).chain(&self.argv);
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Call {
        let mut words = line.split(' ').map(str::to_owned);
        let tool = words.next().unwrap();
        Call { tool, argv: words.collect(), cwd: "/".into(), env: BTreeMap::new(), pid: 1 }
    }

    #[test]
    fn arguments_match_in_order_with_gaps() {
        let rule = Rule::of("docker").args(&["build", "--tag=*", "."]);
        assert!(rule.matches(&call("docker build --pull --tag=x --load .")));
        assert!(!rule.matches(&call("docker . --tag=x build")));
        assert!(!rule.matches(&call("docker build --tag=x")));
        assert!(!rule.matches(&call("podman build --tag=x .")));
        assert!(Rule::of("").matches(&call("anything")));
        // Each wanted argument takes one of its own.
        assert!(!Rule::of("").args(&["-v", "-v"]).matches(&call("x -v")));
    }

    #[test]
    fn rules_used_up_give_way_to_later_ones() {
        let rules = [
            Rule::of("git").times(1).exit(1),
            Rule::of("git").args(&["fetch"]).times(2).exit(2),
            Rule::of("git").exit(3),
        ];
        let calls: Vec<_> =
            ["git fetch", "docker x", "git fetch", "git fetch", "git fetch"].map(call).to_vec();
        let exits: Vec<_> =
            (1..=5).map(|n| Rule::played(&rules, &calls[..n]).map(|rule| rule.exit)).collect();
        assert_eq!(exits, [Some(1), None, Some(2), Some(2), Some(3)]);
        assert_eq!(Rule::played(&rules, &[]), None);
    }

    #[test]
    fn a_misspelt_field_is_no_rule() {
        assert!(serde_json::from_str::<Rule>(r#"{"tool": "git", "exitt": 1}"#).is_err());
        let rule: Rule = serde_json::from_str(r#"{"tool": "git", "exit": 1}"#).unwrap();
        assert_eq!(rule, Rule::of("git").exit(1));
    }
}
