//! In which rank each box stands: after all that it waits for, and not farther from them than it must.

use super::Task;

/// The rank of each item. A tie against the order of items, which closes a circle, counts the other way round.
pub(super) fn ranks(task: &Task) -> Vec<usize> {
    let count = task.items.len();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    for tie in &task.ties {
        let (upper, lower) = (tie.from.min(tie.to), tie.from.max(tie.to));
        before[lower].push(upper);
        after[upper].push(lower);
    }
    let mut ranks = vec![0; count];
    for item in 0..count {
        ranks[item] = before[item].iter().map(|other| ranks[*other] + 1).max().unwrap_or(0);
    }
    // Down to what takes it where no line becomes longer by that: a source stands right above its first consumer.
    for item in (0..count).rev() {
        let first = after[item].iter().map(|other| ranks[*other]).min();
        if let Some(first) = first.filter(|_| after[item].len() >= before[item].len()) {
            ranks[item] = first - 1;
        }
    }
    ranks
}
