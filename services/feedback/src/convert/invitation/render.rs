//! Invitations and what became of them, as the contract has them.

use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_data::Answer;
use rapport_kernel::{Fault, OperationId, PageKey, Timestamp};
use uuid::Uuid;

use crate::convert::{customer, id, time};
use crate::domain::asking::token::{Scope, Token};
use crate::domain::asking::{Invitation, InvitationId, NotInvited, Reason, Spot, Status, Tally};
use crate::domain::{ResponseId, etag};
use crate::service::asking::{Change, Checked, Invited};

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
    use proto::NotInvitedReason as Message;
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
pub type Judged = proto::InviteCustomerResponse;

/// What became of one, be it now or when it was first asked.
///
/// # Errors
/// INTERNAL where what was kept cannot be read.
pub fn judged(answer: Answer<Invited>) -> Result<Judged, Fault> {
    match answer {
        Answer::Fresh(invited) => Ok(render_invited(&invited)),
        Answer::Replayed(bytes) => Judged::decode(bytes.as_slice()).map_err(Fault::internal),
    }
}

/// What is kept of it.
#[must_use]
pub fn encode_invited(invited: &Invited) -> Vec<u8> {
    render_invited(invited).encode_to_vec()
}

/// What became of many, in their order.
#[derive(Clone)]
pub struct Results(pub Vec<Judged>);

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
pub fn render_batch(results: &Results) -> proto::BatchInviteResponse {
    let results = &results.0;
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
        operation: String::new(),
    }
}

/// That a wave was begun, as the contract has it.
#[must_use]
pub fn render_begun(operation: &OperationId) -> proto::BatchInviteResponse {
    proto::BatchInviteResponse { operation: crate::convert::operation(*operation), ..Default::default() }
}

/// What a wave came to, as the contract has it.
#[must_use]
pub fn render_tally(tally: &Tally) -> proto::WaveResult {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let reason = |(reason, times): &(Reason, u64)| proto::NotInvitedCount {
        reason: reason_message(*reason).into(),
        count: count(*times),
    };
    proto::WaveResult {
        customers: count(tally.customers()),
        invited: count(tally.invited),
        not_invited: tally.not_invited.iter().map(reason).collect(),
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
