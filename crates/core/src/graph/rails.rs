//! The lines left of a list, as `git log --graph` has them: what a box makes is a rail that goes down to all who take it.
//!
//! A rail belongs to the one that it comes from, not to those that it leads to: a checkout that fifty targets use is one
//! line, so that the lines stay narrow however many targets there are.

/// What is under way at a row.
#[derive(Debug, Default)]
pub(super) struct Rails {
    open: Vec<Option<Rail>>,
    /// Columns that ended in the row above. A box right below would look as if it came after that one.
    resting: Vec<usize>,
}

#[derive(Debug)]
struct Rail {
    from: usize,
    /// Boxes that it still leads to.
    left: usize,
}

/// A rail that ends or branches at a box.
#[derive(Clone, Copy)]
struct Arrival {
    column: usize,
    gate: bool,
    ends: bool,
}

impl Rails {
    /// The row of a box: `incoming` with whether it is a check only, and how many wait for the box.
    pub(super) fn row(&mut self, index: usize, incoming: &[(usize, bool)], outgoing: usize) -> String {
        let arrivals: Vec<Arrival> = self
            .open
            .iter()
            .enumerate()
            .filter_map(|(column, rail)| {
                let rail = rail.as_ref()?;
                let (_, gate) = incoming.iter().find(|(from, _)| *from == rail.from)?;
                Some(Arrival { column, gate: *gate, ends: rail.left == 1 })
            })
            .collect();
        let own = arrivals.iter().find(|arrival| arrival.ends).map_or_else(|| self.free(), |one| one.column);
        if own >= self.open.len() {
            self.open.resize_with(own + 1, || None);
        }
        let drawn = self.draw(own, &arrivals);
        for arrival in &arrivals {
            let rail = &mut self.open[arrival.column];
            match rail {
                Some(rail) if !arrival.ends => rail.left -= 1,
                _ => *rail = None,
            }
        }
        self.resting.clear();
        if outgoing > 0 {
            self.open[own] = Some(Rail { from: index, left: outgoing });
        } else {
            self.open[own] = None;
            self.resting.push(own);
        }
        while matches!(self.open.last(), Some(None)) {
            self.open.pop();
        }
        drawn
    }

    /// A row in which nothing happens, between two boxes.
    pub(super) fn between(&mut self) -> String {
        self.resting.clear();
        self.below()
    }

    /// The rails as they leave the last box.
    pub(super) fn below(&self) -> String {
        let line: String = self.open.iter().map(|rail| if rail.is_some() { "│ " } else { "  " }).collect();
        line.trim_end().to_owned()
    }

    /// The first column that a new rail may use.
    fn free(&self) -> usize {
        let used = |column: &usize| {
            self.open.get(*column).is_some_and(Option::is_some) || self.resting.contains(column)
        };
        // There are more columns here than can be used.
        let last = self.open.len() + self.resting.len();
        (0..last).find(|column| !used(column)).unwrap_or(last)
    }

    fn draw(&self, own: usize, arrivals: &[Arrival]) -> String {
        let first = arrivals.iter().map(|one| one.column).fold(own, usize::min);
        let last = arrivals.iter().map(|one| one.column).fold(own, usize::max);
        // Dashed as long as it carries nothing but checks.
        let line = |left_of_own: bool, column: usize| {
            let mut carried = arrivals
                .iter()
                .filter(|one| if left_of_own { one.column <= column } else { one.column > column });
            if carried.all(|one| one.gate) { '┄' } else { '─' }
        };
        let mut drawn = String::new();
        for column in 0..self.open.len().max(last + 1) {
            let arrival = arrivals.iter().find(|one| one.column == column);
            let open = self.open.get(column).is_some_and(Option::is_some);
            let inside = first < column && column < last;
            drawn.push(match arrival {
                _ if column == own => '●',
                Some(one) if one.ends && column == last => '╯',
                Some(one) if one.ends => '┴',
                Some(_) if column == first => '├',
                Some(_) if column == last => '┤',
                Some(_) => '┼',
                None if open => '│',
                None if inside => line(column < own, column),
                None => ' ',
            });
            let covered = first <= column && column < last;
            drawn.push(if covered { line(column < own, column) } else { ' ' });
        }
        drawn.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Rails;

    #[test]
    fn one_line_leads_to_all_who_take_it() {
        let mut rails = Rails::default();
        let rows = [
            rails.row(0, &[], 3),
            rails.row(1, &[], 2),
            rails.row(2, &[(0, false)], 1),
            rails.row(3, &[(0, false), (1, true)], 0),
            rails.row(4, &[(0, false), (2, false)], 0),
            rails.row(5, &[(1, true)], 0),
            rails.row(6, &[], 0),
        ];
        assert_eq!(rows, ["●", "│ ●", "├─│─●", "├─┼─│─●", "●─│─╯", "  ●", "●"]);
    }
}
