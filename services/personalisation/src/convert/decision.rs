//! Decisions: questions in, decisions out.

use rapport_api::check;
use rapport_api::personalisation::v1 as proto;
use rapport_kernel::{Fault, RequestId, Timestamp};

use super::{action, customer, datum, id, instant, request_id, time};
use crate::domain::{Ask, Chosen, Customer, Decision, DecisionId, LeftOut, Tier};

/// A question, and about whom.
#[derive(Clone)]
pub struct Question {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// About whom.
    pub customer: Customer,
    /// From at least this revision of the profile.
    pub min_revision: u64,
    /// As of which instant, where not now.
    pub at: Option<Timestamp>,
    /// What is asked.
    pub ask: Ask,
}

/// What to decide.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn decide(message: proto::DecideRequest) -> Result<Question, Fault> {
    let mut violations = check(&message);
    if message.at.is_some() && !message.dry_run {
        violations.add("at", "only_dry_run", "may be given only with dry_run: what is committed is decided now");
    }
    violations.check()?;
    let reference = message.customer.clone();
    let reference = reference.ok_or_else(|| Fault::internal("the customer of a decision was not checked"))?;
    Ok(Question {
        request_id: request_id(&message.request_id)?,
        customer: customer::parse(reference)?,
        min_revision: message.min_revision,
        at: instant(message.at.as_ref())?,
        ask: ask(message)?,
    })
}

/// What is asked in a checked request.
///
/// # Errors
/// INTERNAL where the request was not checked before.
pub(super) fn ask(message: proto::DecideRequest) -> Result<Ask, Fault> {
    Ok(Ask {
        channel: message.channel,
        placement: message.placement,
        context: datum::parse(message.context)?,
        count: usize::try_from(message.count).map_err(Fault::internal)?.max(1),
        dry_run: message.dry_run,
        explain: message.explain,
    })
}

/// Which decision to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetDecisionRequest) -> Result<DecisionId, Fault> {
    check(message).check()?;
    id(&message.decision_id)
}

/// Which decision to make again.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn replay(message: &proto::ReplayDecisionRequest) -> Result<DecisionId, Fault> {
    check(message).check()?;
    id(&message.decision_id)
}

/// A decision as the contract has it. Its encoding is what a replay is compared with, byte for byte.
#[must_use]
pub fn render(decision: &Decision) -> proto::Decision {
    proto::Decision {
        decision_id: decision.id.to_string(),
        customer_id: decision.customer.to_string(),
        subject_id: decision.subject.to_string(),
        actions: decision.chosen.iter().map(chosen).collect(),
        left_out: decision.left_out.iter().map(left_out).collect(),
        decided_at: time(decision.at),
        profile_revision: decision.profile_revision,
        policy_version: decision.policy_version,
        seed: decision.seed,
        dry_run: decision.dry_run,
        channel: decision.channel.clone(),
        placement: decision.placement.clone(),
        candidates: i32::try_from(decision.candidates).unwrap_or(i32::MAX),
    }
}

fn chosen(chosen: &Chosen) -> proto::ChosenAction {
    proto::ChosenAction {
        action_id: chosen.action.to_string(),
        name: chosen.name.clone(),
        kind: action::kind(chosen.kind).into(),
        propensity: chosen.propensity,
        value: chosen.value,
        priority: chosen.priority,
        probability: chosen.probability,
        reasons: chosen.reasons.clone(),
    }
}

fn left_out(left: &LeftOut) -> proto::LeftOut {
    let tier = match left.tier {
        Tier::Validity => proto::FunnelTier::Validity,
        Tier::Placement => proto::FunnelTier::Placement,
        Tier::Eligibility => proto::FunnelTier::Eligibility,
        Tier::Cap => proto::FunnelTier::Cap,
        Tier::Arbitration => proto::FunnelTier::Arbitration,
    };
    proto::LeftOut {
        action_id: left.action.to_string(),
        name: left.name.clone(),
        tier: tier.into(),
        rule: left.rule.clone(),
    }
}
