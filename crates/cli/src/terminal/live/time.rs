//! Times as a block shows them: without parts of seconds, so that it stands still in between.

use std::time::Duration;

/// How long something goes on: `7 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn so_far(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long something may yet take, in few characters: `42 s`, `3 min`, `2 h`. None beyond days.
pub(super) fn rest(seconds: u64) -> Option<String> {
    match seconds {
        0..60 => Some(format!("{seconds} s")),
        60..3600 => Some(format!("{} min", seconds.div_ceil(60))),
        3600..360_000 => Some(format!("{} h", seconds.div_ceil(3600))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_characters_whatever_the_time() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (360_000, "100 h 0 min")]
        {
            assert_eq!(so_far(Duration::from_secs(seconds)), text);
        }
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (61, "2 min"), (3599, "60 min"), (3601, "2 h")] {
            assert_eq!(rest(seconds).as_deref(), Some(text));
        }
        assert_eq!(rest(1_000_000), None);
    }
}
