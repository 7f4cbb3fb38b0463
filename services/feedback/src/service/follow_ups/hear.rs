//! Hearing what happened: rules open follow-ups, add causes to them and withdraw them; and the next score of a customer
//! is linked to what was resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, TenantId, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::{FollowUps, save};
use crate::domain::facts::Known;
use crate::domain::follow_up::cause::{Cause, Place};
use crate::domain::follow_up::rule::Compiled;
use crate::domain::follow_up::{CauseType, FollowUp, FollowUpId, Opening, Rules, Scored, Told};
use crate::domain::response::{Filter, kept};
use crate::domain::survey::SurveyKind;
use crate::domain::{Customer, Response};
use crate::store;
use crate::store::follow_up::cause::{self, Link};
use crate::store::holder::{self, Left};

/// How many customers are asked for at once, and how many causes one unit hears.
const ASKED: usize = 16;
const UNIT: usize = 50;
/// How many scores are read at once, where some of them do not count.
const SCORES: u64 = 20;

/// Whose a cause is.
#[derive(Clone)]
struct Whose {
    customer: Option<CustomerId>,
    /// As of which revision of it.
    revision: u64,
    /// All subjects that are the customer now.
    subjects: Vec<SubjectId>,
    known: Option<Known>,
}

impl FollowUps {
    /// Hears what was told of responses, tickets, mentions and promises.
    ///
    /// # Errors
    /// Where the database or profiles cannot be reached.
    pub async fn hear(&self, tenant: TenantId, told: Vec<Told>) -> Result<(), Fault> {
        if told.is_empty() {
            return Ok(());
        }
        let (compiled, keys) = (self.compiled.clone(), told.iter().map(|told| told.key).collect::<Vec<_>>());
        let look = move |rx: Rx| {
            let (compiled, keys) = (compiled.clone(), keys.clone());
            async move {
                let links = cause::of(&rx, &keys).await?;
                Ok((compiled.of(&rx).await?, links, store::follow_up::has_resolved(&rx).await?))
            }
        };
        let (rules, links, scoring) = self.db.read(tenant, look).await?;
        let linked: BTreeSet<_> = links.iter().map(|link| link.key).collect();
        let now = self.clock.now();
        let matters = |told: &Told| {
            linked.contains(&told.key)
                || (scoring && told.key.kind == CauseType::Response)
                || rules.iter().any(|rule| may_open(rule, told, now))
        };
        let told: Vec<Told> = told.into_iter().filter(matters).collect();
        let whose = Arc::new(self.whose(tenant, &told).await?);
        for some in told.chunks(UNIT) {
            let (some, whose, this) = (Arc::new(some.to_vec()), Arc::clone(&whose), self.clone());
            let unit = move |tx: Tx| {
                let (some, whose, this) = (Arc::clone(&some), Arc::clone(&whose), this.clone());
                async move { this.hear_all(&tx, &some, &whose, scoring).await }
            };
            self.db.write(tenant, unit).await?;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Asks profiles whose causes are; one that belongs to nobody who is known stands by itself.
    async fn whose(&self, tenant: TenantId, told: &[Told]) -> Result<BTreeMap<SubjectId, Whose>, Fault> {
        let call = Call::internal(tenant, self.clock.now());
        let subjects: BTreeSet<(SubjectId, bool)> = told
            .iter()
            .map(|told| (told.subject, told.content.as_ref().is_some_and(|content| content.anonymous)))
            .collect();
        let ask = |(subject, anonymous): (SubjectId, bool)| {
            let call = &call;
            async move {
                let alone = Whose { customer: None, revision: 0, subjects: vec![subject], known: None };
                if anonymous {
                    return Ok((subject, alone));
                }
                match self.profiles.resolve(call, &Customer::Id(subject)).await {
                    Ok(resolved) => {
                        let (customer, known) = (Some(resolved.customer), Some(resolved.known));
                        let (revision, subjects) = (resolved.revision, resolved.subjects);
                        Ok((subject, Whose { customer, revision, subjects, known }))
                    }
                    Err(fault) if fault.reason == Reason::ResourceNotFound => Ok((subject, alone)),
                    Err(fault) => Err(fault),
                }
            }
        };
        let found: Vec<Result<_, Fault>> = stream::iter(subjects).map(ask).buffer_unordered(ASKED).collect().await;
        found.into_iter().collect()
    }

    async fn hear_all(
        &self,
        tx: &Tx,
        told: &[Told],
        whose: &BTreeMap<SubjectId, Whose>,
        scoring: bool,
    ) -> Result<(), Fault> {
        tx.hold_erasures().await?;
        let subjects: Vec<SubjectId> = told.iter().map(|told| told.subject).collect();
        let erased = tx.is_entombed(&subjects).await?;
        let of = |told: &Told| whose.get(&told.subject);
        let lock = |whose: &Whose| whose.customer.or_else(|| whose.subjects.first().copied());
        let locks: BTreeSet<String> =
            told.iter().filter_map(of).filter_map(lock).map(|customer| format!("follow-ups of {customer}")).collect();
        tx.lock(&locks.into_iter().collect::<Vec<_>>()).await?;
        let rules = self.compiled.of(tx).await?;
        let holders = holder::of(tx, &subjects).await?;
        for one in told.iter().filter(|one| !erased.contains(&one.subject)) {
            let Some(whose) = of(one) else { continue };
            hear(tx, &rules, one, whose).await?;
            if let (Some(holder), Some(customer)) = (holders.get(&one.subject), whose.customer)
                && holder.customer != customer
                && holder.revision > whose.revision
            {
                // It changed hands since profiles was asked: what was opened may have to be joined.
                holder::leave(tx, Left { subject: one.subject, customer, revision: holder.revision }).await?;
            }
            if scoring && one.key.kind == CauseType::Response {
                score(tx, &whose.subjects).await?;
            }
        }
        Ok(())
    }
}

/// Whether a rule may open something for a cause, as far as that can be told without its customer.
fn may_open(rule: &Compiled, told: &Told, now: Timestamp) -> bool {
    let Some(content) = &told.content else { return false };
    rule.looks_at(told.key.kind) && rule.is_fresh(told, now) && (rule.reads_customer() || rule.holds(content, None))
}

async fn hear(tx: &Tx, rules: &Rules, told: &Told, whose: &Whose) -> Result<(), Fault> {
    let links = cause::of(tx, &[told.key]).await?;
    let mut settled: BTreeSet<_> =
        links.iter().filter(|link| link.revision >= told.revision).map(|link| link.rule).collect();
    for link in links.into_iter().filter(|link| link.stands && link.revision < told.revision) {
        let rule = link.rule;
        if told_again(tx, rules, told, whose, link).await? {
            settled.insert(rule);
        }
    }
    let Some(content) = &told.content else { return Ok(()) };
    for rule in rules.iter().filter(|rule| !settled.contains(&rule.id) && may_open(rule, told, tx.now())) {
        if rule.holds(content, whose.known.as_ref()) && is_news(tx, rule, told).await? {
            follow(tx, rule, told, whose).await?;
        }
    }
    Ok(())
}

/// Whether what was told is how things stand, and is younger than the rule.
async fn is_news(tx: &Tx, rule: &Compiled, told: &Told) -> Result<bool, Fault> {
    // What is kept of an anonymous answer's time may lie before the rule by less than its own unit.
    let is_answer = told.key.kind == CauseType::Response;
    let anonymous = is_answer && told.content.as_ref().is_some_and(|content| content.anonymous);
    let (held, since) = (cause::held(tx, told.key).await?, kept(rule.since, anonymous));
    Ok(held.is_some_and(|held| held.revision == told.revision && held.changed_at >= since))
}

/// Tells a follow-up what became of a cause of it. Answers whether it is a cause still.
async fn told_again(tx: &Tx, rules: &Rules, told: &Told, whose: &Whose, link: Link) -> Result<bool, Fault> {
    let holds = match (&told.content, rules.get(link.rule)) {
        (None, _) => false,
        // It turned out to be somebody else's.
        _ if told.subject != link.subject => false,
        (Some(content), Some(rule)) => rule.holds(&content.at(link.progress.as_ref()), whose.known.as_ref()),
        (Some(_), None) => true,
    };
    // Of one that is over too: whether it helped is judged by what caused it.
    if let Some(held) = store::follow_up::lock(tx, link.follow_up).await? {
        let touched = match Cause::of(told).filter(|_| holds) {
            Some(cause) => held.take(cause, held.reached_at(tx.now())),
            None => held.withdraw(told.key, held.reached_at(tx.now())),
        };
        if let Some(touched) = touched {
            save(tx, touched).await?;
        }
    }
    cause::put(tx, &Link { revision: told.revision, stands: holds, ..link }).await?;
    Ok(holds)
}

/// Adds a cause to the open follow-up of a rule, or opens one.
async fn follow(tx: &Tx, rule: &Compiled, told: &Told, whose: &Whose) -> Result<(), Fault> {
    let (Some(content), Some(cause)) = (&told.content, Cause::of(told)) else { return Ok(()) };
    let (id, touched) = match store::follow_up::open_of(tx, &whose.subjects, rule.id).await? {
        Some(held) => (held.id, held.take(cause, held.reached_at(tx.now()))),
        None => {
            let Some(turn) = store::follow_up::rule::turn(tx, rule.id).await? else { return Ok(()) };
            let (owner, team) = rule.assigned(content, whose.known.as_ref(), turn);
            let said = &rule.rule;
            let opening = Opening {
                id: if told.key.is_timeless() { FollowUpId::from_uuid(Uuid::new_v4()) } else { FollowUpId::new() },
                subject: told.subject,
                customer: whose.customer,
                rule: Some(rule.id),
                kind: said.kind,
                priority: said.priority,
                owner,
                team,
                title: String::new().into(),
                window: said.due_in,
                calendar: said.calendar,
                steps: said.steps.clone(),
                cause: Some(cause),
                place: Place::default(),
                party: content.party,
                dimensions: content.dimensions.clone(),
            };
            (opening.id, Some(FollowUp::open(opening, &rule.hours, tx.now())))
        }
    };
    if let Some(touched) = touched {
        save(tx, touched).await?;
    }
    let progress = content.progress().cloned();
    let (key, subject, revision) = (told.key, told.subject, told.revision);
    let link = Link { key, rule: rule.id, follow_up: id, subject, revision, stands: true, progress };
    cause::put(tx, &link).await
}

/// Links to each resolved follow-up of a customer the first score that was given after it.
async fn score(tx: &Tx, subjects: &[SubjectId]) -> Result<(), Fault> {
    for held in store::follow_up::resolved_of(tx, subjects).await? {
        let Some(resolved_at) = held.resolved_at else { continue };
        let kind = held.score_before().and_then(|score| SurveyKind::of(&score.kind));
        let filter = Filter {
            kind,
            complete: Some(true),
            from: Some(resolved_at.plus(Duration::from_micros(1))),
            min_score: Some(i32::MIN),
            ..Filter::default()
        };
        let (conn, tenant) = (tx.conn(), tx.tenant());
        let found = store::response::list(conn, tenant, (&filter, true), Some(subjects), None, SCORES).await?;
        let counts = |response: &&Response| kind.is_some() || response.kind != SurveyKind::Custom;
        let next = found.iter().find(counts).and_then(scored);
        if let Some(touched) = held.link_score(next, tx.now()) {
            save(tx, touched).await?;
        }
    }
    Ok(())
}

fn scored(response: &Response) -> Option<Scored> {
    let value = response.score()?;
    let content = &response.content;
    let measure = content.measures.iter().find(|measure| content.principal.as_ref() == Some(&measure.question));
    Some(Scored {
        response: response.id.uuid(),
        subject: response.respondent.subject,
        kind: response.kind.name().to_owned(),
        value,
        min: measure.map_or(0, |measure| measure.bounds.min),
        max: measure.map_or(0, |measure| measure.bounds.max),
        reversed: measure.is_some_and(|measure| measure.bounds.reversed),
        at: response.answered_at,
    })
}
