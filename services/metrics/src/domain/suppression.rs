//! Suppression: groups too small to be shown, and those that would give them away.
//!
//! A group is too small below the threshold. A line is all points of an answer that differ in one coordinate alone (one
//! dimension, or time): its total can be asked for by leaving that coordinate out. So where a line has suppressed points
//! and others, the suppressed ones must be two at least, and together not below the threshold; else the smallest of the
//! others is suppressed as well. This is repeated until every line holds. What a filter admits and what it leaves out are a
//! line too. What two answers to differently filtered questions give away together cannot be seen here.

use std::collections::HashMap;

/// One point: where it stands along each coordinate, and how many it rests on.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Its coordinates; all spots have as many.
    pub place: Vec<i64>,
    /// How many customers it rests on.
    pub size: i64,
}

/// Which of the spots are suppressed.
#[must_use]
pub fn suppressed(spots: &[Spot], threshold: i64) -> Vec<bool> {
    let mut hidden: Vec<bool> = spots.iter().map(|spot| spot.size < threshold).collect();
    let coordinates = spots.first().map_or(0, |spot| spot.place.len());
    let lines: Vec<Vec<usize>> = (0..coordinates).flat_map(|coordinate| lines(spots, coordinate)).collect();
    loop {
        let mut changed = false;
        for line in &lines {
            while let Some(next) = gives_away(line, spots, &hidden, threshold) {
                hidden[next] = true;
                changed = true;
            }
        }
        if !changed {
            return hidden;
        }
    }
}

/// The spots by lines along a coordinate. The order is the spots' own: which of two equals is taken is no accident.
fn lines(spots: &[Spot], coordinate: usize) -> Vec<Vec<usize>> {
    let mut places: HashMap<Vec<i64>, usize> = HashMap::new();
    let mut lines: Vec<Vec<usize>> = Vec::new();
    for (index, spot) in spots.iter().enumerate() {
        let mut rest = spot.place.clone();
        rest.remove(coordinate);
        let line = *places.entry(rest).or_insert_with(|| {
            lines.push(Vec::new());
            lines.len() - 1
        });
        lines[line].push(index);
    }
    lines
}

/// The smallest spot of a line that must be hidden besides, if the line gives something away.
fn gives_away(line: &[usize], spots: &[Spot], hidden: &[bool], threshold: i64) -> Option<usize> {
    let (gone, shown): (Vec<usize>, Vec<usize>) = line.iter().partition(|&&index| hidden[index]);
    let together: i64 = gone.iter().map(|&index| spots[index].size).sum();
    let safe = gone.is_empty() || (gone.len() > 1 && together >= threshold);
    if safe { None } else { shown.into_iter().min_by_key(|&index| spots[index].size) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(sizes: &[i64]) -> Vec<Spot> {
        (0..).zip(sizes).map(|(place, &size)| Spot { place: vec![place], size }).collect()
    }

    #[test]
    fn a_small_group_takes_the_next_smallest_with_it() {
        assert_eq!(suppressed(&line(&[50, 3, 20, 9]), 5), [false, true, false, true]);
    }

    #[test]
    fn two_small_groups_hide_each_other_where_they_are_large_enough_together() {
        assert_eq!(suppressed(&line(&[50, 3, 4]), 5), [false, true, true]);
        assert_eq!(suppressed(&line(&[50, 1, 2, 7]), 5), [false, true, true, true]);
    }

    #[test]
    fn groups_of_the_thresholds_size_are_shown() {
        assert_eq!(suppressed(&line(&[5, 5]), 5), [false, false]);
        assert_eq!(suppressed(&line(&[4]), 5), [true]);
        assert!(suppressed(&[], 5).is_empty());
    }

    #[test]
    fn what_is_hidden_in_a_row_is_hidden_from_its_column_too() {
        // Two channels by two products; one cell of 2.
        let sizes = [(0, 0, 2), (0, 1, 30), (1, 0, 40), (1, 1, 50)];
        let spots: Vec<_> = sizes.iter().map(|&(x, y, size)| Spot { place: vec![x, y], size }).collect();
        assert_eq!(suppressed(&spots, 5), [true, true, true, true]);
    }

    proptest! {
        #[test]
        fn no_line_gives_a_small_group_away(sizes in prop::collection::vec(1..30_i64, 12), threshold in 2..10_i64) {
            let spots: Vec<_> =
                (0_i64..).zip(&sizes).map(|(at, &size)| Spot { place: vec![at % 4, at / 4], size }).collect();
            let hidden = suppressed(&spots, threshold);
            for coordinate in [0, 1] {
                for line in lines(&spots, coordinate) {
                    let gone: Vec<_> = line.iter().filter(|&&at| hidden[at]).collect();
                    let together: i64 = gone.iter().map(|&&at| spots[at].size).sum();
                    let all = gone.len() == line.len();
                    prop_assert!(gone.is_empty() || all || (gone.len() > 1 && together >= threshold));
                }
            }
            prop_assert!(spots.iter().zip(&hidden).all(|(spot, hidden)| *hidden || spot.size >= threshold));
        }
    }
}
