//! Customers as calls name them.

use rapport_api::common::v1::{self as proto, CustomerRef, Identifier, customer_ref::Ref, value::Kind};
use rapport_api::convert::instant;
use rapport_api::events::v1::CustomerContext;
use rapport_kernel::{CustomerId, Fault, Private};

use super::id;
use crate::domain::facts::{Known, Trait};
use crate::domain::{Customer, Party, asking};

/// The customer that a checked reference names.
///
/// # Errors
/// INTERNAL where the reference was not checked before.
pub fn parse(reference: CustomerRef) -> Result<Customer, Fault> {
    match reference.r#ref {
        Some(Ref::CustomerId(text)) => id(&text).map(Customer::Id),
        Some(Ref::Identifier(Identifier { namespace, value })) => {
            Ok(Customer::Identifier { namespace, value: Private::new(value) })
        }
        None => Err(Fault::internal("a customer reference was not checked")),
    }
}

/// The reference by which a peer is asked for a customer.
#[must_use]
pub fn render(customer: &Customer) -> CustomerRef {
    let reference = match customer {
        Customer::Id(id) => Ref::CustomerId(id.to_string()),
        Customer::Identifier { namespace, value } => {
            Ref::Identifier(Identifier { namespace: namespace.clone(), value: value.expose().clone() })
        }
    };
    CustomerRef { r#ref: Some(reference) }
}

/// What a party is; where nothing is said, a customer.
#[must_use]
pub const fn party(message: proto::Party) -> Party {
    match message {
        proto::Party::Unspecified | proto::Party::Customer => Party::Customer,
        proto::Party::Lead => Party::Lead,
        proto::Party::Partner => Party::Partner,
        proto::Party::Employee => Party::Employee,
    }
}

/// A party as the contract has it.
#[must_use]
pub const fn party_message(party: Party) -> proto::Party {
    match party {
        Party::Customer => proto::Party::Customer,
        Party::Lead => proto::Party::Lead,
        Party::Partner => proto::Party::Partner,
        Party::Employee => proto::Party::Employee,
    }
}

/// What is known of a customer, as far as conditions may read it. What is not known is not there.
#[must_use]
pub fn known(context: &CustomerContext) -> Known {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let traits = context.traits.iter().filter_map(|(name, value)| Some((name.clone(), of_trait(value)?)));
    Known {
        traits: traits.collect(),
        party: Some(party(context.party()).name().to_owned()),
        segments: Some(context.segments.iter().map(|segment| segment.name.clone()).collect()),
        lifecycle_stage: said(&context.lifecycle_stage),
        language: context.preferences.as_ref().and_then(|preferences| said(&preferences.language)),
        persona: said(&context.persona),
    }
}

/// A customer as asking sees it.
#[must_use]
pub fn asked(context: &CustomerContext, id: CustomerId) -> asking::Customer {
    let preferences = context.preferences.clone().unwrap_or_default();
    let preferred = preferences.preferred_channels.into_iter().chain(preferences.inferred_channels);
    asking::Customer {
        id,
        party: party(context.party()),
        known: known(context),
        preferred: preferred.collect(),
        namespaces: context.identifier_namespaces.clone(),
    }
}

fn of_trait(value: &proto::Value) -> Option<Trait> {
    Some(match value.kind.as_ref()? {
        Kind::BoolValue(value) => Trait::Bool(*value),
        Kind::NumberValue(value) => Trait::Number(*value),
        Kind::TextValue(text) => Trait::Text(text.clone()),
        Kind::TimeValue(at) => Trait::Time(instant(at).ok()?.micros()),
        Kind::ListValue(list) => Trait::List(list.values.clone()),
    })
}
