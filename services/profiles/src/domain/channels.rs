//! The channels a customer is met on, inferred from its interactions. Each interaction counts half as much for every 90
//! days it is older; what remains of a record's interactions is rounded, so that it changes seldom, and is kept with the
//! record like a statement: merged it adds up, split it is each record's own again.

use std::collections::BTreeMap;
use std::fmt;

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// How many interactions are looked at: the newest of each record.
pub const LOOKED_AT: u64 = 200;
/// After how many periods an interaction counts half: 90 days.
const HALF_LIFE: f64 = 3.0;
/// Weights are told as of the beginning of the period of 30 days in which the newest interaction lies.
const PERIOD: i64 = 30 * 24 * 3_600 * 1_000_000;
/// What the interactions must weigh together for anything to be inferred.
const LEAST: f64 = 4.0;
/// The steps in which a weight is kept.
const STEP: f64 = 1.25;
/// The parts in which a share is kept.
const PARTS: f64 = 20.0;
/// The quantile of the normal distribution below which 97.5 % lie.
const Z: f64 = 1.959_963_984_540_054;

/// What remains of a record's interactions. Personal: it does not print itself.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Met {
    /// The period in which the newest lies.
    period: i64,
    /// The logarithm of what they weigh, in steps.
    steps: i32,
    /// Of each channel, how many twentieths of that.
    twentieths: BTreeMap<String, u8>,
}

impl Met {
    /// About how many bytes it takes in an answer.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.twentieths.keys().map(|channel| channel.len() + 24).sum()
    }
}

impl fmt::Debug for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

/// A channel that a customer seems to prefer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The channel.
    pub channel: String,
    /// Its share, in hundredths.
    pub share: i32,
    /// The share it has at least, with a probability of 97.5 %, in hundredths.
    pub confidence: i32,
}

/// What remains of interactions: their channels and when they occurred. `None` where they weigh too little.
#[must_use]
pub fn met(interactions: &[(String, Timestamp)]) -> Option<Met> {
    let newest = interactions.iter().map(|(_, at)| at.micros()).max()?;
    let period = newest.div_euclid(PERIOD);
    let mut weights = BTreeMap::<&String, f64>::new();
    for (channel, at) in interactions {
        *weights.entry(channel).or_default() += weight(periods(at.micros() - period * PERIOD));
    }
    let total: f64 = weights.values().sum();
    if total < LEAST {
        return None;
    }
    let part = |weight: f64| whole(weight / total * PARTS).and_then(|part| u8::try_from(part).ok());
    let twentieths = weights.into_iter().filter_map(|(channel, weight)| Some((channel.clone(), part(weight)?)));
    let twentieths = twentieths.filter(|(_, part)| *part > 0).collect();
    Some(Met { period, steps: whole(total.ln() / STEP.ln())?, twentieths })
}

/// The channels of a customer, the most used first, of what remains of its records' interactions.
#[must_use]
pub fn inferred<'a>(records: impl Iterator<Item = &'a Met> + Clone) -> Vec<Inferred> {
    let Some(newest) = records.clone().map(|met| met.period).max() else { return Vec::new() };
    let mut weights = BTreeMap::<&String, f64>::new();
    for met in records {
        let total = STEP.powi(met.steps) * weight(periods((met.period - newest) * PERIOD));
        for (channel, twentieths) in &met.twentieths {
            *weights.entry(channel).or_default() += total * f64::from(*twentieths) / PARTS;
        }
    }
    let total: f64 = weights.values().sum();
    let told = |(channel, weight): (&String, f64)| {
        let share = weight / total;
        let confidence = lower_end(share, total);
        Some(Inferred {
            channel: channel.clone(),
            share: whole(share * 100.0)?,
            confidence: whole(confidence * 100.0)?,
        })
    };
    let mut all: Vec<Inferred> = weights.into_iter().filter_map(told).collect();
    all.sort_by(|a, b| b.share.cmp(&a.share).then_with(|| a.channel.cmp(&b.channel)));
    all
}

/// What an interaction weighs that lies so many periods after the beginning of the newest's.
fn weight(periods: f64) -> f64 {
    (periods / HALF_LIFE).exp2()
}

#[expect(clippy::cast_precision_loss, reason = "a span of time in microseconds is far below 2^53")]
fn periods(micros: i64) -> f64 {
    micros as f64 / PERIOD as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the range is looked at before")]
fn whole(value: f64) -> Option<i32> {
    (value.abs() < 1e6).then(|| value.round() as i32)
}

/// The lower end of Wilson's interval of a share of `n`.
fn lower_end(share: f64, n: f64) -> f64 {
    let middle = share + Z * Z / (2.0 * n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - reach) / (1.0 + Z * Z / n)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 24 * 3_600 * 1_000_000;

    fn days(day: i64) -> Timestamp {
        Timestamp::from_micros(1_750_000_000_000_000 + day * DAY).expect("in range")
    }

    fn of(channels: &[(&str, i64)]) -> Vec<(String, Timestamp)> {
        channels.iter().map(|(channel, day)| ((*channel).to_owned(), days(*day))).collect()
    }

    fn shares(records: &[Met]) -> Vec<(String, i32)> {
        inferred(records.iter()).into_iter().map(|it| (it.channel, it.share)).collect()
    }

    #[test]
    fn the_share_is_of_what_happened_and_few_interactions_tell_nothing() {
        let mut all = [("email", 0); 8].to_vec();
        all.extend([("web", 0), ("web", 0)]);
        let met = met(&of(&all)).expect("enough");
        assert_eq!(shares(&[met]), [("email".to_owned(), 80), ("web".to_owned(), 20)]);
        assert!(super::met(&of(&[("email", 0); 3])).is_none());
        assert!(super::met(&[]).is_none());
    }

    #[test]
    fn what_lies_90_days_back_counts_half() {
        let mut all = [("web", 0); 20].to_vec();
        all.extend([("email", -90); 20]);
        let met = met(&of(&all)).expect("enough");
        assert_eq!(shares(&[met]), [("web".to_owned(), 65), ("email".to_owned(), 35)]);
    }

    #[test]
    fn the_confidence_is_wilson_s_lower_end() {
        // Brown, Cai and DasGupta (2001): of 10 trials with 8 successes the interval is 0.490 to 0.943.
        assert!((lower_end(0.8, 10.0) - 0.4902).abs() < 1e-4);
        assert!((lower_end(1.0, 4.0) - 0.5101).abs() < 1e-4);
        assert!(lower_end(0.0, 4.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_order_of_records_and_interactions_does_not_show_and_shares_add_up(
            said in proptest::collection::vec((prop_oneof![Just("email"), Just("web"), Just("app")], -200_i64..0), 8..40),
            cut in 4_usize..8,
        ) {
            let all = of(&said);
            let mut shuffled = all.clone();
            shuffled.reverse();
            prop_assert!(met(&all) == met(&shuffled));
            let parts: Vec<Met> = [&all[..cut], &all[cut..]].into_iter().filter_map(met).collect();
            let swapped: Vec<Met> = parts.iter().rev().cloned().collect();
            prop_assert_eq!(shares(&parts), shares(&swapped));
            if !parts.is_empty() {
                let sum: i32 = shares(&parts).iter().map(|(_, share)| share).sum();
                prop_assert!((sum - 100).abs() < 3);
            }
            for it in inferred(parts.iter()) {
                prop_assert!(it.confidence <= it.share && it.confidence >= 0);
            }
        }
    }
}
