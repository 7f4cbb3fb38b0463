//! How the loop is closed: who is asked and answers, what is followed up, what was promised and kept.

use super::Entry;
use crate::domain::dimensions::Dimension::{
    self, Agent, Campaign, Channel, Party, Product, Stage, Survey, Team, Touchpoint, Type,
};
use crate::domain::facts::Family;
use crate::domain::figures::Direction;
use crate::domain::reckoning::Reckoning;

const FOLLOW_UPS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Type, Agent, Team];
const INVITATIONS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Type, Survey, Campaign];
const PROMISES: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Agent, Team];
const MENTIONS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Type];

/// The share followed up in time.
pub(super) const LOOP_CLOSED_RATE: Entry = Entry {
    name: "loop_closed_rate",
    family: Family::FollowUps,
    by_topic: None,
    reckoning: Reckoning::Yes,
    dimensions: FOLLOW_UPS,
    direction: Direction::Higher,
    formula: "Follow-ups resolved by the time they were due (at any time where they have none) / follow-ups \
              opened, by the time they were opened. Cancelled ones do not count; those that are open do. n is the \
              number of follow-ups opened; with none there is no value. Interval: Wilson. Comparison: pooled two- \
              proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        (
            "en",
            "Of all customers whom something hurt or pleased and to whom the company meant to come back, the share it came back to in time.",
        ),
        ("ru", "Доля случаев, когда компания вовремя вернулась к клиенту, которого что-то задело или порадовало."),
        ("fa", "از همهٔ مشتریانی که چیزی آنان را رنجاند یا خشنود کرد، سهم کسانی که شرکت به‌موقع به سراغشان رفت."),
        (
            "ro",
            "Dintre clienții pe care ceva i-a supărat sau i-a bucurat, ponderea celor la care compania a revenit la timp.",
        ),
    ],
};

/// How long it takes to close the loop.
pub(super) const TIME_TO_CLOSE: Entry = Entry {
    name: "time_to_close",
    family: Family::Closings,
    by_topic: None,
    reckoning: Reckoning::Times,
    dimensions: FOLLOW_UPS,
    direction: Direction::Lower,
    formula: "Seconds from the opening of a follow-up to its resolution, of follow-ups that are resolved, by the \
              time of opening. The value is the median; the mean and the 90th percentile stand beside it. All \
              exact, from every one. n is the number of those; with none there is no value. Interval: between \
              order statistics, whatever the times are like; of fewer than 6 at 95 % there is none. Comparison: \
              Mann–Whitney test. Suppression as for nps.",
    unit: "seconds",
    source: "Hyndman & Fan, The American Statistician 50 (1996) for percentiles; Conover (1999) for the interval; \
             Mann & Whitney (1947) for the test.",
    description: [
        ("en", "How long it takes the company to come back to a customer and settle what hurt or pleased."),
        ("ru", "Сколько времени нужно компании, чтобы вернуться к клиенту и уладить дело."),
        ("fa", "چه مدت طول می‌کشد تا شرکت به سراغ مشتری برود و کار را به سرانجام برساند."),
        ("ro", "Cât îi ia companiei să revină la un client și să rezolve ce l-a supărat sau l-a bucurat."),
    ],
};

/// The share of those asked who answer.
pub(super) const RESPONSE_RATE: Entry = Entry {
    name: "response_rate",
    family: Family::Invitations,
    by_topic: None,
    reckoning: Reckoning::Answering,
    dimensions: INVITATIONS,
    direction: Direction::Higher,
    formula: "Invitations answered in full / invitations delivered, by the time of inviting: those that were \
              delivered, started, completed or expired; of a channel on which no delivery was told in a group and \
              cut (RecordDelivery tells of them), all that were sent and did not fail. Cancelled and failed ones \
              never count, nor those to anonymous surveys, of which nobody knows whether they were answered. n is the number of invitations delivered, or sent; with none there is no value. \
              Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "AAPOR Standard Definitions, 10th ed. (2023), RR1. Wilson, JASA 22 (1927) for the interval; Fleiss, \
             Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all customers who were asked for their opinion, the share who gave it in full."),
        ("ru", "Доля клиентов, ответивших на опрос полностью, среди всех, кто получил приглашение."),
        ("fa", "از همهٔ مشتریانی که نظرشان پرسیده شد، سهم کسانی که کامل پاسخ دادند."),
        ("ro", "Dintre toți clienții cărora li s-a cerut părerea, ponderea celor care au răspuns complet."),
    ],
};

/// The share of promises kept.
pub(super) const PROMISE_KEPT_RATE: Entry = Entry {
    name: "promise_kept_rate",
    family: Family::Promises,
    by_topic: None,
    reckoning: Reckoning::Yes,
    dimensions: PROMISES,
    direction: Direction::Higher,
    formula: "Promises kept / promises kept or broken, by the time they were given. Open and withdrawn ones do not \
              count. n is the number of those kept or broken; with none there is no value. Interval: Wilson. \
              Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all that the company promised to customers, the share it kept."),
        ("ru", "Доля обещаний клиентам, которые компания сдержала."),
        ("fa", "از همهٔ آنچه شرکت به مشتریان قول داد، سهم آنچه به آن وفا کرد."),
        ("ro", "Din tot ce le-a promis compania clienților, ponderea promisiunilor ținute."),
    ],
};

/// How long a reply to a mention takes.
pub(super) const MENTION_REPLY_TIME: Entry = Entry {
    name: "mention_reply_time",
    family: Family::Replies,
    by_topic: None,
    reckoning: Reckoning::Times,
    dimensions: MENTIONS,
    direction: Direction::Lower,
    formula: "Seconds from when something was said in a review, a post, a rating or a chat to the company's first \
              reply, of mentions that have one, by the time they were said. The value is the median; the mean and \
              the 90th percentile stand beside it. All exact, from every one. n is the number of those; with none \
              there is no value. Interval: between order statistics, whatever the times are like; of fewer than 6 \
              at 95 % there is none. Comparison: Mann–Whitney test. Suppression as for nps.",
    unit: "seconds",
    source: "Hyndman & Fan, The American Statistician 50 (1996) for percentiles; Conover (1999) for the interval; \
             Mann & Whitney (1947) for the test.",
    description: [
        ("en", "How long it takes the company to reply to what is said of it in public."),
        ("ru", "Сколько времени нужно компании, чтобы ответить на публичный отзыв."),
        ("fa", "چه مدت طول می‌کشد تا شرکت به آنچه آشکارا درباره‌اش گفته‌اند پاسخ دهد."),
        ("ro", "Cât îi ia companiei să răspundă la ceea ce se spune public despre ea."),
    ],
};
