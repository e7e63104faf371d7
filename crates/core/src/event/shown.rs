//! The commands of a run, as people read them.

use crate::output;
use crate::plan::WATCHDOG;

/// A command line; of one on a node the destination and what is done there. The options of ssh and the watchdog are left
/// out: the plan shows them once for each node, and the event has them.
pub fn command_line(argv: &[String]) -> String {
    match on_node(argv) {
        Some((destination, words)) => {
            format!("{} {}", output::command_line(&["ssh", destination]), output::command_line(&words))
        }
        None => output::command_line(argv),
    }
}

/// What `Node::wrap` has put together: the destination, and the words there.
fn on_node(argv: &[String]) -> Option<(&str, Vec<String>)> {
    let [ssh, options @ .., destination, line] = argv else { return None };
    // A recipe's own ssh keeps its options.
    if ssh != "ssh" || !options.ends_with(&["-a", "-x", "--"].map(String::from)) {
        return None;
    }
    let mut words = shlex::split(line)?;
    if let Some(watchdog) = words.iter().position(|word| word == WATCHDOG) {
        // With the shell that runs it, and its name.
        words.drain(watchdog.checked_sub(2)?..(watchdog + 2).min(words.len()));
    }
    Some((destination, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Node, Ssh, Text};

    fn shown(line: &[Text]) -> String {
        let argv: Vec<String> = line.iter().map(ToString::to_string).collect();
        command_line(&argv)
    }

    #[test]
    fn a_command_on_a_node_is_shown_as_what_is_done_there() {
        let node = Node { ssh: Some(Ssh::to("root@edge")), ..Node::new("edge") };
        let argv = ["sh", "-c", "# count\n2\n3\n4\n5\n6", "sh", "it's"].map(Text::from);
        let wanted = "ssh root@edge sh -c '# count' sh 'it'\\''s'";
        assert_eq!(shown(&node.wrap(&argv)), wanted);
        assert_eq!(shown(&node.wrap_fed(&argv)), wanted);
        let sudo = Node { sudo: true, ..node };
        assert_eq!(shown(&sudo.wrap(&["id".into()])), "ssh root@edge sudo -n -- id");
    }

    #[test]
    fn all_else_is_shown_as_it_is() {
        assert_eq!(shown(&["ssh", "-V"].map(Text::from)), "ssh -V");
        assert_eq!(shown(&["ssh", "--", "edge", "it's"].map(Text::from)), "ssh -- edge 'it'\\''s'");
        assert_eq!(shown(&["ssh", "-p", "22", "--", "edge", "id"].map(Text::from)), "ssh -p 22 -- edge id");
        assert_eq!(shown(&["scp", "--", "a", "edge:b"].map(Text::from)), "scp -- a edge:b");
    }
}
