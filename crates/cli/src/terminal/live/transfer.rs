//! Data on its way to a node: how much, how fast.

use std::collections::VecDeque;
use std::time::Duration;

use pipeline_core::event::Part;

use super::time;

/// Of how long a rate tells.
const RECENT: Duration = Duration::from_secs(5);

/// Less time tells of no rate: ssh takes the first megabytes at once.
const SOON: Duration = Duration::from_secs(1);

/// The blobs of one delivery, or a file.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) sent: u64,
    pub(super) total: u64,
    part: Part,
    /// Bytes of all its blobs, as far as they were told of.
    moved: u64,
    /// What had been moved when, of recent times.
    recent: VecDeque<(Duration, u64)>,
}

impl Default for Transfer {
    fn default() -> Self {
        let part = Part { blob: 0, blobs: 0 };
        Self { sent: 0, total: 0, part, moved: 0, recent: VecDeque::new() }
    }
}

impl Transfer {
    pub(super) fn move_to(&mut self, at: Duration, sent: u64, total: u64, part: Part) {
        // Where a blob begins, what is there of it has not been moved now.
        if part == self.part {
            self.moved += sent.saturating_sub(self.sent);
        }
        (self.sent, self.total, self.part) = (sent, total, part);
        self.recent.push_back((at, self.moved));
        while self.recent.len() > 2 && self.recent[0].0 + RECENT < at {
            self.recent.pop_front();
        }
    }

    /// All of this blob has been sent.
    pub(super) fn is_whole(&self) -> bool {
        self.sent == self.total
    }

    /// Bytes a second.
    pub(super) fn rate(&self) -> Option<u64> {
        let ((from, before), (to, after)) = (self.recent.front()?, self.recent.back()?);
        let time = to.saturating_sub(*from);
        if time < SOON {
            return None;
        }
        u64::try_from(u128::from(after - before) * 1000 / time.as_millis().max(1)).ok()
    }

    /// Of `width` characters.
    pub(super) fn filled(&self, width: usize) -> usize {
        let width = u128::try_from(width).unwrap_or_default();
        let filled = width * u128::from(self.sent.min(self.total)) / u128::from(self.total.max(1));
        usize::try_from(filled).unwrap_or_default()
    }

    /// `2/4`; nothing where there is one.
    pub(super) fn part(&self) -> String {
        match self.part {
            Part { blobs: 0 | 1, .. } => String::new(),
            Part { blob, blobs } => format!(" {blob}/{blobs}"),
        }
    }

    /// `42 s`: how long the rest of this blob takes.
    pub(super) fn rest(&self) -> String {
        let left = self.total.saturating_sub(self.sent);
        let Some(rate) = self.rate().filter(|rate| *rate > 0 && left > 0) else { return String::new() };
        time::rest(left.div_ceil(rate)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: u64 = 200_000_000;

    fn part(blob: usize, blobs: usize) -> Part {
        Part { blob, blobs }
    }

    #[test]
    fn the_rate_is_of_recent_seconds_and_of_what_was_sent_now() {
        let mut one = Transfer::default();
        let mut to = |millis, sent, part| {
            one.move_to(Duration::from_millis(millis), sent, TOTAL, part);
            (one.rate(), one.rest())
        };
        // What had arrived before is not sent now.
        assert_eq!(to(0, 100_000_000, part(1, 2)), (None, String::new()));
        for second in 1..=9 {
            to(second * 1000, 100_000_000 + second * 1_000_000, part(1, 2));
        }
        assert_eq!(to(10_000, 110_000_000, part(1, 2)).0, Some(1_000_000));
        // The next blob, of which a part is there, goes on at another pace.
        to(11_000, 50_000_000, part(2, 2));
        for second in 1..=4 {
            to(11_000 + second * 1000, 50_000_000 + second * 3_000_000, part(2, 2));
        }
        assert_eq!(to(16_000, 65_000_000, part(2, 2)), (Some(3_000_000), "45 s".into()));
        // A line that stands still, and a clock that did.
        for second in 6..=11 {
            to(11_000 + second * 1000, 65_000_000, part(2, 2));
        }
        assert_eq!(to(23_000, 65_000_000, part(2, 2)), (Some(0), String::new()));
        to(3_600_000, 65_000_000, part(2, 2));
        to(3_601_000, 69_000_000, part(2, 2));
        assert_eq!(to(3_602_000, 73_000_000, part(2, 2)).0, Some(4_000_000));
    }

    #[test]
    fn the_rest_of_the_time_in_few_characters() {
        for (per_second, rest) in [
            (TOTAL, ""),
            (5_000_000, "39 s"),
            (3_000_000, "2 min"),
            (50_000, "2 h"),
            (1_000, "56 h"),
            (100, ""),
        ] {
            let mut one = Transfer::default();
            one.move_to(Duration::ZERO, 0, TOTAL, part(1, 1));
            one.move_to(Duration::from_secs(1), per_second, TOTAL, part(1, 1));
            assert_eq!(one.rest(), rest, "{per_second}");
        }
    }
}
