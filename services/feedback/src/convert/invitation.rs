//! Invitations: requests in, answers out.

use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::personalisation::v1::{ContactBlock, ContactBlockReason};
use rapport_api::{check, feedback};
use rapport_kernel::{Fault, PageKey, RequestId, Timestamp};
use uuid::Uuid;

use super::{customer, id, optional, request_id, time};
use crate::domain::asking::token::{Scope, Token};
use crate::domain::asking::{Invitation, InvitationId, NotInvited, Reason, Refusal, Spot, Status};
use crate::domain::{Customer, ResponseId, SurveyId, etag};
use crate::service::asking::{Change, Checked, Invited, Order};

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
    })
}

/// Whom to invite, many at once: each with a request id of its own, where the batch has one.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn batch(message: proto::BatchInviteRequest) -> Result<(Option<RequestId>, SurveyId, Vec<Order>), Fault> {
    check(&message).check()?;
    let request = request_id(&message.request_id)?;
    let survey = id(&message.survey_id)?;
    let spot = spot(message.context)?;
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
        })
    };
    let orders = message.customers.into_iter().enumerate().map(order).collect::<Result<_, Fault>>()?;
    Ok((request, survey, orders))
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
        product: message.product,
        campaign: message.campaign,
        agent: message.agent,
        team: message.team,
    })
}

fn spot_message(spot: &Spot) -> proto::InvitationContext {
    let link = |link: Option<Uuid>| link.map(|id| id.to_string()).unwrap_or_default();
    proto::InvitationContext {
        touchpoint: spot.touchpoint.clone(),
        stage: spot.stage.clone(),
        product: spot.product.clone(),
        campaign: spot.campaign.clone(),
        agent: spot.agent.clone(),
        team: spot.team.clone(),
        ticket_id: link(spot.ticket),
        interaction_id: link(spot.interaction),
    }
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
        campaign: Some(message.campaign).filter(|campaign| !campaign.is_empty()),
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
        campaign: Some(message.campaign).filter(|campaign| !campaign.is_empty()),
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

/// A status as the contract has it.
#[must_use]
pub const fn status_message(status: Status) -> proto::InvitationStatus {
    match status {
        Status::Invited => proto::InvitationStatus::Invited,
        Status::Delivered => proto::InvitationStatus::Delivered,
        Status::Started => proto::InvitationStatus::Started,
        Status::Completed => proto::InvitationStatus::Completed,
        Status::Expired => proto::InvitationStatus::Expired,
        Status::Cancelled => proto::InvitationStatus::Cancelled,
        Status::Failed => proto::InvitationStatus::Failed,
    }
}

/// A reason as the contract has it.
#[must_use]
pub const fn reason_message(reason: Reason) -> proto::NotInvitedReason {
    use feedback::v1::NotInvitedReason as Message;
    match reason {
        Reason::SurveyNotOpen => Message::SurveyNotOpen,
        Reason::UnknownCustomer => Message::UnknownCustomer,
        Reason::Erased => Message::Erased,
        Reason::OtherParty => Message::OtherParty,
        Reason::NotTargeted => Message::NotTargeted,
        Reason::SampledOut => Message::SampledOut,
        Reason::Unreachable => Message::Unreachable,
        Reason::NoConsent => Message::NoConsent,
        Reason::Restricted => Message::Restricted,
        Reason::AlreadyInvited => Message::AlreadyInvited,
        Reason::CoolDown => Message::CoolDown,
        Reason::Cap => Message::Cap,
        Reason::QuietHours => Message::QuietHours,
        Reason::OpenComplaint => Message::OpenComplaint,
        Reason::LowScore => Message::LowScore,
        Reason::Flag => Message::Flag,
        Reason::Quota => Message::Quota,
        Reason::CauseWithdrawn => Message::CauseWithdrawn,
        Reason::Duplicate => Message::Duplicate,
    }
}

/// An invitation as the contract has it, without its token.
#[must_use]
pub fn render(it: &Invitation) -> proto::Invitation {
    let known = |at: Option<Timestamp>| at.filter(|_| !it.anonymous).and_then(time);
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let response = it.response.filter(|_| !it.anonymous);
    proto::Invitation {
        invitation_id: it.id.to_string(),
        survey_id: it.survey.to_string(),
        subject_id: it.subject().to_string(),
        kind: it.kind.name().to_owned(),
        status: status_message(it.status).into(),
        channel: it.channel.clone(),
        context: Some(spot_message(&it.spot)),
        language: it.language.clone(),
        token: String::new(),
        invite_time: time(it.invited_at),
        expire_time: time(it.expires_at),
        deliver_time: it.delivered_at.and_then(time),
        start_time: known(it.started_at),
        complete_time: known(it.completed_at),
        uses: count(it.uses),
        max_uses: count(it.max_uses),
        reminders: count(it.reminders),
        remind_time: it.remind_at.and_then(time),
        response_id: response.as_ref().map(ResponseId::to_string).unwrap_or_default(),
        revision: it.revision,
        etag: etag::of(it.revision),
        update_time: time(it.updated_at),
        party: customer::party_message(it.respondent.party).into(),
    }
}

/// The same with its token, for whoever sends it.
///
/// # Errors
/// INTERNAL where the invitation has no id.
pub fn with_token(
    key: &PageKey,
    tenant: rapport_kernel::TenantId,
    mut invitation: proto::Invitation,
) -> Result<proto::Invitation, Fault> {
    let id: InvitationId = id(&invitation.invitation_id)?;
    invitation.token = Token::of(key, Scope::Invitation, tenant, id.uuid()).text();
    Ok(invitation)
}

/// What became of one, as the contract has it.
#[must_use]
pub fn render_invited(invited: &Invited) -> proto::InviteCustomerResponse {
    match invited {
        Invited::Yes(invitation) => {
            proto::InviteCustomerResponse { invitation: Some(render(invitation)), ..Default::default() }
        }
        Invited::No(refusal) => proto::InviteCustomerResponse {
            invitation: None,
            reason: reason_message(refusal.reason).into(),
            retry_time: refusal.retry.and_then(time),
        },
    }
}

/// What became of many, as the contract has it.
#[must_use]
pub fn render_batch(results: &Vec<proto::InviteCustomerResponse>) -> proto::BatchInviteResponse {
    let invited = results.iter().filter(|result| result.invitation.is_some()).count();
    let result = |(index, result): (usize, &proto::InviteCustomerResponse)| proto::BatchInviteResult {
        index: i32::try_from(index).unwrap_or(i32::MAX),
        invitation: result.invitation.clone(),
        reason: result.reason,
        retry_time: result.retry_time,
    };
    proto::BatchInviteResponse {
        results: results.iter().enumerate().map(result).collect(),
        invited: i32::try_from(invited).unwrap_or(i32::MAX),
    }
}

/// What was checked, as the contract has it.
#[must_use]
pub fn render_checked(checked: &[Checked], one: bool) -> proto::CheckEligibilityResponse {
    let each = |checked: &Checked| {
        let refusal = checked.outcome.as_ref().err();
        proto::Eligibility {
            survey_id: checked.survey.to_string(),
            eligible: refusal.is_none(),
            reason: refusal
                .map_or(proto::NotInvitedReason::Unspecified, |refusal| reason_message(refusal.reason))
                .into(),
            retry_time: refusal.and_then(|refusal| refusal.retry).and_then(time),
            channel: checked.outcome.as_ref().cloned().unwrap_or_default(),
        }
    };
    let surveys: Vec<proto::Eligibility> = checked.iter().map(each).collect();
    let first = surveys.first().filter(|_| one).cloned().unwrap_or_default();
    proto::CheckEligibilityResponse {
        eligible: surveys.iter().any(|survey| survey.eligible),
        reason: first.reason,
        retry_time: first.retry_time,
        channel: first.channel,
        surveys,
    }
}

/// That a customer was not invited, as the contract has it.
#[must_use]
pub fn render_not(one: &NotInvited) -> proto::NotInvited {
    let spot = spot_message(&one.spot);
    proto::NotInvited {
        survey_id: one.survey.to_string(),
        subject_id: one.subject.to_string(),
        reason: reason_message(one.refusal.reason).into(),
        time: time(one.at),
        retry_time: one.refusal.retry.and_then(time),
        channel: one.channel.clone(),
        campaign: spot.campaign,
        ticket_id: spot.ticket_id,
        interaction_id: spot.interaction_id,
    }
}

/// A change as the contract has it.
#[must_use]
pub fn change(change: &Change) -> proto::InvitationChange {
    proto::InvitationChange {
        invitation_id: change.id.to_string(),
        revision: change.revision,
        deleted: change.deleted,
        invitation: change.invitation.as_ref().map(render),
    }
}
