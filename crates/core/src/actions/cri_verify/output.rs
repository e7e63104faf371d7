//! What a container printed, from the log that a CRI runtime writes: `TIME stdout|stderr F|P TEXT`.

/// Lines that are kept for people.
const SHOWN: usize = 20;

/// See above.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    /// All of stdout.
    pub(super) stdout: String,
    /// The last lines of both.
    pub(super) last: Vec<String>,
}

impl Printed {
    /// A line that is not of the form is one that was cut off at the log's end.
    pub(super) fn read(log: &[u8]) -> Self {
        let mut printed = Self::default();
        let mut lines: Vec<String> = Vec::new();
        // By stream: its last line goes on.
        let mut open = [false; 2];
        for line in String::from_utf8_lossy(log).lines() {
            let mut parts = line.splitn(4, ' ').skip(1);
            let (Some(stream), Some(tag), text) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let (text, is_stdout) = (text.unwrap_or_default(), stream == "stdout");
            // More tags may follow, after a colon.
            let partial = tag.split(':').next() == Some("P");
            if is_stdout {
                printed.stdout.push_str(text);
                if !partial {
                    printed.stdout.push('\n');
                }
            }
            let goes_on = std::mem::replace(&mut open[usize::from(is_stdout)], partial);
            match lines.last_mut().filter(|_| goes_on) {
                Some(last) => last.push_str(text),
                None => lines.push(text.to_owned()),
            }
        }
        let first = lines.len().saturating_sub(SHOWN);
        printed.last = lines.split_off(first);
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_apart_and_long_lines_whole() {
        let log = "2026-01-01T00:00:00.1Z stdout P a b\n2026-01-01T00:00:00.2Z stdout F  c\n\
                   2026-01-01T00:00:00.3Z stderr F no\n2026-01-01T00:00:00.4Z stdout F \n2026-01-01T00:00:00.5Z std";
        let printed = Printed::read(log.as_bytes());
        assert_eq!(printed.stdout, "a b c\n\n");
        assert_eq!(printed.last, ["a b c", "no", ""]);
        assert_eq!(Printed::read(b""), Printed::default());
        let many: String = (0..30).map(|n| format!("t stderr F {n}\n")).collect();
        let printed = Printed::read(many.as_bytes());
        assert_eq!((printed.last.len(), printed.last[0].as_str()), (SHOWN, "10"));
    }
}
