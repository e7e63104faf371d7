//! What the jobs of a workflow run: the `run:` lines of GitHub Actions, the `script:` lists of GitLab CI, as one job of the matrix
//! on a runner of this machine's architecture sees them.

/// The only runner there is here.
const TARGET: &str = "amd64";

/// A runner comes without the program. Getting it there is the package's affair, and scripts/tutorial does it in a bare system.
const INSTALLS: &str = "apt-get install";

/// A line for bash, and the variables that a runner sets.
pub(crate) type Line = (String, Vec<(&'static str, &'static str)>);

/// The lines of all jobs, in the order of the file; none for a file that is no workflow.
pub(crate) fn lines(name: &str, text: &str) -> Vec<Line> {
    let lines = if name.starts_with(".github/workflows/") {
        text.lines().filter_map(|line| line.trim().strip_prefix("- run: ")).collect()
    } else if name == ".gitlab-ci.yml" {
        scripts(text)
    } else {
        Vec::new()
    };
    let env = if name == ".gitlab-ci.yml" {
        vec![("CI", "true"), ("GITLAB_CI", "true"), ("TARGET", TARGET), ("PIPELINE_ALLOW_OWNER", "1")]
    } else {
        vec![("CI", "true"), ("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "../summary.md")]
    };
    let seen = lines.into_iter().filter(|line| !line.contains(INSTALLS));
    seen.map(|line| (line.replace("${{ matrix.target }}", TARGET), env.clone())).collect()
}

/// The items of all lists below `script:`.
fn scripts(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let item = line.trim().strip_prefix("- ");
        match item {
            Some(item) if inside => found.push(item),
            _ => inside = line.trim() == "script:",
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_both_kinds_are_read_and_other_files_are_none() {
        let github = "    steps:\n      - uses: x@v4\n      - run: sudo apt-get install --yes x\n      - run: a -t ${{ matrix.target }}\n";
        let lines = |name, text| lines(name, text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines(".github/workflows/x.yml", github), ["a -t amd64"]);
        let gitlab = "stages: [x]\nx:\n  script:\n    - one\n    - two\n  tags:\n    - three\n";
        assert_eq!(lines(".gitlab-ci.yml", gitlab), ["one", "two"]);
        assert!(lines("compose.yml", gitlab).is_empty());
    }
}
