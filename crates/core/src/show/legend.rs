//! What the text form says once at its end instead of on every line: nothing is hidden, and lines stay readable.
//!
//! Three things are shortened: `on NODE:` stands for ssh and what watches the command there, `to NODE:` for the options
//! of scp, and a tool that always runs with the same variables is written without them. A long `sh -c` script gets a
//! number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{push_word, quote, shown_env, shown_line, shown_word, visible};
use crate::plan::{Action, Builder, Command, Instance, Node, NodeIndex, Place, Plan, Text, WATCHDOG};

/// A script of at most this many characters is shown where it runs.
const SHORT: usize = 100;

/// So many variables are worth a line of their own.
const SEVERAL: usize = 2;

type Env = BTreeMap<String, Text>;

/// See the module.
pub(super) struct Legend<'p> {
    plan: &'p Plan,
    /// By tool: the variables that all its commands have.
    envs: BTreeMap<&'p str, Env>,
    /// Long scripts, in the order in which they appear.
    scripts: Vec<&'p str>,
    /// The place of each among them.
    numbers: BTreeMap<&'p str, usize>,
    /// Nodes that files are copied to, and what stands around each copy.
    copied: BTreeMap<&'p str, Vec<Text>>,
}

impl<'p> Legend<'p> {
    /// `order` is that in which the instances are shown.
    pub(super) fn new(plan: &'p Plan, order: &[NodeIndex]) -> Self {
        let mut legend = Self {
            plan,
            envs: BTreeMap::new(),
            scripts: Vec::new(),
            numbers: BTreeMap::new(),
            copied: BTreeMap::new(),
        };
        let mut tools: BTreeMap<&str, (usize, Env)> = BTreeMap::new();
        let instances = order.iter().map(|node| &plan.graph[*node]);
        for (instance, command) in instances.flat_map(|one| commands(one).map(move |command| (one, command)))
        {
            if let Some(tool) = command.argv.first().and_then(Text::as_literal) {
                let (count, common) = tools.entry(tool).or_insert_with(|| (0, command.env.clone()));
                *count += 1;
                common.retain(|name, value| command.env.get(name) == Some(value));
            }
            if let Some((_, script)) = script(command) {
                legend.numbers.entry(script).or_insert_with(|| {
                    legend.scripts.push(script);
                    legend.scripts.len()
                });
            }
            if let Some(node) = target_of_scp(plan, instance, command)
                && let Some(stem) = scp_stem(node).filter(|stem| command.argv.starts_with(stem))
            {
                legend.copied.entry(&node.name).or_insert(stem);
            }
        }
        let several = |(_, (count, env)): &(&str, (usize, Env))| *count > 1 && env.len() >= SEVERAL;
        legend.envs = tools.into_iter().filter(several).map(|(tool, (_, env))| (tool, env)).collect();
        legend
    }

    /// Adds the command without what stands in the legend.
    pub(super) fn command(&self, out: &mut String, instance: &Instance, command: &Command) {
        let copy = self.copy(instance, command);
        let skipped = copy.map_or(0, |(_, stem)| stem.len());
        let _ = match (copy, &command.place) {
            (Some((node, _)), _) => write!(out, "to {node}: "),
            (None, Place::Node(node)) => write!(out, "on {node}: "),
            (None, Place::Builder(builder)) => {
                let name = self.plan.builders.get(builder).map_or(builder.as_str(), Builder::name);
                write!(out, "with {name}: ")
            }
            (None, Place::Here) => Ok(()),
        };
        let common = command.argv.first().and_then(Text::as_literal).and_then(|tool| self.envs.get(tool));
        let own = command.env.iter().filter(|(name, _)| common.is_none_or(|env| !env.contains_key(*name)));
        *out += &shown_env(own, shown_word);
        if copy.is_some() {
            *out += "scp ";
        }
        let script = script(command);
        for (index, word) in command.argv.iter().enumerate().skip(skipped) {
            if index > skipped {
                out.push(' ');
            }
            match script {
                Some((at, script)) if at == index => {
                    let _ = write!(out, "[script {}]", self.numbers[script]);
                }
                _ => push_word(out, word),
            }
        }
    }

    /// The node that this command copies a file to, and the words of it that are the same for every file.
    fn copy(&self, instance: &Instance, command: &Command) -> Option<(&str, &[Text])> {
        let node = target_of_scp(self.plan, instance, command)?;
        let stem = self.copied.get(node.name.as_str())?;
        command.argv.starts_with(stem).then_some((&node.name, stem))
    }

    /// The end of the plan.
    pub(super) fn write(&self, out: &mut String) {
        let lines = self.lines();
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        out.push_str("\nIn these lines:\n");
        for (name, meaning) in lines {
            let _ = writeln!(out, "    {name:<width$}  {meaning}");
        }
    }

    fn lines(&self) -> Vec<(String, String)> {
        let mut lines = vec![
            ("* …".to_owned(), "done by `pipeline` itself".to_owned()),
            ("… > NAME".into(), "what the tool prints is kept; <ID.NAME> is what ID kept as NAME".into()),
            ("finally …".into(), "afterwards, also when something before it failed".into()),
        ];
        let mut remote = false;
        for node in self.plan.nodes.values() {
            let name = format!("on {}: …", node.name);
            match &node.ssh {
                Some(_) => {
                    remote = true;
                    lines.push((name, around(node)));
                }
                None => lines.push((name, format!("{}, on this machine", around(node)))),
            }
        }
        for builder in self.plan.builders.values() {
            let name = builder.name();
            let meaning = format!("as a client of the engine on {name}, whose socket ssh brings here");
            lines.push((format!("with {name}: …"), meaning));
        }
        for (node, stem) in &self.copied {
            lines.push((format!("to {node}: scp …"), format!("{} …", shown_line(stem))));
        }
        for (tool, env) in &self.envs {
            lines.push(((*tool).to_owned(), format!("{}{tool}", shown_env(env, shown_word))));
        }
        if remote {
            lines.push(("[watchdog]".into(), WATCHDOG.into()));
        }
        for (index, script) in self.scripts.iter().enumerate() {
            lines.push((format!("[script {}]", index + 1), visible(script).replace('\n', "\n        ")));
        }
        lines
    }
}

fn commands(instance: &Instance) -> impl Iterator<Item = &Command> {
    instance.actions.iter().chain(&instance.cleanup).flat_map(Action::commands)
}

/// A script for `sh -c` that is too long for a line, and its place in the command.
fn script(command: &Command) -> Option<(usize, &str)> {
    let [shell, flag, script, ..] = command.argv.as_slice() else { return None };
    let script = script.as_literal().filter(|script| script.chars().count() > SHORT)?;
    (shell.as_literal() == Some("sh") && flag.as_literal() == Some("-c")).then_some((2, script))
}

/// The node of an instance, where a command copies a file there.
fn target_of_scp<'p>(plan: &'p Plan, instance: &Instance, command: &Command) -> Option<&'p Node> {
    let last = command.argv.last().filter(|_| command.place == Place::Here)?.to_string();
    let node = plan.nodes.get(instance.node.as_deref()?)?;
    let rest = last.strip_prefix(&node.ssh.as_ref()?.destination)?;
    rest.starts_with(':').then_some(node)
}

/// scp to a node, less the file and where it goes.
fn scp_stem(node: &Node) -> Option<Vec<Text>> {
    let mut stem = node.ssh.as_ref()?.scp(&Text::new(), &Text::new(), node.bandwidth);
    stem.truncate(stem.len().checked_sub(2)?);
    Some(stem)
}

/// What runs a command on a remote node: exactly the arguments of ssh, with the watchdog's script by its name.
fn around(node: &Node) -> String {
    let argv = node.wrap(&["…".into()]);
    let quoted = shlex::try_quote(WATCHDOG).unwrap_or_default();
    let words: Vec<String> = argv
        .iter()
        .map(|word| match word.as_literal() {
            Some(remote) if remote.contains(&*quoted) => {
                // The ellipsis stands for the command, quoted in its turn.
                quote(&remote.replace(&*quoted, "[watchdog]").replace("'…'", "…"))
            }
            _ => shown_word(word),
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use petgraph::graph::DiGraph;

    use super::*;
    use crate::plan::{InstanceId, Ssh};

    fn node() -> Node {
        let ssh = Ssh { port: Some(2222), ..Ssh::to("root@10.23.15.1") };
        Node { ssh: Some(ssh), sudo: true, ..Node::new("edge-1") }
    }

    fn shown(commands: &[Command]) -> String {
        let node = node();
        let mut plan = Plan {
            recipe: "r".into(),
            graph: DiGraph::new(),
            nodes: [(node.name.clone(), node)].into(),
            ..Plan::default()
        };
        let id = InstanceId::new("s", None, Some("edge-1"));
        let actions = commands.iter().cloned().map(Action::from).collect();
        let node = Some("edge-1".into());
        let at = plan.graph.add_node(Instance { node, ..Instance::new(id, "scp", actions) });
        let legend = Legend::new(&plan, &[at]);
        let mut out = String::new();
        for command in commands {
            legend.command(&mut out, &plan.graph[at], command);
            out.push('\n');
        }
        legend.write(&mut out);
        out
    }

    #[test]
    fn only_what_every_command_of_a_tool_has_leaves_its_line() {
        let git = |protocol: &str| {
            Command::new(["git", "init"]).env("A", "1").env("B", "2").env("PROTOCOL", protocol)
        };
        let out = shown(&[git("https"), git("file")]);
        assert!(out.contains("PROTOCOL=https git init\nPROTOCOL=file git init\n"), "{out}");
        assert!(out.contains(" A=1 B=2 git\n"), "{out}");
        let out = shown(&[git("https")]);
        assert!(out.contains("A=1 B=2 PROTOCOL=https git init\n") && !out.contains("https git\n"), "{out}");
        let out = shown(&[git("https"), Command::new(["git", "init"])]);
        assert!(out.contains("A=1 B=2 PROTOCOL=https git init\ngit init\n"), "{out}");
    }

    #[test]
    fn ssh_scp_and_scripts_stand_once_at_the_end_and_whole() {
        let script = format!("set -e; {}", "true; ".repeat(30));
        let to = "root@10.23.15.1:/x";
        let scp = node().ssh.unwrap().scp(&"a".into(), &"/x".into(), None);
        let out =
            shown(&[Command::new(["sh", "-c", &script, "sh", "1"]).on_node("edge-1"), Command::new(scp)]);
        assert!(
            out.starts_with(&format!("on edge-1: sh -c [script 1] sh 1\nto edge-1: scp a {to}\n")),
            "{out}"
        );
        assert!(
            out.contains("-p 2222 -a -x -- root@10.23.15.1 'sudo -n -- sh -c [watchdog] sh …'\n"),
            "{out}"
        );
        assert!(out.contains("scp -s -q -o BatchMode=yes") && out.contains("-P 2222 -- …\n"), "{out}");
        assert!(out.contains(WATCHDOG) && out.contains(&script), "{out}");
    }
}
