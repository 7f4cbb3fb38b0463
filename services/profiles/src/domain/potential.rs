//! The value that lies in personas: what each customer lacks to the upper quartile of its persona, and the products that
//! others of its persona buy and it does not.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::CustomerId;

use super::claims::ConsentState;
use super::persona::PersonaId;
use super::profile::Profile;
use super::standing::Processing;

/// How many products a persona holds at most.
pub const MOST_PRODUCTS: usize = 50;

/// What a customer is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The customer.
    pub customer: CustomerId,
    /// Its persona.
    pub persona: PersonaId,
    /// Its value; `None` where it has none.
    pub value: Option<f64>,
}

/// A product, and the share of a persona's customers that have bought it.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The product.
    pub name: String,
    /// The share.
    pub share: f64,
}

/// The figures of a persona.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many customers have it.
    pub customers: u64,
    /// How many of them have a value.
    pub valued: u64,
    /// The upper quartile of their values.
    pub upper_quartile: Option<f64>,
    /// The median.
    pub median: Option<f64>,
    /// The sum of what they lack.
    pub potential: f64,
}

/// A customer and what it lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lacking {
    /// The customer.
    pub customer: CustomerId,
    /// Its persona.
    pub persona: PersonaId,
    /// Its value.
    pub value: f64,
    /// What it lacks.
    pub gap: f64,
}

/// A quantile of values in ascending order, by R's type 7: between the two values around place `share * (n - 1)`, in
/// proportion. `None` of none.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places are far below 2^53, and the share lies between 0 and 1"
)]
pub fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let place = share * ascending.len().checked_sub(1)? as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let low = *ascending.get(below)?;
    let high = ascending.get(below + 1).copied().unwrap_or(low);
    Some(low + part * (high - low))
}

/// The figures of each persona that somebody has.
#[must_use]
pub fn figures(worths: &[Worth]) -> BTreeMap<PersonaId, Figures> {
    let mut values = BTreeMap::<PersonaId, (u64, Vec<f64>)>::new();
    for worth in worths {
        let (customers, values) = values.entry(worth.persona).or_default();
        *customers += 1;
        values.extend(worth.value);
    }
    let of = |(persona, (customers, mut values)): (PersonaId, (u64, Vec<f64>))| {
        values.sort_by(f64::total_cmp);
        let upper_quartile = quantile(&values, 0.75);
        let gaps = values.iter().map(|value| gap(*value, upper_quartile.unwrap_or(*value)));
        let figures = Figures {
            customers,
            valued: u64::try_from(values.len()).unwrap_or(u64::MAX),
            upper_quartile,
            median: quantile(&values, 0.5),
            potential: gaps.sum(),
        };
        (persona, figures)
    };
    values.into_iter().map(of).collect()
}

fn gap(value: f64, upper_quartile: f64) -> f64 {
    (upper_quartile - value).max(0.0)
}

/// A place among those who lack something: how much, and who.
pub type Place = (f64, CustomerId);

/// The `size` customers that lack most, after a place, the most first; and whether more follow.
#[must_use]
pub fn lacking(
    worths: &[Worth],
    figures: &BTreeMap<PersonaId, Figures>,
    after: Option<Place>,
    size: usize,
) -> (Vec<Lacking>, bool) {
    let order = |a: Place, b: Place| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let beyond = |one: &Lacking| after.is_none_or(|after| order((one.gap, one.customer), after) == Ordering::Greater);
    let mut all: Vec<Lacking> =
        worths.iter().filter_map(|worth| lack(worth, figures)).filter(|one| one.gap > 0.0).filter(beyond).collect();
    let compare = |a: &Lacking, b: &Lacking| order((a.gap, a.customer), (b.gap, b.customer));
    let more = all.len() > size;
    if more {
        all.select_nth_unstable_by(size, compare);
        all.truncate(size);
    }
    all.sort_by(compare);
    (all, more)
}

/// What a customer lacks; `None` where it has no value.
#[must_use]
pub fn lack(worth: &Worth, figures: &BTreeMap<PersonaId, Figures>) -> Option<Lacking> {
    let (value, upper_quartile) = (worth.value?, figures.get(&worth.persona)?.upper_quartile?);
    Some(Lacking { customer: worth.customer, persona: worth.persona, value, gap: gap(value, upper_quartile) })
}

/// The products that a persona of so many customers holds, of those that some of them have bought.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of customers are far below 2^53")]
pub fn products(buyers: impl IntoIterator<Item = (String, u64)>, customers: u64, least: f64) -> Vec<Product> {
    let share = |(name, buyers): (String, u64)| Product { name, share: buyers as f64 / customers.max(1) as f64 };
    let mut held: Vec<Product> = buyers.into_iter().map(share).filter(|product| product.share >= least).collect();
    held.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    held.truncate(MOST_PRODUCTS);
    held
}

/// The products of its persona that a customer lacks.
#[must_use]
pub fn missing(held: &[Product], bought: &BTreeSet<String>) -> Vec<Product> {
    held.iter().filter(|product| !bought.contains(&product.name)).cloned().collect()
}

/// The purpose of consents to marketing, and that of most leads.
pub const MARKETING: &str = "marketing";

/// The channels on which a customer may be reached for a purpose: none for marketing where it objected to that. A refusal of all channels is one of each; a grant of
/// all channels is told as an empty text.
#[must_use]
pub fn channels(profile: &Profile, purpose: &str) -> Vec<String> {
    if purpose == MARKETING && profile.objections.contains_key(&Processing::Marketing) {
        return Vec::new();
    }
    let said = || profile.consents.iter().filter(|held| held.purpose == purpose);
    if said().any(|held| held.channel.is_empty() && held.decided_by.state == ConsentState::Denied) {
        return Vec::new();
    }
    said().filter(|held| held.decided_by.state == ConsentState::Granted).map(|held| held.channel.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quantile_is_rs_type_seven() {
        // quantile(c(1, 3, 4, 8, 9, 20), c(0.25, 0.5, 0.75)) in R.
        let values = [1.0, 3.0, 4.0, 8.0, 9.0, 20.0];
        assert_eq!([0.25, 0.5, 0.75].map(|share| quantile(&values, share)), [Some(3.25), Some(6.0), Some(8.75)]);
        assert_eq!(quantile(&[7.0], 0.75), Some(7.0));
        assert_eq!(quantile(&[], 0.75), None);
    }

    fn worths() -> impl Strategy<Value = Vec<Worth>> {
        let personas: Vec<PersonaId> = (0..3).map(|_| PersonaId::new()).collect();
        let value = prop_oneof![4 => (-20..20).prop_map(|value| Some(f64::from(value))), 1 => Just(None)];
        proptest::collection::vec((0..3_usize, value), 0..60).prop_map(move |all| {
            let worth = |(persona, value): (usize, Option<f64>)| Worth {
                customer: CustomerId::new(),
                persona: personas[persona],
                value,
            };
            all.into_iter().map(worth).collect()
        })
    }

    proptest! {
        #[test]
        fn pages_hold_everybody_who_lacks_something_once_and_add_up_to_the_potential(worths in worths(), size in 1..7_usize) {
            let figures = figures(&worths);
            let (mut listed, mut after) = (Vec::<Lacking>::new(), None);
            loop {
                let (page, more) = lacking(&worths, &figures, after, size);
                prop_assert!(page.len() == size || !more);
                listed.extend(&page);
                after = page.last().map(|last| (last.gap, last.customer));
                if !more {
                    break;
                }
            }
            let mut expected: Vec<Lacking> =
                worths.iter().filter_map(|worth| lack(worth, &figures)).filter(|one| one.gap > 0.0).collect();
            expected.sort_by(|a, b| b.gap.total_cmp(&a.gap).then(a.customer.cmp(&b.customer)));
            prop_assert_eq!(&listed, &expected);
            for (persona, figures) in &figures {
                let sum: f64 = listed.iter().filter(|one| one.persona == *persona).map(|one| one.gap).sum();
                prop_assert!((sum - figures.potential).abs() < 1e-9);
                let above = worths.iter().filter(|worth| worth.persona == *persona).filter_map(|worth| worth.value);
                let above = above.filter(|value| figures.upper_quartile.is_some_and(|quartile| *value > quartile)).count();
                let most = (0.25 * (figures.valued as f64 - 1.0)).ceil().max(0.0);
                prop_assert!(above as f64 <= most, "a quarter of the way at most lies above the quartile");
            }
        }
    }
}
