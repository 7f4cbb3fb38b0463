//! The demo's made-up part, seeded and plainly labelled: who some of the customers are, what they answered, and what
//! could be offered to them. Nothing here is anybody's data.

use std::collections::BTreeSet;

use chrono::NaiveTime;

use super::cdnow;

/// Since when the made-up records are known: the day before the first purchase, in seconds since the epoch.
pub const KNOWN_SINCE: i64 = 852_033_600;

/// How many customers the demo tells about.
const PEOPLE: usize = 2_000;
const REGIONS: [&str; 4] = ["north", "east", "south", "west"];
const CHANNELS: [&str; 3] = ["web", "mail", "call"];

/// A customer of CDNOW, with made-up particulars.
pub struct Person {
    /// The real customer number.
    pub number: &'static str,
    /// A made-up address at a domain that cannot exist.
    pub email: String,
    /// A made-up region.
    pub region: &'static str,
    /// The made-up answer; three of four gave one.
    pub score: Option<i32>,
    /// By which channel it was given.
    pub channel: &'static str,
    /// When, in seconds since the epoch.
    pub answered_at: i64,
}

impl Person {
    /// The same for every load, so that a load that was cut off can go on.
    pub fn request_id(&self, survey_id: &str) -> String {
        let seed = mix(self.number.bytes().chain(survey_id.bytes()).fold(7, |seed, byte| mix(seed ^ u64::from(byte))));
        uuid::Builder::from_random_bytes((u128::from(seed) << 64 | u128::from(mix(seed))).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

/// The customers told about: the first ones of the file.
pub fn people() -> Vec<Person> {
    let mut seen = BTreeSet::new();
    cdnow::purchases().filter(|purchase| seen.insert(purchase.customer)).take(PEOPLE).map(person).collect()
}

fn person(purchase: cdnow::Purchase) -> Person {
    let draw = mix(u64::from(purchase.line) ^ 0x5eed);
    let at = |shift: u32, of: u64| usize::try_from((draw >> shift) % of).unwrap_or_default();
    // More content the further east: so that the demo's regions differ, and a test can say so.
    let region = at(8, 4);
    let score = match (at(16, 100) + 6 * region).min(99) {
        0..12 => at(24, 5),
        12..30 => 5 + at(24, 2),
        30..55 => 7 + at(24, 2),
        _ => 9 + at(24, 2),
    };
    let day = purchase.day + chrono::Days::new(14 + u64::try_from(at(32, 60)).unwrap_or_default());
    Person {
        number: purchase.customer,
        email: format!("customer-{}@demo.invalid", purchase.customer),
        region: REGIONS[region],
        score: (at(48, 4) > 0).then(|| i32::try_from(score).unwrap_or_default()),
        channel: CHANNELS[at(40, 3)],
        answered_at: day.and_time(NaiveTime::MIN).and_utc().timestamp() + 36_000,
    }
}

/// An action of the demo.
pub struct Offer {
    pub name: &'static str,
    pub eligibility: &'static str,
    pub value: f64,
    pub propensity: f64,
}

/// What can be offered.
pub fn actions() -> [Offer; 4] {
    let offer = |name, eligibility, value, propensity| Offer { name, eligibility, value, propensity };
    [
        offer("Demo: free delivery", "", 4.0, 0.30),
        offer("Demo: a second CD at half price", "customer.traits.region in ['north', 'east']", 9.0, 0.12),
        offer("Demo: concert tickets in the south", "customer.traits.region == 'south'", 25.0, 0.04),
        offer("Demo: a call from our music adviser", "has(customer.traits.region)", 6.0, 0.08),
    ]
}

/// SplitMix64: a seed's well-mixed successor.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_people_each_time_with_distinct_request_ids() {
        let (first, second) = (people(), people());
        assert_eq!(first.len(), PEOPLE);
        assert!(first.iter().zip(&second).all(|(one, other)| one.email == other.email && one.score == other.score));
        let ids: BTreeSet<_> = first.iter().map(|person| person.request_id("s")).collect();
        assert_eq!(ids.len(), PEOPLE);
        assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4)));
    }

    #[test]
    fn scores_are_on_the_scale() {
        assert!(people().iter().filter_map(|person| person.score).all(|score| (0..=10).contains(&score)));
    }
}
