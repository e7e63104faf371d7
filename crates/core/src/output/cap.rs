//! Of more output than a log may take, the head and the tail.

use std::collections::VecDeque;

use super::Line;

/// The tail is held in memory until it is known to be one.
const TAIL: u64 = 256 * 1024;

/// What a line takes besides its text: in the record of events, and here.
const EACH: u64 = 128;

/// What went missing between head and tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Bytes of text, ends of lines too.
    pub bytes: u64,
    /// How many lines.
    pub lines: u64,
}

/// The bound on one log. `T` goes with each line.
#[derive(Debug)]
pub struct Cap<T> {
    /// What the head may still take.
    head: u64,
    longest_tail: u64,
    tail: VecDeque<(T, Line)>,
    tail_size: u64,
    left_out: LeftOut,
}

impl<T> Cap<T> {
    /// A log of at most `max` bytes.
    pub fn new(max: u64) -> Self {
        let longest_tail = (max / 4).min(TAIL);
        Self {
            head: max - longest_tail,
            longest_tail,
            tail: VecDeque::new(),
            tail_size: 0,
            left_out: LeftOut::default(),
        }
    }

    /// Gives the line back as long as it belongs to the head.
    pub fn take(&mut self, tag: T, line: Line) -> Option<(T, Line)> {
        let size = size(&line);
        if let Some(left) = self.head.checked_sub(size) {
            self.head = left;
            return Some((tag, line));
        }
        // Once something is left out, so is a shorter line that would fit.
        self.head = 0;
        self.tail_size += size;
        self.tail.push_back((tag, line));
        while self.tail_size > self.longest_tail
            && let Some((_, line)) = self.tail.pop_front()
        {
            self.tail_size -= self::size(&line);
            self.left_out.bytes += line.text.len() as u64 + 1;
            self.left_out.lines += 1;
        }
        None
    }

    /// Nothing more comes for now: what was left out since the last time, and the tail.
    pub fn end(&mut self) -> (LeftOut, VecDeque<(T, Line)>) {
        self.tail_size = 0;
        (std::mem::take(&mut self.left_out), std::mem::take(&mut self.tail))
    }
}

fn size(line: &Line) -> u64 {
    line.text.len() as u64 + EACH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: String) -> Line {
        Line { text, painted: None }
    }

    #[test]
    fn head_and_tail_are_kept_and_the_middle_is_counted() {
        let mut cap = Cap::new(10_000);
        let (mut head, mut fed) = (Vec::new(), 0);
        for number in 0..1000 {
            let line = line(format!("line {number}"));
            fed += line.text.len() as u64 + 1;
            head.extend(cap.take((), line));
        }
        let (left_out, tail) = cap.end();
        assert_eq!(head.len() + tail.len() + usize::try_from(left_out.lines).unwrap(), 1000);
        assert_eq!(head[0].1.text, "line 0");
        assert_eq!(tail.back().unwrap().1.text, "line 999");
        let kept: u64 = head.iter().chain(&tail).map(|((), line)| line.text.len() as u64 + 1).sum();
        assert_eq!(kept + left_out.bytes, fed);
        let size: u64 = head.iter().chain(&tail).map(|((), line)| size(line)).sum();
        assert!(size <= 10_000 && size > 9_000, "{size}");
        // The next command has a tail of its own.
        assert_eq!(cap.take((), line("next".into())), None);
        let (left_out, tail) = cap.end();
        assert_eq!((left_out, tail.len()), (LeftOut::default(), 1));
    }

    #[test]
    fn what_fits_is_not_touched() {
        let mut cap = Cap::new(1 << 20);
        assert!((0..100).all(|_| cap.take((), line("x".into())).is_some()));
        assert!(cap.end().1.is_empty());
        // A line that is longer than the tail is left out itself.
        let mut small = Cap::new(1024);
        assert!(small.take((), line("x".repeat(5000))).is_none());
        assert_eq!(small.end(), (LeftOut { bytes: 5001, lines: 1 }, VecDeque::new()));
    }
}
