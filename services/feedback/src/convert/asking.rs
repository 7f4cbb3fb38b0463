//! Whom a survey asks: the settings, and the sizes of samples.

use std::time::Duration;

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Violations};

use crate::domain::asking::{AskAfter, AskEvent, AskForm, Asking, Difference, Wish, answers_needed};

/// A length that the contract's rules found sound.
pub(super) fn duration(message: &prost_types::Duration) -> Duration {
    let (seconds, nanos) = (u64::try_from(message.seconds), u32::try_from(message.nanos));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

fn length(length: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default(),
    }
}

/// Notes the rules that the contract's own cannot say.
pub fn note(message: Option<&proto::Asking>, out: &mut Violations) {
    let Some(message) = message else { return };
    if message.quota_window.is_some() && message.quota == 0 {
        out.add("survey.asking.quota_window", "asking.quota", "must be absent where there is no quota");
    }
    for (place, pair) in message.reminders.windows(2).enumerate() {
        if duration(&pair[1]) <= duration(&pair[0]) {
            let field = format!("survey.asking.reminders[{}]", place + 1);
            out.add(field, "asking.reminders", "must be longer than the one before");
        }
    }
    let life = parse(message.clone()).life();
    for (place, _) in message.reminders.iter().enumerate().filter(|(_, after)| duration(after) >= life) {
        let field = format!("survey.asking.reminders[{place}]");
        if !out.as_slice().iter().any(|known| known.field == field) {
            out.add(
                field,
                "asking.reminders",
                "must be shorter than expire_after, which is 14 days where it is absent",
            );
        }
    }
    for (place, after) in message.ask_after.iter().enumerate() {
        if after.delay.as_ref().is_some_and(|delay| delay.seconds < 0 || delay.nanos < 0) {
            out.add(format!("survey.asking.ask_after[{place}].delay"), "duration.gte", "must not be negative");
        }
    }
    // What is compiled here is compiled again where it is used.
    drop(AskForm::compile(&parse(message.clone()), out));
}

/// The settings.
#[must_use]
pub fn parse(message: proto::Asking) -> Asking {
    let after = |after: &proto::AskAfter| {
        let event = match after.event() {
            proto::AskEvent::Unspecified => return None,
            proto::AskEvent::TicketSolved => AskEvent::TicketSolved,
            proto::AskEvent::Interaction => AskEvent::Interaction,
        };
        let delay = after.delay.as_ref().map(duration).unwrap_or_default();
        Some(AskAfter { event, condition: after.condition.clone(), delay })
    };
    Asking {
        targeting: message.targeting,
        sampling_rate: message.sampling_rate,
        quota: u64::try_from(message.quota).unwrap_or_default(),
        quota_window: message.quota_window.as_ref().map(duration),
        cool_down: message.cool_down.as_ref().map(duration),
        kind_cool_down: message.kind_cool_down.as_ref().map(duration),
        overall_cool_down: message.overall_cool_down.as_ref().map(duration),
        channels: message.channels,
        purpose: message.purpose,
        topic: message.topic,
        expire_after: message.expire_after.as_ref().map(duration),
        max_uses: u32::try_from(message.max_uses).unwrap_or_default(),
        reminders: message.reminders.iter().map(duration).collect(),
        ask_after: message.ask_after.iter().filter_map(after).collect(),
    }
}

/// The settings as the contract has them; none where nothing was set.
#[must_use]
pub fn render(asking: &Asking) -> Option<proto::Asking> {
    if *asking == Asking::default() {
        return None;
    }
    let after = |after: &AskAfter| proto::AskAfter {
        event: match after.event {
            AskEvent::TicketSolved => proto::AskEvent::TicketSolved,
            AskEvent::Interaction => proto::AskEvent::Interaction,
        }
        .into(),
        condition: after.condition.clone(),
        delay: (!after.delay.is_zero()).then(|| length(after.delay)),
    };
    Some(proto::Asking {
        targeting: asking.targeting.clone(),
        sampling_rate: asking.sampling_rate,
        quota: i64::try_from(asking.quota).unwrap_or(i64::MAX),
        quota_window: asking.quota_window.map(length),
        cool_down: asking.cool_down.map(length),
        kind_cool_down: asking.kind_cool_down.map(length),
        overall_cool_down: asking.overall_cool_down.map(length),
        channels: asking.channels.clone(),
        purpose: asking.purpose.clone(),
        topic: asking.topic.clone(),
        expire_after: asking.expire_after.map(length),
        max_uses: i32::try_from(asking.max_uses).unwrap_or(i32::MAX),
        reminders: asking.reminders.iter().copied().map(length).collect(),
        ask_after: asking.ask_after.iter().map(after).collect(),
    })
}

/// How many answers a difference takes.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn sample_size(message: &proto::GetSampleSizeRequest) -> Result<proto::SampleSize, Fault> {
    let mut out = check(message);
    let none = |by: f64| by == 0.0;
    let (difference, method) = match &message.metric {
        Some(proto::get_sample_size_request::Metric::Share(share)) => {
            if none(share.difference) {
                out.add("share.difference", "difference", "must not be 0");
            }
            if !(0.0..=1.0).contains(&(share.baseline + share.difference)) {
                out.add("share.difference", "difference", "must lead to a share from 0 to 1");
            }
            (Difference::Share(share.baseline, share.difference), "two proportions (Fleiss, Levin & Paik 2003)")
        }
        Some(proto::get_sample_size_request::Metric::Nps(nps)) => {
            if none(nps.difference) {
                out.add("nps.difference", "difference", "must not be 0");
            }
            if nps.promoters + nps.detractors > 1.0 {
                out.add("nps.detractors", "difference", "must be at most 1 with the promoters");
            }
            let score = 100.0 * (nps.promoters - nps.detractors) + nps.difference;
            if !(-100.0..=100.0).contains(&score) {
                out.add("nps.difference", "difference", "must lead to a score from -100 to 100");
            }
            let difference = Difference::Nps(nps.promoters, nps.detractors, nps.difference / 100.0);
            (difference, "difference of net promoter scores, var = p + d - (p - d)^2 (Rocks 2016)")
        }
        Some(proto::get_sample_size_request::Metric::Mean(mean)) => {
            if none(mean.difference) {
                out.add("mean.difference", "difference", "must not be 0");
            }
            (Difference::Mean(mean.deviation, mean.difference), "two means (Cochran 1977)")
        }
        None => {
            out.check()?;
            return Err(Fault::internal("a sample's metric was not checked"));
        }
    };
    out.check()?;
    let (confidence, power) = (message.confidence.unwrap_or(0.95), message.power.unwrap_or(0.8));
    let population = u64::try_from(message.population).unwrap_or_default();
    let answers = answers_needed(difference, Wish { confidence, power, population });
    #[expect(clippy::cast_precision_loss, reason = "more answers than a double counts are asked of nobody")]
    let invitations = message.response_rate.map(|rate| (answers as f64 / rate).ceil());
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let invitations = invitations.map_or(0, |invitations| invitations as i64);
    Ok(proto::SampleSize {
        answers_per_group: i64::try_from(answers).unwrap_or(i64::MAX),
        invitations_per_group: invitations,
        method: method.to_owned(),
    })
}
