//! How alike two short texts are. Written for at most 64 elements, so that a set of positions is one machine word; what is
//! longer is compared by its first 64.

/// The longest compared text.
const WORD: usize = 64;

/// What a text is made of.
pub trait Symbol: Copy + Ord {
    /// Says of a text (of at most 64 symbols) where each symbol occurs, as bits.
    fn occurrences(text: &[Self]) -> impl Fn(Self) -> u64;
}

impl Symbol for u8 {
    fn occurrences(text: &[Self]) -> impl Fn(Self) -> u64 {
        let mut table = [0_u64; 256];
        for (at, symbol) in text.iter().enumerate() {
            table[usize::from(*symbol)] |= 1 << at;
        }
        move |symbol| table[usize::from(symbol)]
    }
}

impl Symbol for char {
    fn occurrences(text: &[Self]) -> impl Fn(Self) -> u64 {
        move |symbol| text.iter().enumerate().fold(0, |bits, (at, other)| bits | u64::from(symbol == *other) << at)
    }
}

/// Jaro's similarity with Winkler's bonus for a common prefix: 0 to 1. Two empty texts are alike.
/// Source: Winkler 1990, "String Comparator Metrics and Enhanced Decision Rules in the Fellegi-Sunter Model".
#[must_use]
pub fn jaro_winkler<T: Symbol>(left: &[T], right: &[T]) -> f32 {
    let (left, right) = (&left[..left.len().min(WORD)], &right[..right.len().min(WORD)]);
    // Pairing is greedy from the left one: a fixed order makes the answer symmetric.
    let (left, right) = if (left.len(), left) > (right.len(), right) { (right, left) } else { (left, right) };
    let jaro = jaro(left, right);
    let prefix = left.iter().zip(right).take(4).take_while(|(a, b)| a == b).count();
    jaro + prefix as f32 * 0.1 * (1.0 - jaro)
}

fn jaro<T: Symbol>(left: &[T], right: &[T]) -> f32 {
    if left.is_empty() || right.is_empty() {
        return if left.len() == right.len() { 1.0 } else { 0.0 };
    }
    let window = (left.len().max(right.len()) / 2).saturating_sub(1);
    let occurrences = T::occurrences(right);
    let (mut in_left, mut in_right) = (0_u64, 0_u64);
    // As wide as the window reaches to both sides, and moving along.
    let reach = if 2 * window + 1 >= WORD { !0 } else { (1_u64 << (2 * window + 1)) - 1 };
    for (at, symbol) in left.iter().enumerate() {
        let near =
            if at >= window { reach.checked_shl((at - window) as u32).unwrap_or(0) } else { reach >> (window - at) };
        let free = occurrences(*symbol) & near & !in_right;
        if free != 0 {
            in_left |= 1 << at;
            in_right |= free & free.wrapping_neg();
        }
    }
    let common = in_left.count_ones();
    if common == 0 {
        return 0.0;
    }
    let mut out_of_order = 0;
    while in_left != 0 {
        let (a, b) = (in_left.trailing_zeros() as usize, in_right.trailing_zeros() as usize);
        out_of_order += usize::from(left[a] != right[b]);
        in_left &= in_left - 1;
        in_right &= in_right - 1;
    }
    let common = common as f32;
    let moved = (out_of_order / 2) as f32;
    (common / left.len() as f32 + common / right.len() as f32 + (common - moved) / common) / 3.0
}

/// Insertions, deletions, substitutions and swaps of neighbours that make one text of the other (Damerau-Levenshtein,
/// optimal string alignment), found bit-parallel. Source: Hyyrö 2003, "A Bit-Vector Algorithm for Computing Levenshtein
/// and Damerau Edit Distances".
#[must_use]
pub fn edits<T: Symbol>(left: &[T], right: &[T]) -> u32 {
    let (left, right) = (&left[..left.len().min(WORD)], &right[..right.len().min(WORD)]);
    // What they share at both ends changes no distance, and typos leave little between.
    let start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[start..], &right[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[..left.len() - end], &right[..right.len() - end]);
    if left.is_empty() || right.is_empty() {
        return (left.len() + right.len()) as u32;
    }
    let occurrences = T::occurrences(left);
    let last = 1_u64 << (left.len() - 1);
    let (mut positive, mut negative) = (!0_u64, 0_u64);
    let (mut diagonal, mut previous) = (0_u64, 0_u64);
    let mut distance = left.len() as u32;
    for element in right {
        let equal = occurrences(*element);
        let swapped = ((!diagonal & equal) << 1) & previous;
        diagonal = (((equal & positive).wrapping_add(positive)) ^ positive) | equal | negative | swapped;
        let grows = negative | !(diagonal | positive);
        let falls = diagonal & positive;
        distance = distance + u32::from(grows & last != 0) - u32::from(falls & last != 0);
        let grows = (grows << 1) | 1;
        let falls = falls << 1;
        positive = falls | !(diagonal | grows);
        negative = grows & diagonal;
        previous = equal;
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook recurrence, as the measure of the bit-parallel one.
    fn edits_by_table(left: &[u8], right: &[u8]) -> u32 {
        let mut table = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
        for i in 0..=left.len() {
            for j in 0..=right.len() {
                table[i][j] = if i == 0 || j == 0 {
                    (i + j) as u32
                } else {
                    let substituted = table[i - 1][j - 1] + u32::from(left[i - 1] != right[j - 1]);
                    let mut least = substituted.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                        least = least.min(table[i - 2][j - 2] + 1);
                    }
                    least
                };
            }
        }
        table[left.len()][right.len()]
    }

    #[test]
    fn jaro_winkler_gives_the_published_figures() {
        // Winkler's own table: https://en.wikipedia.org/wiki/Jaro-Winkler_distance and the 1990 paper.
        for (a, b, expected) in [
            ("martha", "marhta", 0.961),
            ("dwayne", "duane", 0.84),
            ("dixon", "dicksonx", 0.813),
            ("shackleford", "shackelford", 0.982),
            ("dunningham", "cunnigham", 0.896),
        ] {
            let found = jaro_winkler(a.as_bytes(), b.as_bytes());
            assert!((found - expected).abs() < 0.0006, "{a} {b} {found}");
        }
        assert_eq!(jaro_winkler(b"", b""), 1.0);
        assert_eq!(jaro_winkler(b"", b"a"), 0.0);
    }

    /// The definition, as the measure of the bit-parallel one.
    fn jaro_by_definition(left: &[u8], right: &[u8]) -> f32 {
        let window = (left.len().max(right.len()) / 2).saturating_sub(1);
        let (mut taken, mut ours) = (vec![false; right.len()], Vec::new());
        for (at, symbol) in left.iter().enumerate() {
            let near = at.saturating_sub(window)..(at + window + 1).min(right.len());
            if let Some(found) = near.into_iter().find(|other| !taken[*other] && right[*other] == *symbol) {
                taken[found] = true;
                ours.push(*symbol);
            }
        }
        let theirs = right.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(symbol, _)| *symbol);
        let moved = (ours.iter().zip(theirs).filter(|(one, other)| **one != *other).count() / 2) as f32;
        let common = ours.len() as f32;
        if common == 0.0 {
            return 0.0;
        }
        (common / left.len() as f32 + common / right.len() as f32 + (common - moved) / common) / 3.0
    }

    proptest! {
        #[test]
        fn jaro_equals_its_definition(left in "[a-e]{1,64}", right in "[a-e]{1,64}") {
            let (one, other) = (left.as_bytes(), right.as_bytes());
            let expected = jaro_by_definition(one, other);
            prop_assert!((jaro(one, other) - expected).abs() < 1e-6);
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(jaro(&characters(&left), &characters(&right)), jaro(one, other));
            prop_assert_eq!(edits(&characters(&left), &characters(&right)), edits(one, other));
        }

        #[test]
        fn edits_equal_the_textbook(left in "[ab c]{0,64}", right in "[abc ]{0,64}") {
            prop_assert_eq!(edits(left.as_bytes(), right.as_bytes()), edits_by_table(left.as_bytes(), right.as_bytes()));
        }

        #[test]
        fn both_are_symmetric(left in "[a-d]{0,70}", right in "[a-d]{0,70}") {
            let (left, right) = (left.as_bytes(), right.as_bytes());
            prop_assert_eq!(edits(left, right), edits(right, left));
            let similarity = jaro_winkler(left, right);
            prop_assert!((0.0..=1.0).contains(&similarity));
            prop_assert_eq!(similarity, jaro_winkler(right, left));
        }
    }
}
