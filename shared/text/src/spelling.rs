//! Misspelt words brought back to the lexicon's: one letter added, left out, changed, or two swapped.
//!
//! The index holds every lexicon stem with each one of its letters left out (as hashes): two words within one edit of
//! each other share such a form or are it. A lookup therefore costs as many probes as the word has letters, and the few
//! candidates are then compared in full.

/// Shorter stems are not corrected: too many ordinary words lie next to them.
const SHORTEST: usize = 5;

/// Longer ones are left alone as well, to bound the work.
const LONGEST: usize = 20;

/// An index of stems by their neighbours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling {
    words: Vec<Box<str>>,
    /// Sorted: a neighbour's hash, and the word it is a neighbour of.
    neighbours: Vec<(u64, u32)>,
}

impl Spelling {
    /// The index of these words.
    pub(crate) fn of<'w>(words: impl Iterator<Item = &'w str>) -> Spelling {
        let fits = |word: &&str| (SHORTEST..=LONGEST).contains(&word.chars().count());
        let mut words: Vec<Box<str>> = words.filter(fits).map(Into::into).collect();
        words.sort_unstable();
        let mut neighbours = Vec::with_capacity(words.len() * 9);
        for (at, word) in (0_u32..).zip(&words) {
            each_neighbour(word, |hash| neighbours.push((hash, at)));
        }
        neighbours.sort_unstable();
        Spelling { words, neighbours }
    }

    /// The one word within an edit of this one; the first letter must agree, as it is seldom what goes wrong.
    pub(crate) fn nearest(&self, word: &str) -> Option<&str> {
        let length = word.chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return None;
        }
        let mut best: Option<&str> = None;
        each_neighbour(word, |hash| {
            let from = self.neighbours.partition_point(|&(other, _)| other < hash);
            for &(_, at) in self.neighbours[from..].iter().take_while(|&&(other, _)| other == hash).take(8) {
                let candidate = &*self.words[at as usize];
                let closer = best.is_none_or(|known| rank(word, candidate) < rank(word, known));
                if closer && candidate.chars().next() == word.chars().next() && within_one(word, candidate) {
                    best = Some(candidate);
                }
            }
        });
        best
    }
}

/// Swapped, doubled and dropped letters are likelier slips than changed ones: a lower rank.
fn rank(word: &str, candidate: &str) -> (usize, usize) {
    let (left, right) = (word.chars().count(), candidate.chars().count());
    let differing = word.chars().zip(candidate.chars()).filter(|(one, other)| one != other).count();
    (usize::from(left == right && differing == 1), candidate.len())
}

fn each_neighbour(word: &str, mut found: impl FnMut(u64)) {
    let letters: Vec<char> = word.chars().collect();
    found(hash(letters.iter()));
    for left_out in 0..letters.len() {
        found(hash(letters[..left_out].iter().chain(&letters[left_out + 1..])));
    }
}

/// FNV-1a over characters. The words of the index are ours: nobody can choose them to collide.
fn hash<'l>(letters: impl Iterator<Item = &'l char>) -> u64 {
    letters.fold(0xcbf2_9ce4_8422_2325, |hash, &letter| (hash ^ u64::from(letter)).wrapping_mul(0x100_0000_01b3))
}

/// Whether two words differ by at most one edit (a swap of neighbours is one).
fn within_one(left: &str, right: &str) -> bool {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let same = left.iter().zip(&right).take_while(|(one, other)| one == other).count();
    let (a, b) = (&left[same..], &right[same..]);
    match (a.len(), b.len()) {
        (0, 0) => true,
        (x, y) if x == y => a[1..] == b[1..] || (x > 1 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..]),
        (x, y) if x == y + 1 => a[1..] == *b,
        (x, y) if x + 1 == y => *a == b[1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_corrected_and_two_are_not() {
        let spelling = Spelling::of(["disappoint", "terrible", "quality"].into_iter());
        for slip in ["dissappoint", "disapoint", "disappiont", "disappaint"] {
            assert_eq!(spelling.nearest(slip), Some("disappoint"), "{slip}");
        }
        assert_eq!(spelling.nearest("disapoitn"), None);
        assert_eq!(spelling.nearest("terible"), Some("terrible"));
        assert_eq!(spelling.nearest("abc"), None);
    }
}
