//! Identifying, merging and splitting: what a source's statement costs, new and known, and what it costs to make one of
//! two customers with a thousand interactions each, and to undo it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{IdentifyRequest, MergeProfilesRequest, SourceRecord, SplitProfileRequest};

use crate::Outcome;
use crate::load::{IN_FLIGHT, Measured, Until, drive, quantile};
use crate::people::{self, by_id};
use crate::suite::Client;

/// Interactions of each customer that is merged.
const HISTORY: u32 = 1_000;
/// What [`crate::import`] gives each customer.
const PER_CUSTOMER: u32 = 3;

/// How long merges and splits took, in milliseconds.
pub struct Took {
    /// Half of the merges at most.
    pub merge_p50: f64,
    /// Of a hundred merges all but one at most.
    pub merge_p99: f64,
    /// Half of the splits at most.
    pub split_p50: f64,
    /// Of a hundred splits all but one at most.
    pub split_p99: f64,
}

/// Identifies customers that nobody has told of.
pub async fn identify_new(clients: &[Client], first: u32, until: Until) -> Outcome<Measured> {
    drive(clients, IN_FLIGHT, until, move |client, number| async move {
        let number = first + u32::try_from(number).unwrap_or(u32::MAX);
        ProfileServiceClient::new(client).identify(people::identify(number)).await.map(drop)
    })
    .await
}

/// Identifies the first `known` customers again, each time with another value of a trait.
pub async fn identify_known(clients: &[Client], known: u32, until: Until) -> Outcome<Measured> {
    drive(clients, IN_FLIGHT, until, move |client, number| async move {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let request = changed(number % known, number);
        ProfileServiceClient::new(client).identify(request).await.map(drop)
    })
    .await
}

/// What the source tells of a known customer: another value of a trait.
pub fn changed(customer: u32, value: u32) -> IdentifyRequest {
    let changed = Value { kind: Some(Kind::NumberValue(f64::from(value))) };
    let traits = BTreeMap::from([("visits".to_owned(), changed)]);
    IdentifyRequest { traits, ..people::identify(customer) }
}

/// The customers that are merged, two by two: each knows its own address only, so that nothing forbids it.
pub struct Pairs(Vec<[String; 2]>);

/// So many pairs of customers with a history each: told of, and what they bought.
pub async fn prepare(client: &Client, pairs: u32) -> Outcome<Pairs> {
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut made = Vec::new();
    for pair in 0..pairs {
        let mut both = [String::new(), String::new()];
        for (side, id) in both.iter_mut().enumerate() {
            let number = 2 * pair + u32::try_from(side)?;
            let mut told = people::identify(number);
            told.identifiers.retain(|identifier| identifier.namespace == "email");
            *id = profiles.identify(told).await?.into_inner().subject_id;
        }
        made.push(both);
    }
    let of = |number: u32| by_id(&made[number as usize / 2][number as usize % 2]);
    for round in 0..HISTORY.div_ceil(PER_CUSTOMER) {
        crate::import::send_of(client, &format!("history-{round}"), 2 * pairs * PER_CUSTOMER, of).await?;
    }
    Ok(Pairs(made))
}

/// Merges the customers of every pair and splits them again, one after the other.
pub async fn measure(client: &Client, pairs: &Pairs) -> Outcome<Took> {
    let mut profiles = ProfileServiceClient::new(client.clone());
    let (mut merges, mut splits) = (Vec::new(), Vec::new());
    for (number, [one, other]) in (0_u32..).zip(&pairs.0) {
        let (target, sources) = (Some(by_id(one)), vec![by_id(other)]);
        let merge = MergeProfilesRequest { target, sources, ..MergeProfilesRequest::default() };
        let sent = Instant::now();
        profiles.merge_profiles(merge).await?;
        merges.push(sent.elapsed());
        let external_id = (2 * number + 1).to_string();
        let record = SourceRecord { source: people::SOURCE.to_owned(), external_id };
        let customer = Some(by_id(one));
        let split = SplitProfileRequest { customer, source_records: vec![record], ..SplitProfileRequest::default() };
        let sent = Instant::now();
        profiles.split_profile(split).await?;
        splits.push(sent.elapsed());
    }
    let millis = |of: &mut Vec<Duration>, share| quantile(of, share).as_secs_f64() * 1e3;
    Ok(Took {
        merge_p50: millis(&mut merges, 0.5),
        merge_p99: millis(&mut merges, 0.99),
        split_p50: millis(&mut splits, 0.5),
        split_p99: millis(&mut splits, 0.99),
    })
}
