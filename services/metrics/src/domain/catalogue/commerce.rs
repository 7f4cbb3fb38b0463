//! What customers do and buy.

use super::Entry;
use crate::domain::dimensions::Dimension::{self, Campaign, Channel, Party, Product, Stage, Touchpoint, Type};
use crate::domain::facts::Family;
use crate::domain::figures::Direction;
use crate::domain::reckoning::Reckoning;

const DIMENSIONS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Type, Campaign];

/// How many interactions.
pub(super) const INTERACTIONS: Entry = Entry {
    name: "interactions",
    family: Family::Interactions,
    by_topic: None,
    reckoning: Reckoning::Count,
    dimensions: DIMENSIONS,
    direction: Direction::Neutral,
    formula: "The number of recorded interactions of any type that occurred in the period and were neither deleted nor \
              erased. n is the same number. Where they are grouped or filtered by a trait, groups of fewer interactions than \
              the tenant's threshold are suppressed, and with them those that would give them away; otherwise nothing \
              is, since channels, touchpoints, stages, products, parties and types tell nobody apart.",
    unit: "interactions",
    source: "Census of the recorded interactions.",
    description: [
        ("en", "How often customers and the company had to do with each other: purchases, visits, calls, messages."),
        ("ru", "Сколько раз клиенты взаимодействовали с компанией: покупки, посещения, звонки, сообщения."),
        ("fa", "چند بار مشتریان با شرکت در تماس بوده‌اند: خرید، بازدید، تماس تلفنی و پیام."),
        ("ro", "De câte ori au interacționat clienții cu compania: cumpărături, vizite, apeluri, mesaje."),
    ],
};

/// What interactions were worth.
pub(super) const REVENUE: Entry = Entry {
    name: "revenue",
    family: Family::Interactions,
    by_topic: None,
    reckoning: Reckoning::Sums,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "The sum of the values of all interactions of any type that have one and occurred in the period; refunds, \
              whose value is negative, lower it. Different currencies are never added: each has its own point. n is the \
              number of interactions with a value in that currency. Exact to a millionth of a unit before it is answered \
              as a double. Suppression as for interactions.",
    unit: "units of the point's currency",
    source: "Census of the recorded interactions.",
    description: [
        ("en", "What customers paid, less what was refunded, for each currency by itself."),
        ("ru", "Сколько клиенты заплатили за вычетом возвратов, отдельно по каждой валюте."),
        ("fa", "آنچه مشتریان پرداخته‌اند پس از کسر بازپرداخت‌ها، برای هر ارز جداگانه."),
        ("ro", "Cât au plătit clienții, minus rambursările, separat pentru fiecare monedă."),
    ],
};

/// How many customers did something.
pub(super) const CUSTOMERS: Entry = Entry {
    name: "customers",
    family: Family::Interactions,
    by_topic: None,
    reckoning: Reckoning::Customers,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "The number of distinct customers with at least one interaction of any type in the period, group and cut. \
              Customers as they are linked now: after a merge two are one, after a split they are two again, in every \
              period. A customer with interactions in several groups or cuts counts in each, so points do not add up. \
              Suppression as for interactions.",
    unit: "customers",
    source: "Census of the recorded interactions and of the links of source records to customers.",
    description: [
        ("en", "How many different customers had at least one interaction."),
        ("ru", "Сколько разных клиентов взаимодействовали с компанией хотя бы один раз."),
        ("fa", "چند مشتری متفاوت دست‌کم یک تعامل داشته‌اند."),
        ("ro", "Câți clienți diferiți au avut cel puțin o interacțiune."),
    ],
};

/// Which share of the buyers came back.
pub(super) const REPEAT_CUSTOMER_SHARE: Entry = Entry {
    name: "repeat_customer_share",
    family: Family::Interactions,
    by_topic: None,
    reckoning: Reckoning::Repeats,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Customers with two or more purchases / customers with one or more, in the period, group and cut. A purchase \
              is an interaction of type \"purchase\". Counted by days (UTC) with a purchase unless purchases are asked \
              for. Customers as they are linked now. n is the number of customers with a purchase; with none there is no \
              value. Interval: Wilson. Comparison: pooled two-proportion z test, which takes the two periods' customers \
              for different ones. Groups of fewer customers than the tenant's threshold are suppressed, and with them \
              those that would give them away.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik, Statistical Methods for Rates and Proportions \
             (2003) for the test.",
    description: [
        ("en", "Of all customers who bought something, the share who came back and bought again."),
        ("ru", "Доля покупателей, которые вернулись и купили снова, среди всех купивших."),
        ("fa", "سهم مشتریانی که دوباره خرید کرده‌اند، از میان همهٔ خریداران."),
        ("ro", "Dintre toți clienții care au cumpărat, ponderea celor care s-au întors și au cumpărat din nou."),
    ],
};

/// Which share of all comes by a channel.
pub(super) const CHANNEL_SHARE: Entry = Entry {
    name: "channel_share",
    family: Family::Interactions,
    by_topic: None,
    reckoning: Reckoning::Channels,
    dimensions: DIMENSIONS,
    direction: Direction::Neutral,
    formula: "Interactions by a channel / interactions by any, of any type, in the period, group and cut. Always grouped by \
              channel: a point for each. n is the number of interactions by any channel; with none there is no value. Those \
              of unknown channel are a channel of their own. Interval: Wilson. Comparison: pooled two-proportion z test. A \
              filter by channel leaves the others out of the whole too. Suppression as for repeat_customer_share, by the \
              customers behind a channel.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "By which channels customers turn to the company: each channel's share of all interactions."),
        ("ru", "По каким каналам клиенты обращаются в компанию: доля каждого канала среди всех взаимодействий."),
        ("fa", "مشتریان از چه کانال‌هایی با شرکت در تماس‌اند: سهم هر کانال از همهٔ تعامل‌ها."),
        ("ro", "Prin ce canale se adresează clienții companiei: ponderea fiecărui canal în toate interacțiunile."),
    ],
};
