//! Texts to read, and trends.

use chrono_tz::Tz;
use rapport_api::check;
use rapport_api::convert::{instant, timestamp};
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Timestamp, Violations};

use super::{mask, note};
use crate::domain::trend::{self, MOST_PERIODS, Period, Share};
use crate::service::topics::{Asked, Trends};
use crate::store::text_reading::{Counted, Source, Tally};

/// A text to read, and what is said of its language.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn analyze(message: proto::AnalyzeTextRequest) -> Result<(String, String), Fault> {
    check(&message).check()?;
    Ok((message.text, message.language))
}

/// Texts to read.
///
/// # Errors
/// As [`analyze`].
pub fn batch(message: proto::BatchAnalyzeTextsRequest) -> Result<Vec<(String, String)>, Fault> {
    check(&message).check()?;
    Ok(message.texts.into_iter().map(|one| (one.text, one.language)).collect())
}

/// What a message names; none where nothing is said.
const fn source(source: proto::TextSource) -> Option<Source> {
    match source {
        proto::TextSource::Unspecified => None,
        proto::TextSource::Response => Some(Source::Response),
        proto::TextSource::Ticket => Some(Source::Ticket),
        proto::TextSource::Mention => Some(Source::Mention),
    }
}

/// A source as the contract has it.
#[must_use]
pub const fn source_message(source: Source) -> proto::TextSource {
    match source {
        Source::Response => proto::TextSource::Response,
        Source::Ticket => proto::TextSource::Ticket,
        Source::Mention => proto::TextSource::Mention,
    }
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

/// What trends are asked of.
///
/// # Errors
/// As [`analyze`].
pub fn trends(message: &proto::GetTopicTrendsRequest) -> Result<Asked, Fault> {
    let mut out = check(message);
    let start = bound(message.start_time.as_ref(), "start_time", &mut out);
    let end = bound(message.end_time.as_ref(), "end_time", &mut out);
    let zone = if message.zone.is_empty() { Some(Tz::UTC) } else { message.zone.parse::<Tz>().ok() };
    if zone.is_none() {
        note(&mut out, "zone", "zone", "must be an IANA time zone, as Asia/Tehran");
    }
    let period = match message.period() {
        proto::TrendPeriod::Unspecified | proto::TrendPeriod::Day => Period::Day,
        proto::TrendPeriod::Week => Period::Week,
        proto::TrendPeriod::Month => Period::Month,
    };
    let mut periods = Vec::new();
    if let (Some(start), Some(end), Some(zone)) = (start, end, zone) {
        if end <= start {
            note(&mut out, "end_time", "timestamp.gt", "must be later than start_time");
        } else {
            match period.of(start, end, zone) {
                Some(all) => periods = all,
                None => {
                    let text = format!("must be at most {MOST_PERIODS} periods after start_time");
                    note(&mut out, "end_time", "trend.periods", text);
                }
            }
        }
    }
    out.check()?;
    let (start, end) = start.zip(end).ok_or_else(|| Fault::internal("a trend's time was not checked"))?;
    let counted = Counted {
        sources: message.sources().filter_map(source).collect(),
        language: message.language.clone(),
        channel: mask::name(message.channel.clone()),
        product: mask::name(message.product.clone()),
        topics: message.topics.clone(),
    };
    Ok(Asked { periods, before: start.minus(end.since(start)), counted })
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many topics are told of.
const MOST_TOPICS: usize = 500;

/// What texts are about, as the contract has it.
#[must_use]
pub fn render(asked: &Asked, trends: &Trends) -> proto::GetTopicTrendsResponse {
    let periods = asked.periods.iter().zip(&trends.texts).map(|((start, end), tally)| proto::TextPeriod {
        start_time: Some(timestamp(*start)),
        end_time: Some(timestamp(*end)),
        texts: count(tally.texts),
        sentiment: tally.mean(),
    });
    let all: u64 = trends.texts.iter().map(|tally| tally.texts).sum();
    let before = trends.texts_before.texts;
    let mut topics: Vec<proto::TopicTrend> =
        trends.topics.iter().map(|(topic, tallies)| one(topic, tallies, &trends.texts, all, before)).collect();
    topics.sort_by(|one, other| {
        (other.count, other.count_before, &one.topic).cmp(&(one.count, one.count_before, &other.topic))
    });
    topics.truncate(MOST_TOPICS);
    proto::GetTopicTrendsResponse { topics, periods: periods.collect(), texts: count(all), texts_before: count(before) }
}

fn one(
    (topic, competitor): &(String, bool),
    (now, before): &(Vec<Tally>, Tally),
    texts: &[Tally],
    all: u64,
    all_before: u64,
) -> proto::TopicTrend {
    let mut whole = Tally::default();
    now.iter().for_each(|tally| whole.add(*tally));
    let (share, share_before) = (Share { count: whole.texts, all }, Share { count: before.texts, all: all_before });
    let compared = trend::compare(share, share_before);
    let periods = now.iter().zip(texts).map(|(tally, texts)| proto::TopicPeriod {
        count: count(tally.texts),
        share: Share { count: tally.texts, all: texts.texts }.value(),
        sentiment: tally.mean(),
    });
    proto::TopicTrend {
        topic: topic.clone(),
        is_competitor: *competitor,
        count: count(whole.texts),
        share: share.value(),
        sentiment: whole.mean(),
        count_before: count(before.texts),
        share_before: share_before.value(),
        sentiment_before: before.mean(),
        growth: share.growth(share_before),
        p_value: compared.map(|(p, _)| p),
        significant: compared.is_some_and(|(_, significant)| significant),
        periods: periods.collect(),
    }
}
