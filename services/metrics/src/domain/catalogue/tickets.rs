//! How what customers ask for is served.

use super::Entry;
use crate::domain::dimensions::Dimension::{
    self, Agent, Channel, Language, Party, Priority, Product, Stage, Target, Team, Topic, Touchpoint, Type,
};
use crate::domain::facts::Family;
use crate::domain::figures::Direction;
use crate::domain::reckoning::Reckoning;

const DIMENSIONS: &[Dimension] =
    &[Channel, Touchpoint, Stage, Product, Party, Type, Agent, Team, Language, Topic, Priority];
const TARGETS: &[Dimension] =
    &[Channel, Touchpoint, Stage, Product, Party, Type, Agent, Team, Language, Topic, Priority, Target];
const CONTACTS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party];

/// First contact resolution, by contacts.
pub(super) const FCR_OPERATIONAL: Entry = Entry {
    name: "fcr_operational",
    family: Family::Contacts,
    by_topic: None,
    reckoning: Reckoning::LastContacts,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Issues' first contacts without a further one within the window / first contacts on issues, in the \
              period, group and cut, by the time of the contact. A contact is a first one where there was none on \
              the issue within the window before it; contacts of all tickets on the issue count, whatever the \
              group or filter. A ticket that was transferred fails, unless that is declared otherwise. Window: 7 \
              days unless declared. What is younger than the window cannot be told yet: it is left out, and \
              counted apart as immature. n is the number of first contacts; with none there is no value. Interval: \
              Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "SQM Group's operational definition. Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik \
             (2003) for the test.",
    description: [
        ("en", "Of all first contacts on an issue, the share after which the customer did not have to come back."),
        ("ru", "Доля первых обращений по вопросу, после которых клиенту не пришлось обращаться снова."),
        ("fa", "از همهٔ نخستین تماس‌ها دربارهٔ یک مشکل، سهم آنهایی که مشتری پس از آن ناچار به تماس دوباره نشد."),
        ("ro", "Dintre primele contacte pe o problemă, ponderea celor după care clientul nu a trebuit să revină."),
    ],
};

/// First contact resolution, by tickets.
pub(super) const FCR_TICKET: Entry = Entry {
    name: "fcr_ticket",
    family: Family::Solutions,
    by_topic: None,
    reckoning: Reckoning::FirstContact,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Tickets solved with one contact, and neither opened again nor contacted about within the window \
              after / tickets solved, by the time they were first solved. A ticket that was transferred fails, \
              unless that is declared otherwise. Window: 7 days unless declared. What is younger than the window \
              cannot be told yet: it is left out, and counted apart as immature. n is the number of mature solved \
              tickets; with none there is no value. Interval: Wilson. Comparison: pooled two-proportion z test. \
              Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Freshservice's definition by tickets. Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik \
             (2003) for the test.",
    description: [
        ("en", "Of all tickets solved, the share that took one contact and stayed solved."),
        ("ru", "Доля решённых заявок, которым хватило одного обращения и которые не открывались снова."),
        ("fa", "از همهٔ درخواست‌های حل‌شده، سهم آنهایی که با یک تماس حل شدند و حل‌شده ماندند."),
        ("ro", "Dintre toate solicitările rezolvate, ponderea celor cu un singur contact, care au rămas rezolvate."),
    ],
};

/// The share that was opened again.
pub(super) const REOPEN_RATE: Entry = Entry {
    name: "reopen_rate",
    family: Family::Solutions,
    by_topic: None,
    reckoning: Reckoning::Reopened,
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Tickets opened again within the window after they were first solved / tickets solved, by the time \
              they were first solved. Window: 7 days unless declared. What is younger than the window cannot be \
              told yet: it is left out, and counted apart as immature. n is the number of mature solved tickets; \
              with none there is no value. Interval: Wilson. Comparison: pooled two-proportion z test. Suppression \
              as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all tickets solved, the share that had to be opened again."),
        ("ru", "Доля решённых заявок, которые пришлось открыть снова."),
        ("fa", "از همهٔ درخواست‌های حل‌شده، سهم آنهایی که ناچار دوباره باز شدند."),
        ("ro", "Dintre toate solicitările rezolvate, ponderea celor care au trebuit redeschise."),
    ],
};

/// How long the first answer takes.
pub(super) const FIRST_RESPONSE_TIME: Entry = Entry {
    name: "first_response_time",
    family: Family::FirstResponses,
    by_topic: None,
    reckoning: Reckoning::Times,
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Seconds of the service level's own hours from the creation of a ticket to the first answer of a \
              person, of tickets that have one, by the time of creation. The value is the median; the mean and the \
              90th percentile stand beside it. All exact, from every ticket. n is the number of tickets; with none \
              there is no value. Interval: between order statistics, whatever the times are like; of fewer than 6 \
              at 95 % there is none. Comparison: Mann–Whitney test. Suppression as for nps.",
    unit: "seconds",
    source: "Hyndman & Fan, The American Statistician 50 (1996) for percentiles; Conover (1999) for the interval; \
             Mann & Whitney (1947) for the test.",
    description: [
        ("en", "How long customers wait until a person answers them for the first time."),
        ("ru", "Сколько клиенты ждут первого ответа человека."),
        ("fa", "مشتریان چه مدت منتظر نخستین پاسخ یک انسان می‌مانند."),
        ("ro", "Cât așteaptă clienții până când le răspunde prima dată un om."),
    ],
};

/// How long a solution takes.
pub(super) const RESOLUTION_TIME: Entry = Entry {
    name: "resolution_time",
    family: Family::Resolutions,
    by_topic: None,
    reckoning: Reckoning::Times,
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Seconds of the service level's own hours from the creation of a ticket to its (last) solution, \
              without the time it waited for the customer, of tickets that are solved, by the time of that \
              solution. The value is the median; the mean and the 90th percentile stand beside it. All exact, from \
              every ticket. n is the number of tickets; with none there is no value. Interval: between order \
              statistics, whatever the times are like; of fewer than 6 at 95 % there is none. Comparison: \
              Mann–Whitney test. Suppression as for nps.",
    unit: "seconds",
    source: "Hyndman & Fan, The American Statistician 50 (1996) for percentiles; Conover (1999) for the interval; \
             Mann & Whitney (1947) for the test.",
    description: [
        ("en", "How long it takes until what a customer asked for is solved."),
        ("ru", "Сколько времени проходит до решения вопроса клиента."),
        ("fa", "چه مدت طول می‌کشد تا آنچه مشتری خواسته حل شود."),
        ("ro", "Cât durează până când cererea unui client este rezolvată."),
    ],
};

/// The share of targets met.
pub(super) const SLA_MET: Entry = Entry {
    name: "sla_met",
    family: Family::Targets,
    by_topic: None,
    reckoning: Reckoning::Yes,
    dimensions: TARGETS,
    direction: Direction::Higher,
    formula: "Targets met / targets due, of first answers and of solutions (dimension target: first_response, \
              resolution), by the creation of their tickets. One that is open and not missed is not due yet and \
              does not count. n is the number of targets met or missed; with none there is no value. Interval: \
              Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all promises on how quickly customers are served, the share that was kept."),
        ("ru", "Доля выполненных обязательств по срокам обслуживания клиентов."),
        ("fa", "از همهٔ تعهدهای زمان خدمت‌رسانی به مشتریان، سهم آنهایی که رعایت شد."),
        ("ro", "Dintre toate termenele de servire a clienților, ponderea celor respectate."),
    ],
};

/// The share of complaints.
pub(super) const COMPLAINT_RATE: Entry = Entry {
    name: "complaint_rate",
    family: Family::Tickets,
    by_topic: None,
    reckoning: Reckoning::Kind("complaint"),
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Tickets of kind complaint / tickets, by the time of their creation. Claims, questions and requests \
              are no complaints. n is the number of tickets; with none there is no value. Interval: Wilson. \
              Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all that customers turn to the company with, the share that is a complaint."),
        ("ru", "Доля жалоб среди всех обращений клиентов."),
        ("fa", "از همهٔ مراجعه‌های مشتریان، سهم شکایت‌ها."),
        ("ro", "Din toate solicitările clienților, ponderea reclamațiilor."),
    ],
};

/// Contacts for each hundred customers.
pub(super) const CONTACT_RATE: Entry = Entry {
    name: "contact_rate",
    family: Family::Contacts,
    by_topic: None,
    reckoning: Reckoning::Contacts,
    dimensions: CONTACTS,
    direction: Direction::Lower,
    formula: "100 · contacts / active customers in the period, group and cut. Contacts are those about tickets, \
              each by its own time; active customers are the distinct ones, as they are linked now, with an \
              interaction or a contact. n is the number of active customers; with none there is no value. A \
              customer may have several contacts: interval and comparison are those of a Poisson rate (score), not \
              of a share. Suppression as for nps.",
    unit: "contacts for each 100 active customers",
    source: "Garwood, Biometrika 28 (1936), as a score interval; Gu et al., Biometrical Journal 50 (2008) for the \
             test.",
    description: [
        ("en", "How often customers have to turn to the company, for each hundred of them."),
        ("ru", "Как часто клиентам приходится обращаться в компанию, на каждые сто клиентов."),
        ("fa", "مشتریان به ازای هر صد نفر چند بار ناچار می‌شوند به شرکت مراجعه کنند."),
        ("ro", "Cât de des trebuie clienții să se adreseze companiei, la fiecare sută de clienți."),
    ],
};

/// How much of what is asked is answered.
pub(super) const ANSWER_COMPLETENESS: Entry = Entry {
    name: "answer_completeness",
    family: Family::Questions,
    by_topic: None,
    reckoning: Reckoning::Answered,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Messages of customers that want an answer and got one / messages that want one, of tickets by the \
              time of their creation. n is the number of messages that want an answer; with none there is no \
              value. Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all messages in which customers ask something, the share that got an answer."),
        ("ru", "Доля сообщений клиентов с вопросом, на которые дан ответ."),
        ("fa", "از همهٔ پیام‌هایی که مشتری در آن چیزی پرسیده، سهم آنهایی که پاسخ گرفت."),
        ("ro", "Dintre mesajele în care clienții întreabă ceva, ponderea celor la care s-a răspuns."),
    ],
};

/// The share that was never answered.
pub(super) const UNANSWERED_SHARE: Entry = Entry {
    name: "unanswered_share",
    family: Family::Questions,
    by_topic: None,
    reckoning: Reckoning::Unanswered,
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Tickets in which the customer asked something and no message got an answer / tickets in which the \
              customer asked something, by the time of their creation. n is the number of those; with none there \
              is no value. Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all who asked the company something, the share who were not answered at all."),
        ("ru", "Доля обращений с вопросом, на которые вовсе не ответили."),
        ("fa", "از همهٔ کسانی که از شرکت چیزی پرسیدند، سهم کسانی که هیچ پاسخی نگرفتند."),
        ("ro", "Dintre toți cei care au întrebat ceva compania, ponderea celor cărora nu li s-a răspuns deloc."),
    ],
};

/// The share solved without a person.
pub(super) const CONTAINMENT_RATE: Entry = Entry {
    name: "containment_rate",
    family: Family::SelfServices,
    by_topic: None,
    reckoning: Reckoning::Yes,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Tickets solved without a person of the company / tickets that began with self-service, by the time \
              of their creation. One began with self-service where it was solved without a person, or where what \
              came first was answered by a machine. n is the number of those; with none there is no value. \
              Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all who tried to help themselves, the share who did not need a person of the company."),
        ("ru", "Доля тех, кто справился в самообслуживании без сотрудника компании."),
        ("fa", "از همهٔ کسانی که کوشیدند خود کارشان را انجام دهند، سهم کسانی که به کارمند شرکت نیاز نیافتند."),
        ("ro", "Dintre cei care au încercat singuri, ponderea celor care nu au avut nevoie de un om al companiei."),
    ],
};
