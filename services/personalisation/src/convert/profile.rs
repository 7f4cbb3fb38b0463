//! The shared context of a customer, as it lies in the cache and comes from profiles.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use rapport_api::common::v1 as common;
use rapport_api::events::v1::{ContextFeedback, CustomerContext};
use rapport_kernel::{Fault, SubjectId, Timestamp};

use super::{datum, id, instant};
use crate::domain::contact::Hours;
use crate::domain::{Consents, LastScore, Party, Profile, Scale, Standing};

/// A customer's context, decoded, and the bytes it came in, which are kept with each decision made from it.
pub struct Context {
    /// Decoded.
    pub profile: Profile,
    /// Encoded.
    pub bytes: Bytes,
}

impl Context {
    /// Decodes.
    ///
    /// # Errors
    /// INTERNAL where the bytes are no context.
    pub fn decode(bytes: &Bytes) -> Result<Self, Fault> {
        // What exactly is wrong is not told: prost's text can quote what it read.
        let damaged = |_| Fault::internal("a customer's context cannot be decoded");
        let context = CustomerContext::decode(bytes.clone()).map_err(damaged)?;
        Ok(Self { profile: parse(context)?, bytes: bytes.clone() })
    }

    /// From the message itself.
    ///
    /// # Errors
    /// INTERNAL where an id or instant in it is none.
    pub fn new(context: CustomerContext) -> Result<Self, Fault> {
        let bytes = Bytes::from(context.encode_to_vec());
        Ok(Self { profile: parse(context)?, bytes })
    }
}

fn parse(context: CustomerContext) -> Result<Profile, Fault> {
    let party = match context.party() {
        common::Party::Unspecified | common::Party::Customer => Party::Customer,
        common::Party::Lead => Party::Lead,
        common::Party::Partner => Party::Partner,
        common::Party::Employee => Party::Employee,
    };
    let statements = context.consents.iter();
    let statements = statements.map(|said| (said.purpose.as_str(), said.channel.as_str(), said.granted));
    let customer = id(&context.customer_id)?;
    let mut subjects = context.subject_ids.iter().map(|text| id(text)).collect::<Result<Vec<SubjectId>, _>>()?;
    if subjects.is_empty() {
        subjects.push(customer);
    }
    subjects.sort_unstable();
    subjects.dedup();
    Ok(Profile {
        standing: standing(&context)?,
        customer,
        revision: context.revision,
        party,
        consents: Consents::new(statements),
        subjects,
        valid_until: instant(context.valid_until.as_ref())?.unwrap_or(Timestamp::MAX),
        traits: datum::parse(context.traits)?,
    })
}

/// What is remembered of feedback, by the names that conditions read it by; what is not known is not there.
fn feedback(told: &ContextFeedback) -> BTreeMap<String, f64> {
    let numbers = [
        ("sentiment", told.sentiment),
        ("sentiment_trend", told.sentiment_trend),
        ("texts", Some(told.texts.into())),
        ("open_tickets", Some(told.open_tickets.into())),
        ("open_complaints", Some(told.open_complaints.into())),
        ("open_follow_ups", Some(told.open_follow_ups.into())),
        ("broken_promises", Some(told.broken_promises.into())),
    ];
    numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), number?))).collect()
}

fn standing(context: &CustomerContext) -> Result<Standing, Fault> {
    let objected = |processing| match processing {
        common::Processing::Unspecified => None,
        common::Processing::Marketing => Some("marketing".to_owned()),
        common::Processing::Profiling => Some("profiling".to_owned()),
        common::Processing::AutomatedDecisions => Some("automated_decisions".to_owned()),
    };
    let preferences = context.preferences.clone().unwrap_or_default();
    let mut last_scores = Vec::new();
    for last in &context.scores {
        let at = instant(last.time.as_ref())?.unwrap_or(Timestamp::MIN);
        let scale = Scale { min: last.scale_min, max: last.scale_max, reversed: last.reversed };
        let scale = Some(scale).filter(|scale| scale.min < scale.max);
        last_scores.push(LastScore { kind: last.kind.clone(), score: last.score, scale, at });
    }
    let mut flag_ends = Vec::new();
    for flag in &context.flags {
        flag_ends.push((flag.name.clone(), instant(flag.expire_time.as_ref())?));
    }
    Ok(Standing {
        segments: context.segments.iter().map(|segment| segment.name.clone()).collect(),
        lifecycle_stage: context.lifecycle_stage.clone(),
        scores: context.scores.iter().map(|last| (last.kind.clone(), f64::from(last.score))).collect(),
        feedback: context.feedback.as_ref().map(feedback).unwrap_or_default(),
        flags: context.flags.iter().map(|flag| flag.name.clone()).collect(),
        restrictions: context.restrictions().filter_map(objected).collect(),
        last_scores,
        flag_ends,
        zone: preferences.zone,
        quiet_hours: preferences.quiet_hours.and_then(|hours| Hours::parse(&hours.start, &hours.end)),
    })
}
