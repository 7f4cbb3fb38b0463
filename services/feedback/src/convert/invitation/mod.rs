//! Invitations: requests in; answers out are in [`render`].

mod render;

use rapport_api::check;
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::personalisation::v1::{ContactBlock, ContactBlockReason};
use rapport_kernel::{Fault, RequestId, Timestamp, Violations};

use super::{customer, id, mask, note, optional, request_id};
use crate::domain::asking::{InvitationId, Population, Reason, Refusal, Spot, Status, Wave};
use crate::domain::{Customer, SurveyId};
use crate::service::asking::Order;

pub use render::{
    Judged, Results, change, encode_invited, judged, reason_message, render, render_batch, render_begun,
    render_checked, render_invited, render_not, render_tally, status_message, with_token,
};

/// Whom to check.
pub struct Check {
    /// By which survey; `None`: by all that are open.
    pub survey: Option<SurveyId>,
    /// Whom.
    pub customer: Customer,
    /// By which channel.
    pub channel: String,
    /// As of when.
    pub at: Option<Timestamp>,
    /// About what.
    pub spot: Spot,
    /// What tells one occasion to be asked from another.
    pub cause: String,
}

/// Whom to check.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn check_eligibility(message: proto::CheckEligibilityRequest) -> Result<Check, Fault> {
    check(&message).check()?;
    let spot = spot(message.context)?;
    Ok(Check {
        survey: optional(&message.survey_id)?.map(SurveyId::from_uuid),
        customer: customer::parse(message.customer.ok_or_else(unchecked)?)?,
        channel: message.channel,
        at: message.at.as_ref().and_then(|at| instant(at).ok()),
        cause: cause(&spot),
        spot,
    })
}

/// Whom to invite.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn invite(message: proto::InviteCustomerRequest) -> Result<Order, Fault> {
    check(&message).check()?;
    let spot = spot(message.context)?;
    Ok(Order {
        request: request_id(&message.request_id)?,
        survey: id(&message.survey_id)?,
        customer: customer::parse(message.customer.ok_or_else(unchecked)?)?,
        channel: message.channel,
        cause: cause(&spot),
        spot,
        language: message.language,
        wave: None,
    })
}

/// Whom to invite, many at once.
pub enum Batch {
    /// Customers, one by one: each with a request id of its own, where the batch has one.
    Customers(Option<RequestId>, SurveyId, Vec<Order>),
    /// A population.
    Population(Option<RequestId>, Box<Wave>),
}

/// Whom to invite, many at once.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn batch(message: proto::BatchInviteRequest) -> Result<Batch, Fault> {
    let mut out = check(&message);
    note_audience(&message, &mut out);
    out.check()?;
    let request = request_id(&message.request_id)?;
    let survey = id(&message.survey_id)?;
    let spot = spot(message.context)?;
    let population = match optional(&message.segment_id)? {
        Some(segment) => Some(Population::Segment(segment)),
        None => message.everybody.then_some(Population::Everybody),
    };
    if let Some(population) = population {
        let per_hour = u32::try_from(message.per_hour).unwrap_or_default();
        let (channel, language) = (message.channel, message.language);
        let wave = Wave { survey, population, channel, spot, language, per_hour };
        return Ok(Batch::Population(request, Box::new(wave)));
    }
    let order = |(place, reference)| {
        let own = request.map(|request| derived(request, place));
        Ok(Order {
            request: own,
            survey,
            customer: customer::parse(reference)?,
            channel: message.channel.clone(),
            cause: cause(&spot),
            spot: spot.clone(),
            language: message.language.clone(),
            wave: None,
        })
    };
    let orders = message.customers.into_iter().enumerate().map(order).collect::<Result<_, Fault>>()?;
    Ok(Batch::Customers(request, survey, orders))
}

/// Notes what the contract's own rules cannot say of who is invited.
fn note_audience(message: &proto::BatchInviteRequest, out: &mut Violations) {
    let is_population = !message.segment_id.is_empty() || message.everybody;
    if message.customers.is_empty() && !is_population {
        let text = "must hold one to 1,000 customers, unless segment_id or everybody says who is invited";
        note(out, "customers", "audience", text);
    }
    if !message.customers.is_empty() && is_population {
        note(out, "customers", "audience", "must be empty where segment_id or everybody says who is invited");
    }
    if message.everybody && !message.segment_id.is_empty() {
        note(out, "everybody", "audience", "must be false where segment_id says who is invited");
    }
    if message.per_hour != 0 && !is_population {
        note(out, "per_hour", "audience", "must be 0 where customers are named one by one");
    }
    let context = message.context.as_ref().filter(|_| is_population);
    for (field, link) in [
        ("context.ticket_id", context.map(|context| &context.ticket_id)),
        ("context.interaction_id", context.map(|context| &context.interaction_id)),
    ] {
        if link.is_some_and(|link| !link.is_empty()) {
            note(out, field, "audience", "must be empty: it is about one customer");
        }
    }
}

/// The request id of one of a batch: the same at every retry.
fn derived(request: RequestId, place: usize) -> RequestId {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::new().chain_update(request.uuid().as_bytes()).chain_update(place.to_be_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    RequestId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What tells one occasion to be asked from another: the ticket or interaction.
fn cause(spot: &Spot) -> String {
    match (spot.ticket, spot.interaction) {
        (Some(ticket), _) => format!("ticket/{ticket}"),
        (None, Some(interaction)) => format!("interaction/{interaction}"),
        (None, None) => String::new(),
    }
}

fn spot(message: Option<proto::InvitationContext>) -> Result<Spot, Fault> {
    let message = message.unwrap_or_default();
    Ok(Spot {
        ticket: optional(&message.ticket_id)?,
        interaction: optional(&message.interaction_id)?,
        touchpoint: message.touchpoint,
        stage: message.stage,
        product: mask::name(message.product),
        campaign: mask::name(message.campaign),
        agent: mask::name(message.agent),
        team: mask::name(message.team),
    })
}

/// Which invitation.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetInvitationRequest) -> Result<InvitationId, Fault> {
    check(message).check()?;
    id(&message.invitation_id)
}

/// For which invitation a token is needed.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn issue(message: &proto::IssueInvitationTokenRequest) -> Result<InvitationId, Fault> {
    check(message).check()?;
    id(&message.invitation_id)
}

/// Which invitations to list.
pub struct List {
    /// To which survey.
    pub survey: Option<SurveyId>,
    /// Whose.
    pub customer: Option<Customer>,
    /// That stand so.
    pub status: Option<Status>,
    /// Of which campaign.
    pub campaign: Option<String>,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// Which invitations to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListInvitationsRequest) -> Result<List, Fault> {
    check(&message).check()?;
    Ok(List {
        status: status(message.status()),
        survey: optional(&message.survey_id)?.map(SurveyId::from_uuid),
        customer: message.customer.map(customer::parse).transpose()?,
        campaign: Some(mask::name(message.campaign)).filter(|campaign| !campaign.is_empty()),
        page_size: rapport_kernel::page_size(message.page_size)?,
        page_token: message.page_token,
    })
}

/// Which customers that were not invited.
pub struct ListNot {
    /// To which survey.
    pub survey: SurveyId,
    /// For which reason.
    pub reason: Option<Reason>,
    /// Of which campaign.
    pub campaign: Option<String>,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// Which customers that were not invited.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list_not(message: proto::ListNotInvitedRequest) -> Result<ListNot, Fault> {
    check(&message).check()?;
    let asked = message.reason();
    Ok(ListNot {
        survey: id(&message.survey_id)?,
        reason: Reason::ALL.into_iter().find(|reason| reason_message(*reason) == asked),
        campaign: Some(mask::name(message.campaign)).filter(|campaign| !campaign.is_empty()),
        page_size: rapport_kernel::page_size(message.page_size)?,
        page_token: message.page_token,
    })
}

/// What was heard of a delivery.
pub struct Delivery {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// Of which invitation.
    pub invitation: InvitationId,
    /// Whether it failed.
    pub failed: bool,
    /// When.
    pub at: Timestamp,
    /// The etag as last read, or empty.
    pub etag: String,
}

/// What was heard of a delivery.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delivery(message: proto::RecordDeliveryRequest, now: Timestamp) -> Result<Delivery, Fault> {
    let mut out = check(&message);
    let at = message.time.as_ref().and_then(|at| instant(at).ok());
    super::submission::note_ahead(at, "time", now, &mut out);
    out.check()?;
    Ok(Delivery {
        request_id: request_id(&message.request_id)?,
        invitation: id(&message.invitation_id)?,
        failed: message.failed,
        at: at.unwrap_or(now),
        etag: message.etag,
    })
}

/// Which invitation to withdraw: what makes a retry harmless, which, and its etag as last read.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn cancel(message: proto::CancelInvitationRequest) -> Result<(Option<RequestId>, InvitationId, String), Fault> {
    check(&message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.invitation_id)?, message.etag))
}

/// Of which survey the invitations are watched; none: of all.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn watching(message: &proto::WatchInvitationsRequest) -> Result<Option<SurveyId>, Fault> {
    check(message).check()?;
    Ok(optional(&message.survey_id)?.map(SurveyId::from_uuid))
}

fn unchecked() -> Fault {
    Fault::internal("an invitation was not checked")
}

/// What the contact policy refused, as a reason not to invite: the first of its rules.
#[must_use]
pub fn refusal(blocks: &[ContactBlock], next: Option<&prost_types::Timestamp>) -> Refusal {
    let reason = match blocks.first().map(ContactBlock::reason) {
        Some(ContactBlockReason::Restricted) => Reason::Restricted,
        Some(ContactBlockReason::Cap) => Reason::Cap,
        Some(ContactBlockReason::QuietHours) => Reason::QuietHours,
        Some(ContactBlockReason::OpenComplaint) => Reason::OpenComplaint,
        Some(ContactBlockReason::LowScore) => Reason::LowScore,
        Some(ContactBlockReason::Flag) => Reason::Flag,
        Some(ContactBlockReason::NoConsent | ContactBlockReason::Unspecified) | None => Reason::NoConsent,
    };
    Refusal { reason, retry: next.and_then(|at| instant(at).ok()) }
}

const fn status(message: proto::InvitationStatus) -> Option<Status> {
    Some(match message {
        proto::InvitationStatus::Unspecified => return None,
        proto::InvitationStatus::Invited => Status::Invited,
        proto::InvitationStatus::Delivered => Status::Delivered,
        proto::InvitationStatus::Started => Status::Started,
        proto::InvitationStatus::Completed => Status::Completed,
        proto::InvitationStatus::Expired => Status::Expired,
        proto::InvitationStatus::Cancelled => Status::Cancelled,
        proto::InvitationStatus::Failed => Status::Failed,
    })
}
