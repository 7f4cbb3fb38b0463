//! Mentions, and praise that may be shown.

use rapport_api::check;
use rapport_api::common::v1::{CustomerRef, customer_ref::Ref};
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, RequestId, Timestamp, Violations};

use super::{customer, digest, id, mask, note, reading, request_id, time};
use crate::domain::etag;
use crate::domain::mention::{AHEAD, Kind, Mention, MentionId, MentionKey, Rating, Reply, ReplyId, Replying, Told};
use crate::service::mentions::{Change, Listing, Outcome, Recorded, Recording, Testimonial, Watched, What, Which};
use crate::store::mention::Sieve;
use crate::store::text_reading::{Praise, Source};

/// Under which a watch's tokens are sealed.
pub const WATCH: &str = "WatchMentions";

/// From which sentiment on words are praise where the caller does not say, in thousandths.
const PRAISE: i32 = 300;

/// What a message names; none where nothing is said.
const fn kind(kind: proto::MentionKind) -> Option<Kind> {
    match kind {
        proto::MentionKind::Unspecified => None,
        proto::MentionKind::Review => Some(Kind::Review),
        proto::MentionKind::SocialPost => Some(Kind::SocialPost),
        proto::MentionKind::AppRating => Some(Kind::AppRating),
        proto::MentionKind::Chat => Some(Kind::Chat),
        proto::MentionKind::Other => Some(Kind::Other),
    }
}

const fn kind_message(kind: Kind) -> proto::MentionKind {
    match kind {
        Kind::Review => proto::MentionKind::Review,
        Kind::SocialPost => proto::MentionKind::SocialPost,
        Kind::AppRating => proto::MentionKind::AppRating,
        Kind::Chat => proto::MentionKind::Chat,
        Kind::Other => proto::MentionKind::Other,
    }
}

/// A mention to record.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn record(message: proto::RecordMentionRequest, now: Timestamp) -> Result<(Option<RequestId>, Recording), Fault> {
    let out = check(&message);
    let request = message.request_id;
    let recording = recording(message.mention, now, out)?;
    Ok((request_id(&request)?, recording))
}

/// A mention of a stream.
///
/// # Errors
/// As [`record`].
pub fn item(message: proto::RecordMentionsRequest, now: Timestamp) -> Result<Recording, Fault> {
    let out = check(&message);
    recording(message.mention, now, out)
}

fn recording(message: Option<proto::Mention>, now: Timestamp, mut out: Violations) -> Result<Recording, Fault> {
    let given = message.unwrap_or_default();
    let said_at = told(given.said_at.as_ref(), "mention.said_at", now, &mut out);
    let rating = given.rating.as_ref().and_then(|rating| rated(rating, &mut out));
    if given.rating.is_none() && given.title.is_empty() && given.text.is_empty() {
        note(&mut out, "mention.text", "required", "must not be empty where there is neither a title nor a rating");
    }
    out.check()?;
    let kind = kind(given.kind()).ok_or_else(|| Fault::internal("a mention's kind was not checked"))?;
    let mut competitors = mask::names(given.competitors);
    competitors.sort_unstable();
    let told = Told {
        version: given.version,
        kind,
        place: mask::name(given.place),
        url: Private::new(mask::link(given.url)),
        author: Private::new(mask::name(given.author)),
        rating,
        title: mask::text(given.title),
        text: mask::text(given.text),
        language: mask::name(given.language),
        said_at: said_at.unwrap_or(now),
        channel: mask::name(given.channel),
        touchpoint: mask::name(given.touchpoint),
        stage: mask::name(given.stage),
        product: mask::name(given.product),
        competitors,
        consent: given.publication_consent,
    };
    let key = MentionKey { source: given.source, external_id: Private::new(given.external_id) };
    Ok(Recording { key, customer: given.customer.map(customer::parse).transpose()?, told })
}

/// An instant that is told of: at most five minutes ahead of now.
fn told(at: Option<&prost_types::Timestamp>, field: &str, now: Timestamp, out: &mut Violations) -> Option<Timestamp> {
    match at.map(instant)? {
        Ok(at) if at <= now.plus(AHEAD) => Some(at),
        Ok(_) => {
            note(out, field, "timestamp.lt_now", "must be at most five minutes ahead of now");
            None
        }
        Err(range) => {
            note(out, field, "timestamp.range", range.to_string());
            None
        }
    }
}

fn rated(rating: &proto::MentionRating, out: &mut Violations) -> Option<Rating> {
    let is_bare = rating.min == 0.0 && rating.max == 0.0;
    let (min, max) = if is_bare { (1.0, 5.0) } else { (rating.min, rating.max) };
    if min >= max {
        note(out, "mention.rating.max", "mention.rating", "must be above min");
        return None;
    }
    if !(min..=max).contains(&rating.value) {
        note(out, "mention.rating.value", "mention.rating", format!("must lie between {min} and {max}"));
        return None;
    }
    Some(Rating { value: rating.value, min, max })
}

/// Which mention to return.
///
/// # Errors
/// As [`record`].
pub fn get(message: &proto::GetMentionRequest) -> Result<MentionId, Fault> {
    check(message).check()?;
    id(&message.mention_id)
}

fn bound(at: Option<&prost_types::Timestamp>, field: &str, out: &mut Violations) -> Option<Timestamp> {
    match at.map(instant)? {
        Ok(at) => Some(at),
        Err(range) => {
            note(out, field, "timestamp.range", range.to_string());
            None
        }
    }
}

/// Which mentions to list.
///
/// # Errors
/// As [`record`].
pub fn list(message: proto::ListMentionsRequest) -> Result<Listing, Fault> {
    let mut out = check(&message);
    let start = bound(message.start_time.as_ref(), "start_time", &mut out);
    let end = bound(message.end_time.as_ref(), "end_time", &mut out);
    let ascending = match message.order_by.trim() {
        "" | "said_at desc" => false,
        "said_at" | "said_at asc" => true,
        _ => {
            note(&mut out, "order_by", "order_by", "must be \"said_at desc\" or \"said_at\"");
            false
        }
    };
    out.check()?;
    // A page's token is bound to all that was asked but for the page itself.
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let bound = format!("ListMentions|{}", digest(&prost::Message::encode_to_vec(&bare)));
    let polarity = message.polarity();
    let sieve = Sieve {
        subjects: None,
        kinds: message.kinds().filter_map(kind).collect(),
        tone: reading::tone(polarity, (message.min_sentiment, message.max_sentiment), message.topic),
        source: message.source,
        place: mask::name(message.place),
        product: mask::name(message.product),
        language: message.language,
        replied: message.replied,
        least: message.min_rating,
        most: message.max_rating,
        start,
        end,
        ascending,
    };
    let page_size = rapport_kernel::page_size(message.page_size)?;
    let customer = message.customer.map(customer::parse).transpose()?;
    Ok(Listing { customer, sieve, bound, page_size, page_token: message.page_token })
}

/// A reply to note.
///
/// # Errors
/// As [`record`].
pub fn reply(
    message: proto::ReplyToMentionRequest,
    now: Timestamp,
) -> Result<(Option<RequestId>, MentionId, Replying), Fault> {
    let mut out = check(&message);
    let at = told(message.time.as_ref(), "time", now, &mut out);
    out.check()?;
    let reply: Option<ReplyId> = if message.reply_id.is_empty() { None } else { Some(id(&message.reply_id)?) };
    let (text, agent) = (mask::text(message.text), Private::new(mask::name(message.agent)));
    let replying = Replying { etag: message.etag, reply, text, agent, at };
    Ok((request_id(&message.request_id)?, id(&message.mention_id)?, replying))
}

/// Which mention to delete.
///
/// # Errors
/// As [`record`].
pub fn delete(message: &proto::DeleteMentionRequest) -> Result<(Option<RequestId>, MentionId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.mention_id)?))
}

/// Which praise to list.
///
/// # Errors
/// As [`record`].
pub fn testimonials(message: proto::ListTestimonialsRequest) -> Result<Which, Fault> {
    check(&message).check()?;
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let bound = format!("ListTestimonials|{}", digest(&prost::Message::encode_to_vec(&bare)));
    #[expect(clippy::cast_possible_truncation, reason = "the contract's rules keep it between 0 and 1")]
    let least = message.min_sentiment.map_or(PRAISE, |least| ((least * 1_000.0).ceil() as i32).max(1));
    let (language, product, topic) = (message.language, mask::name(message.product), message.topic);
    let praise = Praise { least, language, product, topic };
    let page_size = rapport_kernel::page_size(message.page_size)?;
    Ok(Which { praise, bound, page_size, page_token: message.page_token })
}

/// What to watch.
///
/// # Errors
/// As [`record`].
pub fn watch(message: &proto::WatchMentionsRequest) -> Result<Watched, Fault> {
    check(message).check()?;
    let kinds = message.kinds().filter_map(kind).collect();
    Ok(Watched { kinds, polarity: reading::polarity(message.polarity()) })
}

fn rating(rating: &Rating) -> proto::MentionRating {
    proto::MentionRating { value: rating.value, min: rating.min, max: rating.max }
}

fn analysis(mention: &Mention) -> Option<proto::TextAnalysis> {
    let texts: Vec<(&str, &str)> = mention.told.texts().collect();
    mention.reading.as_ref().map(|read| reading::analysis(read, &texts))
}

/// A mention as the contract has it.
#[must_use]
pub fn render(mention: &Mention) -> proto::Mention {
    let (told, respondent) = (&mention.told, &mention.respondent);
    let subject = (!respondent.anonymous).then(|| respondent.subject.to_string());
    let customer = mention.customer;
    let reply = |reply: &Reply| proto::MentionReply {
        reply_id: reply.id.to_string(),
        text: reply.text.expose().clone(),
        agent: reply.agent.expose().clone(),
        time: time(reply.at),
    };
    proto::Mention {
        mention_id: mention.id.to_string(),
        source: mention.key.source.clone(),
        external_id: mention.key.external_id.expose().clone(),
        version: told.version,
        kind: kind_message(told.kind).into(),
        place: told.place.clone(),
        url: told.url.expose().clone(),
        author: told.author.expose().clone(),
        customer: customer.map(|customer| CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }),
        subject_id: subject.unwrap_or_default(),
        rating: told.rating.as_ref().map(rating),
        title: told.title.expose().clone(),
        text: told.text.expose().clone(),
        language: told.language.clone(),
        said_at: time(told.said_at),
        channel: told.channel.clone(),
        touchpoint: told.touchpoint.clone(),
        stage: told.stage.clone(),
        product: told.product.clone(),
        competitors: told.competitors.clone(),
        publication_consent: told.consent,
        analysis: analysis(mention),
        replies: mention.replies.iter().map(reply).collect(),
        first_reply_time: mention.replied_at().and_then(time),
        revision: mention.revision,
        etag: etag::of(mention.revision),
        create_time: time(mention.created_at),
        update_time: time(mention.updated_at),
    }
}

/// What recording did.
#[must_use]
pub fn recorded(recorded: &Recorded) -> proto::RecordMentionResponse {
    let outcome = match recorded.outcome {
        Outcome::Created => proto::MentionOutcome::Created,
        Outcome::Updated => proto::MentionOutcome::Updated,
        Outcome::Unchanged => proto::MentionOutcome::Unchanged,
        Outcome::Deleted => proto::MentionOutcome::Deleted,
    };
    proto::RecordMentionResponse { mention: recorded.mention.as_ref().map(render), outcome: outcome.into() }
}

/// Praise as the contract has it.
#[must_use]
pub fn testimonial(testimonial: &Testimonial) -> proto::Testimonial {
    let consent_given_with_it = testimonial.with_it;
    match &testimonial.what {
        What::Mention(mention) => {
            let told = &mention.told;
            proto::Testimonial {
                source: super::text::source_message(Source::Mention).into(),
                mention_id: mention.id.to_string(),
                response_id: String::new(),
                text: told.text.expose().clone(),
                title: told.title.expose().clone(),
                author: told.author.expose().clone(),
                place: told.place.clone(),
                url: told.url.expose().clone(),
                product: told.product.clone(),
                rating: told.rating.as_ref().map(rating),
                analysis: analysis(mention),
                said_at: time(told.said_at),
                consent_given_with_it,
            }
        }
        What::Response(response) => {
            let texts: Vec<(&str, &str)> = response.texts().collect();
            let words: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
            proto::Testimonial {
                source: super::text::source_message(Source::Response).into(),
                response_id: response.id.to_string(),
                text: words.join("\n"),
                product: response.touch.product.clone(),
                analysis: response.content.reading.as_ref().map(|read| reading::analysis(read, &texts)),
                said_at: time(response.answered_at),
                consent_given_with_it,
                ..proto::Testimonial::default()
            }
        }
    }
}

/// A change that a watcher is told of.
#[must_use]
pub fn change(change: &Change) -> proto::MentionChange {
    proto::MentionChange {
        mention_id: change.id.to_string(),
        revision: change.revision,
        deleted: change.deleted,
        mention: change.mention.as_ref().map(render),
    }
}
