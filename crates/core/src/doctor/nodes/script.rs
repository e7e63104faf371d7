//! The one script that nodes are asked by, and its answers.
//!
//! The script is a constant; what it is asked comes as arguments, so nothing of a recipe is ever code. It writes nothing.

use std::collections::BTreeMap;

/// `sh -c LOOK sh LOOK question…`: answers each question in a line `pipeline<TAB>question<TAB>answer`. It is its own first
/// argument because from the question `sudo:` on, root answers.
///
/// Folders need not be there yet: what counts then is the nearest one above.
pub(super) const LOOK: &str = r#"look=$1; shift
say() { printf 'pipeline\t%s\t%s\n' "$1" "$2"; }
first() { printf '%s\n' "$1" | { read -r l; printf %s "$l"; }; }
answer() { if ! command -v "$1" >/dev/null; then say "$q" none
  elif said=$("$@" 2>&1 </dev/null); then say "$q" "yes $(printf %s "$said" | tr '\n' ' ')"
  else say "$q" "no $(printf %s "$said" | tr '\n' ' ')"; fi; }
near() { d=$1; until [ -e "$d" ]; do d=$(dirname "$d"); done; }
while [ $# -gt 0 ]; do
  q=$1; a=${1#*:}; shift
  case $q in
    machine:) say "$q" "$(uname -m)" ;;
    user:) say "$q" "$(id -u)" ;;
    tool:*) say "$q" "$(command -v "$a")" ;;
    socket:*|cri:*) if [ ! -S "$a" ]; then say "$q" no; elif [ -w "$a" ]; then say "$q" yes; else say "$q" closed; fi ;;
    folder:*) if [ -d "$a" ]; then if [ -w "$a" ]; then say "$q" yes; else say "$q" closed; fi
      elif [ -e "$a" ]; then say "$q" file
      else near "$a"; if [ -d "$d" ] && [ -w "$d" ]; then say "$q" new; else say "$q" "under $d"; fi; fi ;;
    space:*) near "$a"; df -Pk "$d" 2>/dev/null | { read -r _; read -r line; say "$q" "$line"; } ;;
    policy:) if [ -e "${HOME:-}/.config/containers/policy.json" ] || [ -e /etc/containers/policy.json ]
      then say "$q" yes; else say "$q" no; fi ;;
    worker:) say "$q" "$(id -u)" ;;
    version:*) if command -v "$a" >/dev/null; then said=$("$a" --version 2>/dev/null </dev/null); say "$q" "$(first "$said")"
      else say "$q" none; fi ;;
    answers:*) case $a in
      docker) answer docker version --format '{{.Server.Version}}' ;;
      podman) answer podman version --format '{{.Version}}' ;;
      crictl:*) a=${a#crictl:}; answer crictl --timeout 5s ${a:+--runtime-endpoint "$a"} version ;;
      *) if command -v crictl >/dev/null; then answer crictl --timeout 5s ${a:+--runtime-endpoint "$a"} version
        else answer ctr ${a:+--address "${a#unix://}"} version; fi ;; esac ;;
    images:*) said=$(crictl --timeout 5s ${a:+--runtime-endpoint "$a" --image-endpoint "$a"} imagefsinfo --output json \
        2>/dev/null </dev/null | tr -d '\n\t ')
      case $said in *'"mountpoint":"'*) said=${said#*'"mountpoint":"'}; say "$q" "${said%%'"'*}" ;; esac ;;
    graphroot:) [ ! -r /etc/containers/storage.conf ] || while read -r k e v; do
        if [ "$k $e" = 'graphroot =' ]; then v=${v#'"'}; say "$q" "${v%%'"'*}"; fi; done </etc/containers/storage.conf ;;
    sudo:) if said=$(sudo -n true 2>&1); then say "$q" yes; exec sudo -n -- sh -c "$look" sh "$look" "$@"
      else say "$q" "no $said"; shift $#; fi ;;
  esac
done
say end: yes"#;

/// What a node is asked.
#[derive(Debug, Default)]
pub(super) struct Questions {
    login: Vec<String>,
    worker: Vec<String>,
}

impl Questions {
    /// Asked as the user that ssh logs in as, whom `scp` and forwarded sockets work as.
    pub(super) fn as_login(&mut self, question: impl Into<String>) {
        self.login.push(question.into());
    }

    /// Asked as the user that commands run as: root, where the node says `sudo`.
    pub(super) fn as_worker(&mut self, question: impl Into<String>) {
        let question = question.into();
        if !self.worker.contains(&question) {
            self.worker.push(question);
        }
    }

    /// In order.
    pub(super) fn list(&self, sudo: bool) -> impl Iterator<Item = &str> {
        let sudo = sudo.then_some("sudo:");
        self.login.iter().map(String::as_str).chain(sudo).chain(self.worker.iter().map(String::as_str))
    }
}

/// What a node answered.
#[derive(Debug, Default)]
pub(super) struct Facts(BTreeMap<String, String>);

impl Facts {
    /// The answers in what the session printed. `None` when it did not come to its end. Login scripts may print as well.
    pub(super) fn parse(stdout: &str) -> Option<Self> {
        let facts: BTreeMap<String, String> = stdout
            .lines()
            .filter_map(|line| line.strip_prefix("pipeline\t")?.split_once('\t'))
            .map(|(question, answer)| (question.to_owned(), answer.trim().to_owned()))
            .collect();
        facts.contains_key("end:").then_some(Self(facts))
    }

    /// The answer to a question, if it was asked and answered.
    pub(super) fn get(&self, kind: &str, about: &str) -> Option<&str> {
        self.0.get(&format!("{kind}:{about}")).map(String::as_str)
    }

    /// Every question of a kind with its answer.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = format!("{kind}:");
        self.0
            .iter()
            .filter_map(move |(question, answer)| Some((question.strip_prefix(&prefix)?, answer.as_str())))
    }
}

/// Free bytes in a line of `df -Pk`. Names of devices and mount points may hold spaces; the percentage stands between.
pub(super) fn free(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let percent = |word: &str| word.strip_suffix('%').is_some_and(|number| number.parse::<u64>().is_ok());
    let at = words.iter().position(|word| percent(word) || *word == "-")?;
    words.get(at.checked_sub(1)?)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_whatever_devices_are_called() {
        assert_eq!(free("/dev/vda1 100 40 60 40% /"), Some(60 * 1024));
        assert_eq!(free("//server/a share 100 40 60 40% /mnt/a b"), Some(60 * 1024));
        assert_eq!(free("none 0 0 0 - /x"), Some(0));
        assert_eq!(free("df: /x: No such file"), None);
        assert_eq!(free(""), None);
    }

    #[test]
    fn a_session_that_breaks_off_has_no_facts() {
        let facts = Facts::parse("Welcome!\npipeline\tmachine:\tx86_64\npipeline\tend:\tyes\n").unwrap();
        assert_eq!(facts.get("machine", ""), Some("x86_64"));
        assert_eq!(facts.get("tool", "skopeo"), None);
        assert!(Facts::parse("pipeline\tmachine:\tx86_64\n").is_none());
    }
}
