//! Lines that are sent together. A line is done when all that it says is acknowledged, and lines are noted in their order:
//! so what is noted is always a beginning of the file. Pure.

use super::Wrong;
use super::lines::Line;
use super::report::Refused;
use super::send::{Place, Refusal};

/// Lines that are sent together.
pub struct Together<'a> {
    lines: &'a [Line],
    /// Of each line, how many of its items are not acknowledged yet.
    open: Vec<usize>,
    /// Of each line, why it was refused if it was.
    refusals: Vec<Option<(String, Wrong)>>,
    /// How many lines are done, from the first on.
    done: usize,
}

impl<'a> Together<'a> {
    /// None of whose items is known yet.
    pub fn new(lines: &'a [Line]) -> Self {
        Self { lines, open: vec![0; lines.len()], refusals: vec![None; lines.len()], done: 0 }
    }

    /// A line has so many items.
    pub fn wait(&mut self, at: usize, items: usize) {
        if let Some(open) = self.open.get_mut(at) {
            *open += items;
        }
    }

    /// A line, or a part of it, was refused.
    pub fn refuse(&mut self, at: usize, reason: &str, wrong: Wrong) {
        let Some(refusal) = self.refusals.get_mut(at) else { return };
        refusal.get_or_insert_with(|| (reason.to_owned(), Wrong::default())).1.0.extend(wrong.0);
    }

    /// Items are settled, some of them refused. Answers the lines that are done by it, and those of them that were refused.
    pub fn settle(&mut self, places: &[Place], refused: Vec<Refusal>) -> (&'a [Line], Vec<Refused>) {
        for (place, reason, wrong) in refused {
            self.refuse(place.at, &reason, within(place, wrong));
        }
        for place in places {
            if let Some(open) = self.open.get_mut(place.at) {
                *open = open.saturating_sub(1);
            }
        }
        self.passed()
    }

    /// The lines that are done and were not answered before, and those of them that were refused.
    pub fn passed(&mut self) -> (&'a [Line], Vec<Refused>) {
        let from = self.done;
        self.done += self.open[from..].iter().take_while(|open| **open == 0).count();
        let passed = &self.lines[from..self.done];
        let refused = passed.iter().zip(&mut self.refusals[from..self.done]);
        let refused = refused.filter_map(|(line, refusal)| {
            let (reason, wrong) = refusal.take()?;
            Some((line.number, reason, wrong))
        });
        (passed, refused.collect())
    }
}

/// What is wrong with a call of a batch, named by its place there.
fn within(place: Place, wrong: Wrong) -> Wrong {
    match place.within {
        None => wrong,
        Some(at) => wrong.within(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_done_in_their_order_and_when_all_that_they_say_is_acknowledged() {
        let line = |number| Line { number, content: Err(Wrong::default()) };
        let lines: Vec<Line> = (2..6).map(line).collect();
        let place = |at, within| Place { at, within };
        let numbers = |(passed, refused): (&[Line], Vec<Refused>)| {
            let passed: Vec<u64> = passed.iter().map(|line| line.number).collect();
            (passed, refused)
        };
        let mut together = Together::new(&lines);
        together.refuse(0, "INVALID_FIELD", Wrong::one("line", "is wrong"));
        for (at, items) in [(1, 2), (2, 1), (3, 1)] {
            together.wait(at, items);
        }
        let first = (2, "INVALID_FIELD".to_owned(), Wrong::one("line", "is wrong"));
        assert_eq!(numbers(together.passed()), (vec![2], vec![first]));
        let refusal = |at| (place(1, Some(at)), "ERASED".to_owned(), Wrong::one("line", "is erased"));
        assert_eq!(numbers(together.settle(&[place(2, None), place(1, Some(4))], vec![refusal(4)])), (vec![], vec![]));
        let (passed, refused) = numbers(together.settle(&[place(1, Some(0))], vec![refusal(0)]));
        assert_eq!(passed, [3, 4]);
        let fields: Vec<&str> = refused[0].2.0.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!((refused.len(), refused[0].0, fields), (1, 3, vec!["batch[4]", "batch[0]"]));
        assert_eq!(numbers(together.settle(&[place(3, None)], Vec::new())), (vec![5], vec![]));
    }
}
