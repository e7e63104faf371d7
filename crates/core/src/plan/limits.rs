//! What bounds an instance besides its inputs: attempts, how many run at once, how much it may print.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often, after what pause and for which causes a failed instance is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Pause between two attempts.
    pub delay: Duration,
    /// Each pause is twice the one before, up to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Duration>,
    /// Failures of another cause are final.
    #[serde(default = "Cause::usual")]
    pub on: Vec<Cause>,
}

impl Retry {
    /// So many attempts, with one pause between all of them, for the usual causes.
    pub fn new(attempts: u32, delay: Duration) -> Self {
        Self { attempts, delay, max_delay: None, on: Cause::usual() }
    }
}

/// A cause of failure that may pass by itself. In recipes and plans it is written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cause {
    /// `exit`, `exit:75`: a tool exited with another code than it should; with this one.
    Exit(Option<i32>),
    /// `signal`, `signal:9`: a tool was ended by a signal; by this one.
    Signal(Option<i32>),
    /// `timeout`: it took too long, or was silent for too long.
    Timeout,
    /// `unreachable`: a node could not be reached, or the connection broke.
    Unreachable,
    /// `io`: a file could not be read or written, for another reason than want of space.
    Io,
    /// `mismatch`: something is other than what it must be.
    Mismatch,
    /// `emulation`: a program crashed as programs do under QEMU, and not each time.
    Emulation,
}

impl Cause {
    /// As they are written, less the numbers.
    pub const NAMES: [&str; 7] = ["exit", "signal", "timeout", "unreachable", "io", "mismatch", "emulation"];

    /// What is tried again where a recipe does not say. What is wrong with an image stays wrong.
    pub fn usual() -> Vec<Self> {
        vec![Self::Exit(None), Self::Signal(None), Self::Timeout, Self::Unreachable, Self::Io]
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
        let number = |most: i32| {
            let parse = |number: &str| number.parse().ok().filter(|number| (1..=most).contains(number));
            let refused = || format!("`{name}:` wants a number from 1 to {most}");
            number.map(|number| parse(number).ok_or_else(refused)).transpose()
        };
        Ok(match name {
            "exit" => Self::Exit(number(255)?),
            "signal" => Self::Signal(number(64)?),
            name if !Self::NAMES.contains(&name) => return Err("it is no cause of failure".into()),
            _ if text.contains(':') => return Err(format!("`{name}` takes no number")),
            "timeout" => Self::Timeout,
            "unreachable" => Self::Unreachable,
            "io" => Self::Io,
            "mismatch" => Self::Mismatch,
            _ => Self::Emulation,
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(Some(code)) => write!(f, "exit:{code}"),
            Self::Exit(None) => f.write_str("exit"),
            Self::Signal(Some(signal)) => write!(f, "signal:{signal}"),
            Self::Signal(None) => f.write_str("signal"),
            Self::Timeout => f.write_str("timeout"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Io => f.write_str("io"),
            Self::Mismatch => f.write_str("mismatch"),
            Self::Emulation => f.write_str("emulation"),
        }
    }
}

impl TryFrom<String> for Cause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        cause.to_string()
    }
}

/// A pool that the recipe declares: no more than so many of its instances run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The pool's name.
    pub pool: Arc<str>,
    /// How many at once.
    pub at_once: u32,
}

/// What the log of a step may take where the recipe does not say, in bytes.
pub const MAX_LOG: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_read_as_they_are_written() {
        for text in ["exit", "exit:75", "signal", "signal:9", "timeout", "unreachable", "io", "mismatch"] {
            assert_eq!(text.parse::<Cause>().unwrap().to_string(), text);
        }
        for text in
            ["", "exits", "exit:", "exit:0", "exit:256", "exit:x", "signal:65", "timeout:3", "75", "io:"]
        {
            text.parse::<Cause>().unwrap_err();
        }
        assert!(Cause::NAMES.iter().all(|name| name.parse::<Cause>().is_ok()));
    }

    #[test]
    fn plans_of_before_are_read() {
        let json = r#"{ "attempts": 3, "delay": { "secs": 1, "nanos": 0 } }"#;
        let retry: Retry = serde_json::from_str(json).unwrap();
        assert_eq!(retry, Retry::new(3, Duration::from_secs(1)));
        let json = serde_json::to_string(&Cause::Exit(Some(75))).unwrap();
        assert_eq!(json, "\"exit:75\"");
    }
}
