//! k-means: Lloyd's iterations to their fixed point, begun by greedy k-means++ (Arthur and Vassilvitskii 2007; of
//! 2 + ln k candidates for each centre the one that helps most), the best of several beginnings.

use crate::encode::ratio;
use crate::random::Random;

/// How many iterations at most.
const MOST_ITERATIONS: usize = 300;
/// On how many points at most beginnings are tried.
const MOST_TRIED: usize = 2_000;

/// Points of one width, one after another.
pub(crate) struct Points {
    pub(crate) width: usize,
    pub(crate) flat: Vec<f64>,
}

impl Points {
    pub(crate) fn len(&self) -> usize {
        self.flat.len().checked_div(self.width).unwrap_or(0)
    }
    pub(crate) fn at(&self, at: usize) -> &[f64] {
        &self.flat[at * self.width..(at + 1) * self.width]
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.flat.chunks_exact(self.width.max(1))
    }

    /// So many of them, drawn; `None` where there are no more.
    fn some(&self, most: usize, random: &mut Random) -> Option<Self> {
        if self.len() <= most {
            return None;
        }
        let mut places: Vec<usize> = (0..self.len()).collect();
        for at in 0..most {
            let other = at + random.below(places.len() - at);
            places.swap(at, other);
        }
        let flat = places[..most].iter().flat_map(|place| self.at(*place)).copied().collect();
        Some(Self { width: self.width, flat })
    }

    /// How many different points there are, counted up to `most`.
    pub(crate) fn distinct(&self, most: usize) -> usize {
        let mut found: Vec<&[f64]> = Vec::new();
        for point in self.iter() {
            if found.len() >= most {
                break;
            }
            if !found.contains(&point) {
                found.push(point);
            }
        }
        found.len()
    }
}

/// A grouping of points.
#[derive(Clone)]
pub(crate) struct Grouping {
    pub(crate) centres: Vec<Vec<f64>>,
    pub(crate) labels: Vec<usize>,
    /// The sum of the squared distances of points to their centres.
    pub(crate) inertia: f64,
}

pub(crate) fn squared(a: &[f64], b: impl IntoIterator<Item = f64>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// The nearest centre and its squared distance; of two at one distance the first.
pub(crate) fn nearest<C, I>(point: &[f64], centres: C) -> Option<(usize, f64)>
where
    C: Iterator<Item = I>,
    I: IntoIterator<Item = f64>,
{
    let mut best: Option<(usize, f64)> = None;
    for (at, centre) in centres.enumerate() {
        let distance = squared(point, centre);
        if best.is_none_or(|(_, least)| distance < least) {
            best = Some((at, distance));
        }
    }
    best
}

/// The best grouping into `count` of so many beginnings. There are at least `count` different points. Of many points the
/// beginnings are tried on some, and the best goes on with all.
pub(crate) fn best(points: &Points, count: usize, restarts: usize, random: &mut Random) -> Grouping {
    let some = points.some(MOST_TRIED, random);
    let tried = some.as_ref().unwrap_or(points);
    let mut best = lloyd(tried, begin(tried, count, random));
    for _ in 1..restarts {
        let other = lloyd(tried, begin(tried, count, random));
        if other.inertia < best.inertia {
            best = other;
        }
    }
    if some.is_some() {
        best = lloyd(points, best.centres);
    }
    ordered(points, best)
}

/// Centres to begin with.
fn begin(points: &Points, count: usize, random: &mut Random) -> Vec<Vec<f64>> {
    let trials = 2 + usize::from(u8::from(count > 2)) + usize::from(u8::from(count > 7));
    let mut centres = vec![points.at(random.below(points.len())).to_vec()];
    let mut left: Vec<f64> = points.iter().map(|point| squared(point, centres[0].iter().copied())).collect();
    while centres.len() < count {
        let mut chosen: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..trials {
            let at = draw(&left, random);
            let after: Vec<f64> = points
                .iter()
                .zip(&left)
                .map(|(point, left)| squared(point, points.at(at).iter().copied()).min(*left))
                .collect();
            let sum = after.iter().sum();
            if chosen.as_ref().is_none_or(|(least, ..)| sum < *least) {
                chosen = Some((sum, at, after));
            }
        }
        let Some((_, at, after)) = chosen else { break };
        centres.push(points.at(at).to_vec());
        left = after;
    }
    centres
}

/// A place, with a chance in proportion to its weight. Never one without weight, while another has some.
fn draw(weights: &[f64], random: &mut Random) -> usize {
    let mut rest = random.unit() * weights.iter().sum::<f64>();
    let mut last = 0;
    for (at, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = at;
        rest -= weight;
        if rest < 0.0 {
            break;
        }
    }
    last
}

fn lloyd(points: &Points, mut centres: Vec<Vec<f64>>) -> Grouping {
    let mut labels = vec![usize::MAX; points.len()];
    for _ in 0..MOST_ITERATIONS {
        let (next, distances, _) = place(points, &centres);
        if next == labels {
            break;
        }
        labels = next;
        move_centres(points, &labels, distances, &mut centres);
    }
    let (labels, _, inertia) = place(points, &centres);
    Grouping { centres, labels, inertia }
}

fn place(points: &Points, centres: &[Vec<f64>]) -> (Vec<usize>, Vec<f64>, f64) {
    let placed = points
        .iter()
        .map(|point| nearest(point, centres.iter().map(|centre| centre.iter().copied())).unwrap_or((0, f64::INFINITY)));
    let (labels, distances): (Vec<usize>, Vec<f64>) = placed.unzip();
    let inertia = distances.iter().sum();
    (labels, distances, inertia)
}

/// Moves each centre to the mean of its points; one that has none to the point that lies farthest from its own.
fn move_centres(points: &Points, labels: &[usize], mut distances: Vec<f64>, centres: &mut [Vec<f64>]) {
    let mut sums = vec![vec![0.0; points.width]; centres.len()];
    let mut counts = vec![0_usize; centres.len()];
    for (point, label) in points.iter().zip(labels) {
        counts[*label] += 1;
        for (sum, coordinate) in sums[*label].iter_mut().zip(point) {
            *sum += coordinate;
        }
    }
    for ((centre, sum), count) in centres.iter_mut().zip(sums).zip(counts) {
        if count > 0 {
            *centre = sum.into_iter().map(|sum| sum / ratio(count, 1)).collect();
            continue;
        }
        let farthest = (0..distances.len()).max_by(|a, b| distances[*a].total_cmp(&distances[*b]).then(b.cmp(a)));
        if let Some(at) = farthest {
            *centre = points.at(at).to_vec();
            distances[at] = 0.0;
        }
    }
}

/// The groups in their canonical order: the largest first, and of two as large the one whose centre comes first.
fn ordered(points: &Points, grouping: Grouping) -> Grouping {
    let mut sizes = vec![0_usize; grouping.centres.len()];
    grouping.labels.iter().for_each(|label| sizes[*label] += 1);
    let mut sized: Vec<(usize, Vec<f64>)> = sizes.into_iter().zip(grouping.centres).collect();
    let coordinates = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|order| order.is_ne());
    sized.sort_by(|a, b| b.0.cmp(&a.0).then(coordinates(&a.1, &b.1).unwrap_or(std::cmp::Ordering::Equal)));
    let centres: Vec<Vec<f64>> = sized.into_iter().map(|(_, centre)| centre).collect();
    let (labels, _, inertia) = place(points, &centres);
    Grouping { centres, labels, inertia }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_centre_without_points_moves_to_where_one_is_missed() {
        let points = Points { width: 1, flat: vec![0.0, 0.1, 10.0, 10.1, 50.0] };
        let grouping = lloyd(&points, vec![vec![0.0], vec![10.0], vec![-900.0]]);
        assert_eq!(grouping.labels, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn the_best_of_all_groupings_is_found_where_all_can_be_tried() {
        let flat: Vec<f64> = [1.0, 2.0, 4.0, 7.0, 7.5, 8.0, 13.0, 14.0, 20.0, 21.0].into();
        let points = Points { width: 1, flat: flat.clone() };
        for count in 2..=4_usize {
            let found = best(&points, count, 10, &mut Random::new(7)).inertia;
            let brute = (0..count.pow(10)).filter_map(|code| brute(&flat, count, code)).fold(f64::INFINITY, f64::min);
            assert!((found - brute).abs() < 1e-9, "{count}: {found} {brute}");
        }
    }

    /// The inertia of the grouping whose labels are the digits of a number.
    fn brute(flat: &[f64], count: usize, mut code: usize) -> Option<f64> {
        let labels: Vec<usize> = flat
            .iter()
            .map(|_| {
                let digit = code % count;
                code /= count;
                digit
            })
            .collect();
        let mut inertia = 0.0;
        for group in 0..count {
            let members: Vec<f64> =
                flat.iter().zip(&labels).filter(|(_, label)| **label == group).map(|(value, _)| *value).collect();
            if members.is_empty() {
                return None;
            }
            let mean = members.iter().sum::<f64>() / ratio(members.len(), 1);
            inertia += members.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        }
        Some(inertia)
    }
}
