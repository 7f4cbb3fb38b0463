//! GetPotential: what customers are worth, persona by persona, and what could be gained. All is read when it is asked, a
//! part of the customers at a time: of each no more than a number stays in memory.

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, Fault, Reason};
use rapport_platform::Call;
use uuid::Uuid;

use super::Profiles;
use crate::domain::persona::{Assigner, PersonaId, PersonaSetId};
use crate::domain::potential::{self, Figures, Lacking, Place, Product, Worth};
use crate::domain::profile::{Profile, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Named, Value};
use crate::store::{persona_member, profile, purchase};

/// The trait that holds what a customer is predicted to be worth.
const PREDICTED: &str = "predicted_value";
/// How many profiles are read at a time.
const PROFILES: i64 = 500;
/// How many customers' numbers are read at a time.
const NUMBERS: i64 = 10_000;
/// How many customers' purchases are summed at a time.
const SUMS: i64 = 5_000;

/// What a customer's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A number among its traits.
    Trait(String),
    /// What it has bought for, in a currency.
    Purchases(String),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asking {
    /// What values are; `None`: as predicted, else purchases.
    pub measure: Option<Measure>,
    /// Only this persona.
    pub persona: Option<PersonaId>,
    /// Only this customer.
    pub customer: Option<Named>,
    /// Of how many customers a product is one of the persona.
    pub product_share: f64,
    /// What for customers are reached.
    pub purpose: String,
    /// After which customer the page begins.
    pub after: Option<Place>,
    /// How many customers a page has.
    pub size: usize,
}

/// What could be gained.
pub struct Potential {
    /// The set in force.
    pub set: PersonaSetId,
    /// What values are.
    pub measure: Measure,
    /// The personas with their names, figures and products.
    pub personas: Vec<(PersonaId, String, Figures, Vec<Product>)>,
    /// The customers that lack most.
    pub customers: Vec<Lead>,
    /// Where the next page begins.
    pub next: Option<Place>,
}

/// A customer that lacks something.
pub struct Lead {
    /// What it lacks.
    pub lacking: Lacking,
    /// The products it lacks.
    pub missing: Vec<Product>,
    /// The channels by which it may be reached.
    pub channels: Vec<String>,
}

impl Profiles {
    /// What could be gained.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) where no set is in force, or nobody has any value; NOT_FOUND.
    pub async fn potential(&self, call: &Call, asking: Asking) -> Result<Potential, Fault> {
        let rules = self.rules(call).await?;
        let text = "no persona set is in force: DiscoverPersonas finds one";
        let none = || Fault::new(Reason::InvalidState, text).precondition("PERSONAS", "persona_set");
        let personas = rules.personas.clone().ok_or_else(none)?;
        if let Some(persona) = asking.persona
            && !personas.personas.iter().any(|(id, _)| *id == persona)
        {
            return Err(Fault::not_found("persona", persona.to_string()));
        }
        let only = match &asking.customer {
            Some(named) => Some(self.get(call, named, 0).await?.customer),
            None => None,
        };
        let (measure, mut worths) = self.worths(call, &rules, &personas, asking.measure).await?;
        worths.retain(|worth| asking.persona.is_none_or(|persona| persona == worth.persona));
        let mut figures = potential::figures(&worths);
        let products = self.products(call, &figures, asking.product_share).await?;
        let (page, more) = match only {
            Some(id) => {
                let worth = worths.iter().find(|worth| worth.customer == id);
                (worth.and_then(|worth| potential::lack(worth, &figures)).into_iter().collect(), false)
            }
            None => potential::lacking(&worths, &figures, asking.after, asking.size),
        };
        let next = page.last().filter(|_| more).map(|last| (last.gap, last.customer));
        let customers = self.leads(call, &rules, page, &products, &asking.purpose).await?;
        let asked = personas.personas.iter().filter(|(id, _)| asking.persona.is_none_or(|persona| persona == *id));
        let told = asked.map(|(id, name)| {
            let held = products.get(id).cloned().unwrap_or_default();
            (*id, name.clone(), figures.remove(id).unwrap_or_default(), held)
        });
        Ok(Potential { set: personas.set, measure, personas: told.collect(), customers, next })
    }

    /// What each customer with a persona is worth.
    async fn worths(
        &self,
        call: &Call,
        rules: &Rules,
        personas: &Assigner,
        asked: Option<Measure>,
    ) -> Result<(Measure, Vec<Worth>), Fault> {
        match asked {
            Some(Measure::Trait(name)) => {
                let worths = self.by_trait(call, rules, personas, &name).await?;
                Ok((Measure::Trait(name), worths))
            }
            Some(Measure::Purchases(currency)) => {
                let worths = self.by_purchases(call, personas, &currency).await?;
                Ok((Measure::Purchases(currency), worths))
            }
            None => {
                let worths = self.by_trait(call, rules, personas, PREDICTED).await?;
                if worths.iter().any(|worth| worth.value.is_some()) {
                    return Ok((Measure::Trait(PREDICTED.to_owned()), worths));
                }
                let currency = self.read(call, |rx| async move { purchase::currency(&rx).await }).await?;
                let text = "no customer has a predicted value, nor a purchase with a value: name a trait or a currency";
                let none = || Fault::new(Reason::InvalidState, text).precondition("VALUES", "measure");
                let currency = currency.ok_or_else(none)?;
                let worths = self.by_purchases(call, personas, &currency).await?;
                Ok((Measure::Purchases(currency), worths))
            }
        }
    }

    /// By the numbers that are kept beside each profile; while changed definitions are still being told to customers, these
    /// are of before, and each profile is folded instead.
    async fn by_trait(&self, call: &Call, rules: &Rules, personas: &Assigner, name: &str) -> Result<Vec<Worth>, Fault> {
        let version = rules.definitions.version;
        if self.read(call, |rx| async move { profile::is_any_behind(&rx, version).await }).await? {
            return self.by_folding(call, rules, name).await;
        }
        let (mut worths, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let page = self.read(call, |rx| async move { persona_member::numbers(&rx, after, NUMBERS, name).await });
            let page = page.await?;
            let Some((last, ..)) = page.last() else { return Ok(worths) };
            after = last.uuid();
            // As with purchases: who was not told of this set yet has no persona of it.
            let ours = page.into_iter().filter(|(_, of, _)| personas.personas.iter().any(|(id, _)| id == of));
            worths.extend(ours.map(|(customer, persona, value)| Worth { customer, persona, value }));
        }
    }

    async fn by_folding(&self, call: &Call, rules: &Rules, name: &str) -> Result<Vec<Worth>, Fault> {
        let (mut worths, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let read = self.read(call, |rx| async move {
                let page = persona_member::after(&rx, after, PROFILES).await?;
                let ids: Vec<CustomerId> = page.iter().map(|(customer, _)| *customer).collect();
                Ok((page, profile::by_ids(&rx, &ids).await?))
            });
            let (page, rows) = read.await?;
            let Some((last, _)) = page.last() else { return Ok(worths) };
            after = last.uuid();
            for profile in rows.into_iter().filter_map(|(customer, row)| folded(customer, row, rules)) {
                let Some(has) = &profile.persona else { continue };
                let value = match profile.traits.get(name).map(|held| &held.value) {
                    Some(Value::Number(number)) => Some(number.get()),
                    _ => None,
                };
                worths.push(Worth { customer: profile.customer, persona: has.persona, value });
            }
        }
    }

    async fn by_purchases(&self, call: &Call, personas: &Assigner, currency: &str) -> Result<Vec<Worth>, Fault> {
        let (mut worths, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let read = self.read(call, |rx| async move { purchase::spent(&rx, after, SUMS, currency).await });
            let page = read.await?;
            let Some(last) = page.last() else { return Ok(worths) };
            after = last.customer.uuid();
            // One that was written by the rules of before a set came in force is of no persona of this set.
            let ours = page.iter().filter(|spent| personas.personas.iter().any(|(id, _)| *id == spent.persona));
            worths.extend(ours.map(|spent| Worth {
                customer: spent.customer,
                persona: spent.persona,
                value: Some(amount(spent.micros)),
            }));
        }
    }

    /// The products that each persona holds.
    async fn products(
        &self,
        call: &Call,
        figures: &BTreeMap<PersonaId, Figures>,
        share: f64,
    ) -> Result<BTreeMap<PersonaId, Vec<Product>>, Fault> {
        // Fewer buyers hold a product in no persona, not in the smallest.
        let smallest = figures.values().map(|figures| figures.customers).min().unwrap_or(0);
        let least = fraction(smallest, share);
        let mut buyers = self.read(call, |rx| async move { purchase::buyers(&rx, least).await }).await?;
        let held = |(id, figures): (&PersonaId, &Figures)| {
            let bought = buyers.remove(id).unwrap_or_default();
            (*id, potential::products(bought, figures.customers, share))
        };
        Ok(figures.iter().map(held).collect())
    }

    async fn leads(
        &self,
        call: &Call,
        rules: &Rules,
        page: Vec<Lacking>,
        products: &BTreeMap<PersonaId, Vec<Product>>,
        purpose: &str,
    ) -> Result<Vec<Lead>, Fault> {
        let ids: Vec<CustomerId> = page.iter().map(|lacking| lacking.customer).collect();
        let read =
            self.read(
                call,
                |rx| async move { Ok((profile::by_ids(&rx, &ids).await?, purchase::bought(&rx, &ids).await?)) },
            );
        let (mut rows, mut bought) = read.await?;
        let lead = |lacking: Lacking| {
            // One that was merged away or erased since it was counted is no lead.
            let row = rows.remove(&lacking.customer)?;
            let profile = folded(lacking.customer, row, rules)?;
            let bought = bought.remove(&lacking.customer).unwrap_or_default();
            let held = products.get(&lacking.persona).map(Vec::as_slice).unwrap_or_default();
            let missing = potential::missing(held, &bought);
            Some(Lead { lacking, missing, channels: potential::channels(&profile, purpose) })
        };
        Ok(page.into_iter().filter_map(lead).collect())
    }
}

fn folded(customer: CustomerId, row: profile::Row, rules: &Rules) -> Option<Profile> {
    match row.held {
        Held::Live { revision, records } => {
            Some(fold(customer, revision, row.updated_at, &records, rules).with(row.derived, rules))
        }
        Held::Redirect { .. } => None,
    }
}

/// Millionths as a number.
#[expect(clippy::cast_precision_loss, reason = "nine thousand millions are still exact to the millionth")]
fn amount(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The whole number at or below a share of a count.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53, and a share is not negative"
)]
fn fraction(count: u64, share: f64) -> u64 {
    (count as f64 * share).floor() as u64
}
