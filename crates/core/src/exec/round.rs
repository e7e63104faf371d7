//! What is asked of a node before anything runs there: all of it over one connection.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::asked::Once;
use super::context::{ActionCx, Captured};
use crate::event::{Failure, FailureKind};
use crate::plan::{Action, Command, Instance, Place, ShipMissing, Shipment};

/// Runs each command line that follows the mark, and prints after each the mark and the exit code.
const ROUND: &str =
    r#"m=$1; shift; for c do sh -c "$c" </dev/null 2>/dev/null; printf '\n%s %s\n' "$m" "$?"; done"#;

/// More would not fit into one argument of ssh, which may have 128 KiB and is quoted twice.
const LONGEST: usize = 32 << 10;

/// What each question adds to the time that a node may take.
const EACH: Duration = Duration::from_secs(5);

/// The questions of a run to its nodes, and the answers.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// By node, in rounds that fit into a command line.
    questions: BTreeMap<String, Vec<Vec<Argv>>>,
    answers: Once<(String, usize), Answers>,
    /// Something runs on them, or has run: what they said before may not be true any more.
    stale: Mutex<BTreeSet<String>>,
}

type Argv = Vec<OsString>;

/// None where a round could not be held: each question is then asked alone.
type Answers = Result<Option<Arc<HashMap<Argv, Captured>>>, Failure>;

impl Rounds {
    /// Adds a question to a node.
    pub(super) fn add(&mut self, node: &str, argv: Argv) {
        let rounds = self.questions.entry(node.to_owned()).or_default();
        let length = |argv: &Argv| argv.iter().map(|arg| arg.len() + 8).sum::<usize>();
        let full = |round: &Vec<Argv>| round.iter().map(length).sum::<usize>() + length(&argv) > LONGEST;
        match rounds.last_mut() {
            Some(round) if !full(round) => round.push(argv),
            _ => rounds.push(vec![argv]),
        }
    }

    /// An instance runs: each question to nodes that it may change is from now on asked for itself.
    pub(super) fn begin(&self, instance: &Instance) {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        for action in instance.actions.iter().chain(&instance.cleanup) {
            match action {
                Action::Command(Command { place: Place::Node(node), .. })
                | Action::ShipMissing(ShipMissing { shipment: Shipment { node, .. }, .. }) => {
                    stale.insert(node.clone());
                }
                Action::CopyFile(_) => stale.extend(action.node().map(str::to_owned)),
                Action::Command(_) if instance.is_own_command() => {
                    stale.extend(self.questions.keys().cloned());
                }
                _ => {}
            }
        }
    }

    fn is_over(&self, node: &str) -> bool {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).contains(node)
    }

    /// What the node says to a command; none where it has to be asked for itself. Whoever asks first asks for all.
    pub(super) fn answer(
        &self,
        cx: &ActionCx<'_>,
        node: &str,
        argv: &[OsString],
    ) -> Result<Option<Captured>, Failure> {
        let Some(rounds) = self.questions.get(node) else { return Ok(None) };
        let found = rounds.iter().enumerate().find(|(_, round)| round.iter().any(|asked| asked == argv));
        let Some((index, round)) = found.filter(|(_, round)| round.len() > 1) else { return Ok(None) };
        if self.is_over(node) {
            return Ok(None);
        }
        let answers = self.answers.get((node.to_owned(), index), || hold(cx, node, round))?;
        // What was begun in the meantime may be in the answer, or not.
        Ok(answers.filter(|_| !self.is_over(node)).and_then(|answers| answers.get(argv).cloned()))
    }
}

fn hold(cx: &ActionCx<'_>, node: &str, round: &[Argv]) -> Answers {
    let mark = RandomState::new().build_hasher();
    let mark = format!("{:016x}{:016x}", mark.finish(), RandomState::new().build_hasher().finish());
    let mut command = Command::new(["sh", "-c", ROUND, "sh", &mark]);
    for argv in round {
        let words = argv.iter().map(|arg| arg.to_str().and_then(|arg| shlex::try_quote(arg).ok()));
        let Some(words) = words.collect::<Option<Vec<_>>>() else { return Ok(None) };
        command = command.arg(words.join(" "));
    }
    let time = EACH.saturating_mul(u32::try_from(round.len()).unwrap_or(u32::MAX));
    let deadline = cx.deadline.and_then(|deadline| deadline.checked_add(time));
    let cx = ActionCx { deadline, used: RefCell::default(), ..*cx };
    match cx.run(&command.on_node(node)) {
        Ok(said) => {
            Ok(String::from_utf8(said.stdout).ok().and_then(|said| read(&said, &mark, round)).map(Arc::new))
        }
        Err(failure) => match failure.kind {
            // Such as a sudo that allows the tools, and no shell.
            FailureKind::Exit { .. } => Ok(None),
            _ => Err(failure),
        },
    }
}

/// None where not everything was answered.
fn read(said: &str, mark: &str, round: &[Argv]) -> Option<HashMap<Argv, Captured>> {
    let mark = format!("\n{mark} ");
    let mut rest = said;
    let mut answers = HashMap::new();
    for argv in round {
        let (stdout, after) = rest.split_once(&mark)?;
        let (code, after) = after.split_once('\n')?;
        let answer = Captured { stdout: stdout.as_bytes().to_vec(), code: code.parse().ok()? };
        answers.insert(argv.clone(), answer);
        rest = after;
    }
    Some(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_said_is_read_back_whole_or_not_at_all() {
        let argv = |word: &str| vec![OsString::from(word)];
        let round = [argv("a"), argv("b"), argv("c")];
        let said = "one\ntwo\n\nm 0\n\nm 7\n\0m 3\n\nm 255\n";
        let answers = read(said, "m", &round).unwrap();
        let of = |word: &str| (answers[&argv(word)].stdout.as_slice(), answers[&argv(word)].code);
        assert_eq!(of("a"), (b"one\ntwo\n".as_slice(), 0));
        assert_eq!(of("b"), (b"".as_slice(), 7));
        assert_eq!(of("c"), (b"\0m 3\n".as_slice(), 255));
        for cut in 0..said.len() {
            assert!(read(&said[..cut], "m", &round).is_none(), "{cut}");
        }
    }

    #[test]
    fn a_round_fits_into_an_argument() {
        let mut rounds = Rounds::default();
        for _ in 0..100 {
            rounds.add("n", vec![OsString::from("x".repeat(1000))]);
        }
        let sizes: Vec<usize> = rounds.questions["n"].iter().map(Vec::len).collect();
        assert_eq!(sizes, [32, 32, 32, 4]);
    }
}
