//! What a decision was made from, as it is kept for its replay.

use prost::Message as _;
use rapport_api::personalisation::v1::DecideRequest;
use rapport_kernel::Fault;
use uuid::Uuid;

use super::{datum, decision};
use crate::domain::{ActionId, Ask, Counts};

/// The question, without the name by which the caller knows the customer: that may be an address.
#[must_use]
pub fn asked(ask: &Ask) -> Vec<u8> {
    let request = DecideRequest {
        channel: ask.channel.clone(),
        placement: ask.placement.clone(),
        context: datum::render(&ask.context),
        count: i32::try_from(ask.count).unwrap_or(i32::MAX),
        dry_run: ask.dry_run,
        explain: ask.explain,
        ..DecideRequest::default()
    };
    request.encode_to_vec()
}

/// A kept question.
///
/// # Errors
/// INTERNAL where it is damaged.
pub fn ask(bytes: &[u8]) -> Result<Ask, Fault> {
    let request = DecideRequest::decode(bytes).map_err(|_| Fault::internal("a kept question cannot be decoded"))?;
    decision::ask(request)
}

/// The ledger's counts: of each action its id and how often the customer had it.
#[must_use]
pub fn counted(counts: &Counts) -> Vec<u8> {
    let entry = |(action, count): &(ActionId, u32)| {
        action.uuid().as_bytes().iter().copied().chain(count.to_be_bytes()).collect::<Vec<u8>>()
    };
    counts.as_slice().iter().flat_map(entry).collect()
}

/// Kept counts.
///
/// # Errors
/// INTERNAL where they are damaged.
pub fn counts(bytes: &[u8]) -> Result<Counts, Fault> {
    let (entries, rest) = bytes.as_chunks::<20>();
    if !rest.is_empty() {
        return Err(Fault::internal("kept counts cannot be decoded"));
    }
    let entry = |bytes: &[u8; 20]| {
        let (action, count) = bytes.split_at(16);
        let action = Uuid::from_slice(action).expect("sixteen bytes");
        (ActionId::from_uuid(action), u32::from_be_bytes(count.try_into().expect("four bytes")))
    };
    Ok(Counts::new(entries.iter().map(entry).collect()))
}
