//! How far respondents come: question by question, how many it was shown to, how many answered it, how many left at it, and
//! how long it took. Made from the responses as they are, so it is exact whatever was done to them.

use std::collections::BTreeMap;

use rapport_kernel::Timestamp;

use super::response::Response;
use super::survey::{Form, SurveyId};

/// Of which survey the drop-off is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The survey.
    pub survey: SurveyId,
    /// Of responses to this version.
    pub version: Option<u32>,
    /// Answered at this instant or after it.
    pub from: Option<Timestamp>,
    /// Answered before this instant.
    pub until: Option<Timestamp>,
}

/// What is counted of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To how many it was shown.
    pub reached: u64,
    /// How many answered it.
    pub answered: u64,
    /// How many came no further.
    pub left: u64,
    times: Vec<u64>,
}

/// What is counted of a survey.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropOff {
    /// How many began.
    pub started: u64,
    /// How many completed it.
    pub completed: u64,
    steps: BTreeMap<String, Step>,
    durations: Vec<u64>,
}

impl Step {
    /// The median of the times spent, in milliseconds.
    #[must_use]
    pub fn median(&self) -> Option<u64> {
        quantile(&self.times, 2)
    }
    /// The lower and the upper quartile of the times spent, in milliseconds.
    #[must_use]
    pub fn quartiles(&self) -> Option<(u64, u64)> {
        quantile(&self.times, 1).zip(quantile(&self.times, 3))
    }
    /// Of how many the time is known.
    #[must_use]
    pub fn timed(&self) -> usize {
        self.times.len()
    }
}

impl DropOff {
    /// Counts a response by the version that it answers.
    pub fn count(&mut self, form: &Form, response: &Response) {
        if response.is_test {
            return;
        }
        self.started += 1;
        self.completed += u64::from(response.complete);
        let took = response.started_at.zip(response.completed_at).filter(|(start, end)| end >= start);
        let millis =
            |(start, end): (Timestamp, Timestamp)| u64::try_from(end.since(start).as_millis()).unwrap_or(u64::MAX);
        self.durations.extend(took.map(millis));
        let (content, questions) = (&response.content, &form.definition().questions);
        let shown = form.shown(&content.answers, &response.facts());
        // In the order in which this response saw them.
        let order = form.order(response.id.uuid());
        let seen: Vec<&str> =
            order.iter().filter(|place| shown.contains(place)).map(|place| questions[*place].id.as_str()).collect();
        let is_answered = |id: &str| content.answers.get(id).is_some();
        let last = seen.iter().rposition(|id| is_answered(id) || content.times.contains_key(*id));
        let reached = match last {
            _ if response.complete => seen.len(),
            // Who answered the last one went on to the next, and left there.
            Some(last) if is_answered(seen[last]) => (last + 2).min(seen.len()),
            Some(last) => last + 1,
            None => seen.len().min(1),
        };
        for (place, id) in seen.iter().take(reached).enumerate() {
            let step = self.steps.entry((*id).to_owned()).or_default();
            step.reached += 1;
            step.answered += u64::from(is_answered(id));
            step.left += u64::from(!response.complete && place + 1 == reached);
            step.times.extend(content.times.get(*id).filter(|time| **time > 0));
        }
    }

    /// Question by question, in order of the newest version; what only older ones have follows by name.
    #[must_use]
    pub fn steps(&self, newest: &Form) -> Vec<(String, Step)> {
        let questions = &newest.definition().questions;
        let step = |id: &String| (id.clone(), self.steps.get(id).cloned().unwrap_or_default());
        let of_old = self.steps.keys().filter(|id| newest.definition().place(id).is_none());
        questions.iter().map(|question| &question.id).chain(of_old).map(step).collect()
    }

    /// The median of the times from beginning to completion, in milliseconds.
    #[must_use]
    pub fn median(&self) -> Option<u64> {
        quantile(&self.durations, 2)
    }
}

/// A quartile (1 to 3; 2: the median): of those in order the one a quarter, half or three quarters of the way from the first to the
/// last; where that lies between two, as far from the one to the other, rounded down (type 7 of Hyndman & Fan 1996).
fn quantile(times: &[u64], quarter: usize) -> Option<u64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let way = sorted.len().checked_sub(1)? * quarter;
    let (below, beyond) = (sorted[way / 4], u64::try_from(way % 4).unwrap_or_default());
    let above = sorted.get(way / 4 + 1).copied().unwrap_or(below);
    let step = u128::from(above - below) * u128::from(beyond) / 4;
    Some(below + u64::try_from(step).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quartiles_lie_between_those_beside_them() {
        let all = |times: &[u64]| [1, 2, 3].map(|quarter| quantile(times, quarter));
        assert_eq!(all(&[]), [None; 3]);
        assert_eq!(all(&[7]), [Some(7); 3]);
        // As R's quantile() and NumPy's percentile() have them by default.
        assert_eq!(all(&[40, 10, 30, 20]), [Some(17), Some(25), Some(32)]);
        assert_eq!(all(&[1, 2, 3, 4, 5]), [Some(2), Some(3), Some(4)]);
        assert_eq!(all(&[0, u64::MAX]), [Some(u64::MAX / 4), Some(u64::MAX / 2), Some(u64::MAX / 4 * 3 + 2)]);
    }

    proptest! {
        #[test]
        fn a_quarter_lies_at_or_below_the_lower_one_and_three_at_or_below_the_upper(
            times in prop::collection::vec(0_u64..1_000_000, 1..60)
        ) {
            let [lower, median, upper] = [1, 2, 3].map(|quarter| quantile(&times, quarter).expect("there are some"));
            prop_assert!(lower <= median && median <= upper);
            let at_most = |figure: u64| times.iter().filter(|time| **time <= figure).count();
            for (quarter, figure) in [(1, lower), (2, median), (3, upper)] {
                prop_assert!(at_most(figure) * 4 >= (times.len() - 1) * quarter);
                prop_assert!(times.iter().filter(|time| **time >= figure).count() * 4 >= (times.len() - 1) * (4 - quarter));
            }
        }
    }
}
