//! The customers of the benchmark, and what is sent about them. All of it is made up.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rapport_api::common::v1::value::Kind;
use rapport_api::common::v1::{CustomerRef, Identifier, Value, customer_ref::Ref};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{
    IdentifyRequest, Interaction, Profile, ProfileIdentifier, ProfileRecord, SourceRecord, TraitValue,
};
use tonic::Status;

use crate::Outcome;
use crate::load::IN_FLIGHT;
use crate::suite::Client;

/// The source that tells of them.
pub const SOURCE: &str = "bench_crm";
const NAMESPACE: &str = "customer_number";
const REGIONS: [&str; 4] = ["north", "east", "south", "west"];

/// Tells of so many customers, each with an address and a few traits; answers their ids.
pub async fn introduce(clients: &[Client], count: u32) -> Outcome<Vec<String>> {
    let told = stream::iter(0..count).map(|number| {
        let mut profiles = ProfileServiceClient::new(clients[number as usize % clients.len()].clone());
        async move {
            let answer = profiles.identify(identify(number)).await?.into_inner();
            answer.profile.map(|profile| profile.customer_id).ok_or_else(|| Status::internal("a profile"))
        }
    });
    Ok(told.buffered(IN_FLIGHT).try_collect().await?)
}

/// What the source tells of a customer.
pub fn identify(number: u32) -> IdentifyRequest {
    let value = |kind| Value { kind: Some(kind) };
    IdentifyRequest {
        source: SOURCE.to_owned(),
        external_id: number.to_string(),
        identifiers: vec![identifier(number), named("email", format!("customer-{number}@bench.invalid"))],
        traits: BTreeMap::from([
            ("region".to_owned(), value(Kind::TextValue(REGIONS[number as usize % 4].to_owned()))),
            ("orders".to_owned(), value(Kind::NumberValue(f64::from(number % 50)))),
            ("member".to_owned(), value(Kind::BoolValue(number.is_multiple_of(3)))),
        ]),
        ..IdentifyRequest::default()
    }
}

/// A profile with what those of [`introduce`] hold, but made of nothing.
pub fn likeness(customer_id: String) -> Profile {
    let told = identify(7);
    let at = Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 123_456_000 });
    let held = |identifier: Identifier| ProfileIdentifier {
        namespace: identifier.namespace,
        value: identifier.value,
        subject_id: customer_id.clone(),
    };
    let of_trait = |value| TraitValue {
        value: Some(value),
        source: told.source.clone(),
        subject_id: customer_id.clone(),
        observed_at: at,
        ..TraitValue::default()
    };
    let record = SourceRecord { source: told.source.clone(), external_id: told.external_id.clone() };
    Profile {
        identifiers: told.identifiers.into_iter().map(held).collect(),
        traits: told.traits.into_iter().map(|(name, value)| (name, of_trait(value))).collect(),
        records: vec![ProfileRecord {
            subject_id: customer_id.clone(),
            record: Some(record),
            create_time: at,
            ..ProfileRecord::default()
        }],
        revision: 1,
        etag: "1".to_owned(),
        create_time: at,
        update_time: at,
        customer_id,
        ..Profile::default()
    }
}

/// A customer by its id.
pub fn by_id(id: &str) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(id.to_owned())) }
}

/// A customer by its number.
pub fn by_number(number: u32) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::Identifier(identifier(number))) }
}

/// Not the bare number: some numbers stand for nobody, as 0 does, and link nothing.
fn identifier(number: u32) -> Identifier {
    named(NAMESPACE, format!("bench-{number}"))
}

fn named(namespace: &str, value: String) -> Identifier {
    Identifier { namespace: namespace.to_owned(), value }
}

/// A day of 2025, at some second: history, as an import brings it.
pub fn long_ago(number: u32) -> i64 {
    1_735_689_600 + i64::from(number % 365) * 86_400 + i64::from(number % 86_400)
}

/// A purchase at a second since the epoch; `number` makes it one of its source.
pub fn purchase(customer: CustomerRef, source: &str, number: u32, seconds: i64, touchpoint: String) -> Interaction {
    Interaction {
        customer: Some(customer),
        source: source.to_owned(),
        external_id: format!("order-{number}"),
        version: 1,
        r#type: "purchase".to_owned(),
        channel: "web".to_owned(),
        touchpoint,
        stage: "purchase".to_owned(),
        product: "cd".to_owned(),
        occurred_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        value: Some(Money { currency_code: "USD".to_owned(), units: i64::from(number % 90) + 5, nanos: 990_000_000 }),
        ..Interaction::default()
    }
}
