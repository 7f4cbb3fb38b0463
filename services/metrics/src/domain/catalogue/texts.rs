//! The words of the catalogue: what each metric is, for those who compute with it and for those who only read it.

use super::Entry;

/// How many interactions.
pub(super) const INTERACTIONS: Entry = Entry {
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

/// The relational Net Promoter Score.
pub(super) const NPS: Entry = Entry {
    formula: "100 · (promoters − detractors) / n over the answers to relational NPS surveys (0 to 10): promoters gave 9 or \
              10, detractors 0 to 6. Each response counts, or each customer's latest in a group and cut where that is \
              asked for. n is the number of responses counted; with none there is no value. Interval: adjusted Wald \
              (n + 3, promoters + ¾, detractors + ¾), centred on the adjusted score and kept within ±100; the value is \
              the score itself. Comparison: z test of the adjusted scores. Transactional answers are never mixed in. \
              Groups of fewer responses than the tenant's threshold are suppressed, and with them those that would give \
              them away.",
    unit: "-100 to 100",
    source: "Reichheld, HBR 81(12) (2003); Rocks, The American Statistician 70 (2016) for the interval.",
    description: [
        ("en", "How much more customers would recommend the company than warn against it: promoters minus detractors."),
        ("ru", "Насколько готовность рекомендовать компанию преобладает над критикой: промоутеры минус критики."),
        ("fa", "اینکه مشتریان چقدر بیش از آنکه دیگران را بر حذر دارند، شرکت را توصیه می‌کنند: مروّجان منهای منتقدان."),
        ("ro", "Cu cât clienții mai degrabă ar recomanda compania decât ar critica-o: promotori minus detractori."),
    ],
};
