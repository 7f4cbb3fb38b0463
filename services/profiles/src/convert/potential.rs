//! What could be gained: requests in, answers out.

use rapport_api::profiles::v1 as message;
use rapport_api::profiles::v1::get_potential_request::Measure as Asked;
use rapport_api::profiles::v1::get_potential_response::Measure as Told;
use rapport_kernel::{Fault, page_size};

use super::persona::{id, wide};
use super::{add, named};
use crate::domain::namespace::Namespaces;
use crate::domain::persona::PersonaId;
use crate::domain::potential::{Figures, MARKETING, Place, Product};
use crate::service::potential::{Asking, Lead, Measure, Potential};

/// Of which share of a persona a product is one it holds, where nobody says.
const PRODUCT_SHARE: f64 = 0.2;

/// What is asked, but for where the page begins.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn ask(message: &message::GetPotentialRequest, namespaces: &Namespaces) -> Result<Asking, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    if message.product_share == Some(0.0) {
        add(&mut out, "product_share", "double.gt", "must be above 0 and at most 1");
    }
    out.check()?;
    let measure = message.measure.as_ref().map(|measure| match measure {
        Asked::ValueTrait(name) => Measure::Trait(name.clone()),
        Asked::Currency(currency) => Measure::Purchases(currency.clone()),
    });
    let purpose = if message.purpose.is_empty() { MARKETING } else { message.purpose.as_str() };
    Ok(Asking {
        measure,
        persona: id(&message.persona_id),
        customer,
        product_share: message.product_share.unwrap_or(PRODUCT_SHARE),
        purpose: purpose.to_owned(),
        after: None,
        size: page_size(message.page_size)?,
    })
}

/// What page tokens of a request are made for: pages of another request do not continue it.
#[must_use]
pub fn scope(asking: &Asking) -> String {
    let measure = match &asking.measure {
        None => String::new(),
        Some(Measure::Trait(name)) => format!("trait {name}"),
        Some(Measure::Purchases(currency)) => format!("currency {currency}"),
    };
    let persona = asking.persona.map(|persona| persona.to_string()).unwrap_or_default();
    format!("GetPotential/{measure}/{persona}/{}/{}", asking.product_share, asking.purpose)
}

/// Where a page ends, as it is sealed: the gap to its last bit.
#[must_use]
pub fn cursor((gap, customer): Place) -> (u64, String) {
    (gap.to_bits(), customer.to_string())
}

/// Where a page begins.
///
/// # Errors
/// Where the customer is no id, which no token of ours holds.
pub fn place((gap, customer): (u64, String)) -> Result<Place, Fault> {
    Ok((f64::from_bits(gap), customer.parse().map_err(|_| Fault::internal("a sealed page token"))?))
}

/// The answer, but for its token.
#[must_use]
pub fn potential(potential: &Potential) -> message::GetPotentialResponse {
    let measure = match &potential.measure {
        Measure::Trait(name) => Told::ValueTrait(name.clone()),
        Measure::Purchases(currency) => Told::Currency(currency.clone()),
    };
    message::GetPotentialResponse {
        persona_set_id: potential.set.to_string(),
        measure: Some(measure),
        personas: potential.personas.iter().map(persona).collect(),
        customers: potential.customers.iter().map(customer).collect(),
        next_page_token: String::new(),
    }
}

fn persona((id, name, figures, products): &(PersonaId, String, Figures, Vec<Product>)) -> message::PersonaPotential {
    message::PersonaPotential {
        persona_id: id.to_string(),
        name: name.clone(),
        customers: wide(figures.customers),
        customers_with_value: wide(figures.valued),
        upper_quartile: figures.upper_quartile,
        median: figures.median,
        potential: figures.potential,
        products: products.iter().map(product).collect(),
    }
}

fn customer(lead: &Lead) -> message::CustomerPotential {
    message::CustomerPotential {
        customer_id: lead.lacking.customer.to_string(),
        persona_id: lead.lacking.persona.to_string(),
        value: lead.lacking.value,
        gap: lead.lacking.gap,
        missing_products: lead.missing.iter().map(product).collect(),
        reachable: !lead.channels.is_empty(),
        channels: lead.channels.clone(),
    }
}

fn product(product: &Product) -> message::PersonaProduct {
    message::PersonaProduct { product: product.name.clone(), share: product.share }
}
