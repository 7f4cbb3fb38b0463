//! What SearchProfiles and WatchProfiles ask and answer.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as pb;
use rapport_conditions::Program;
use rapport_kernel::{Fault, Reason, Violations, page_size};

use super::mask::{Mask, ProfileFields};
use super::{add, profile};
use crate::domain::rules::Rules;
use crate::domain::search::{Order, Query, Search, compile};
use crate::events::Happened;
use crate::service::search::{Found, Searching};
use crate::service::watch::Change;

/// The rule that a condition breaks which does not compile.
const CONDITION: &str = "condition";

/// What to search for, and which fields to answer.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; with reason INVALID_CONDITION where the condition alone is wrong.
pub fn searching(
    message: &pb::SearchProfilesRequest,
    rules: &Rules,
    fields: &ProfileFields,
) -> Result<(Searching, Mask), Fault> {
    let mut out = rapport_api::check(message);
    let filter = condition(&message.filter, &mut out);
    let mask = fields.mask(message.read_mask.as_ref(), &mut out);
    let order = Order::parse(&message.order_by);
    if order.is_none() {
        let text = "must be customer_id, create_time or update_time, with desc after it for the last first";
        add(&mut out, "order_by", "order_by.known", text);
    }
    check(out)?;
    let order = order.ok_or_else(|| Fault::internal("an order was parsed"))?;
    let search = Search { filter, query: Query::new(&message.query, rules) };
    Ok((Searching { search, order, size: page_size(message.page_size)? }, mask))
}

/// What a page token is bound to.
#[must_use]
pub fn query(message: &pb::SearchProfilesRequest) -> String {
    let (filter, query) = (&message.filter, &message.query);
    format!("SearchProfiles|{}:{filter}|{}:{query}|{}", filter.len(), query.len(), message.order_by)
}

/// What to watch, and which fields to answer.
///
/// # Errors
/// As [`searching`].
pub fn watching(message: &pb::WatchProfilesRequest, fields: &ProfileFields) -> Result<(Search, Mask), Fault> {
    let mut out = rapport_api::check(message);
    let filter = condition(&message.filter, &mut out);
    let mask = fields.mask(message.read_mask.as_ref(), &mut out);
    check(out)?;
    Ok((Search { filter, query: None }, mask))
}

fn condition(source: &str, out: &mut Violations) -> Option<Program> {
    if source.trim().is_empty() {
        return None;
    }
    compile(source).map_err(|errors| errors.note("filter", out)).ok()
}

fn check(out: Violations) -> Result<(), Fault> {
    let condition_alone = out.as_slice().iter().all(|violation| violation.rule == CONDITION);
    out.check().map_err(|mut fault| {
        if condition_alone {
            fault.reason = Reason::InvalidCondition;
        }
        fault
    })
}

/// A page.
///
/// # Errors
/// None, as of [`Mask::apply`].
pub fn found(found: &Found, mask: &Mask, next: String) -> Result<pb::SearchProfilesResponse, Fault> {
    let profiles = found.profiles.iter().map(|held| mask.apply(profile::profile(held)));
    Ok(pb::SearchProfilesResponse { profiles: profiles.collect::<Result<_, _>>()?, next_page_token: next })
}

/// A change.
///
/// # Errors
/// None, as of [`Mask::apply`].
pub fn change(change: &Change, mask: &Mask) -> Result<pb::ProfileChange, Fault> {
    let (kind, merged_into_customer_id) = match &change.happened {
        Happened::Changed => (pb::ProfileChangeKind::Changed, String::new()),
        Happened::Merged(into) => (pb::ProfileChangeKind::Merged, into.clone()),
        Happened::Erased => (pb::ProfileChangeKind::Erased, String::new()),
    };
    let profile = change.profile.as_ref().map(|held| mask.apply(profile::profile(held))).transpose()?;
    Ok(pb::ProfileChange {
        customer_id: change.customer.to_string(),
        revision: change.revision,
        kind: kind.into(),
        profile,
        merged_into_customer_id,
        change_time: Some(timestamp(change.at)),
    })
}

/// What the token of a watch is bound to: nothing but the call, so that a watch may go on with another filter.
pub const WATCH: &str = "WatchProfiles";

/// That a token of a watch is damaged: the field that held it is another than a page's.
#[must_use]
pub fn token(refused: Fault) -> Fault {
    let text = "is damaged, or was made for another call or tenant: search again, then watch without it";
    let mut fault = Fault::invalid_field("resume_token", "resume_token", text);
    fault.reason = refused.reason;
    fault
}
