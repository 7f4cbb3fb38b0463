//! Deciding, showing what was decided, deciding it again.

use std::sync::Arc;

use rapport_data::{Answer, Database, Receipt, Rx};
use rapport_kernel::{Clock, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::{Call, Platform};

use super::Policies;
use super::commits::Commits;
use super::ledgers::{Ledgers, after};
use super::turns::Turns;
use crate::convert::decision::{Question, render};
use crate::convert::{inputs, profile::Context};
use crate::domain::{ALGORITHM, Ask, Counts, Decision, DecisionId, Draw, Funnel, Policy, decide};
use crate::peers::{Contexts, Resolved};
use crate::store;
use crate::store::contact::Read;
use crate::store::decision::Kept;

/// How often a decision is made again after it lost against another about the same customer.
const AGAIN: u32 = 3;

/// The decisions of all tenants.
#[derive(Clone)]
pub struct Decisions(Arc<Inner>);

struct Inner {
    db: Database,
    policies: Policies,
    contexts: Contexts,
    clock: Arc<dyn Clock>,
    turns: Turns,
    ledgers: Ledgers,
    commits: Commits,
    /// γ of the inverse-gap weighting.
    exploration: f64,
}

/// A decision, as it is committed.
pub struct Made {
    /// The decision.
    pub decision: Decision,
    pub(super) kept: Kept,
    /// The ledger it was made from; where the decision was planned for another instant, as of that one.
    pub(super) ledger: Read,
    /// The ledger holds all that was entered after this; `None`: it is not one to go on from.
    since: Option<Timestamp>,
}

impl Made {
    /// The decision, encoded as it is answered.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        &self.kept.answer
    }

    /// The subjects whose data it was made from, but for the one it is filed under.
    pub(super) fn sources(&self) -> Vec<SubjectId> {
        let others = self.ledger.versions.iter().map(|(subject, _)| *subject);
        others.filter(|subject| *subject != self.decision.subject).collect()
    }
}

/// A decision made again.
pub struct Replayed {
    /// The decision, with everything explained.
    pub decision: Decision,
    /// Whether what was answered then comes out again, byte for byte.
    pub identical: bool,
}

impl Decisions {
    /// In a database, by policies, about customers of contexts.
    #[must_use]
    pub fn new(platform: &Platform, db: Database, policies: Policies, contexts: Contexts, exploration: f64) -> Self {
        let (clock, turns, ledgers) = (Arc::clone(&platform.clock), Turns::new(), Ledgers::new());
        let commits = Commits::new(db.clone(), platform.tasks.clone());
        Self(Arc::new(Inner { db, policies, contexts, clock, turns, ledgers, commits, exploration }))
    }

    /// Decides, and commits the decision, its ledger entries and its event together; a dry run commits nothing.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; FAILED_PRECONDITION where it was erased or has not reached the revision; ABORTED
    /// where other decisions about it kept winning; ALREADY_EXISTS for a request id used with another body.
    pub async fn decide(
        &self,
        call: &Call,
        receipt: Option<Receipt<Arc<Made>>>,
        question: Question,
    ) -> Result<Answer<Arc<Made>>, Fault> {
        if question.ask.dry_run {
            return self.make(call, &question).await.map(|made| Answer::Fresh(Arc::new(made)));
        }
        let _turn = self.0.turns.take(call.tenant(), &question.customer).await;
        let mut again = AGAIN;
        loop {
            let made = Arc::new(self.make(call, &question).await?);
            let outcome = self.commit(call, receipt.clone(), Arc::clone(&made)).await;
            match &outcome {
                Ok(Answer::Fresh(made)) => self.keep(call, made),
                Ok(Answer::Replayed(_)) => {}
                Err(_) => self.0.ledgers.forget(call.tenant(), made.decision.subject),
            }
            match outcome {
                Err(lost) if lost.reason == Reason::Contention && again > 0 => again -= 1,
                outcome => return outcome,
            }
        }
    }

    /// Returns a decision as it was answered, encoded.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION where its customer was erased.
    pub async fn get(&self, call: &Call, id: DecisionId) -> Result<Vec<u8>, Fault> {
        let query = move |rx: Rx| async move { store::decision::answer(&rx, id).await };
        self.0.db.until(call.deadline).read(call.tenant(), query).await
    }

    /// Makes a decision again from what was logged.
    ///
    /// # Errors
    /// As [`Decisions::get`]; FAILED_PRECONDITION where it was made in a way that is no longer known.
    pub async fn replay(&self, call: &Call, id: DecisionId) -> Result<Replayed, Fault> {
        let query = move |rx: Rx| async move { store::decision::get(&rx, id).await };
        let kept = self.0.db.until(call.deadline).read(call.tenant(), query).await?;
        if kept.algorithm != ALGORITHM {
            let text = "the decision was made by another version of the suite, in a way this one does not know";
            return Err(Fault::new(Reason::InvalidState, text).with("algorithm", kept.algorithm));
        }
        let policy = self.0.policies.version(call, kept.policy_version).await?;
        let context = Context::decode(&kept.profile.into())?;
        let (asked, counts) = (inputs::ask(&kept.asked)?, inputs::counts(&kept.counts)?);
        let made = |ask: &Ask| decide(&policy, &context.profile, &counts, ask, &kept.draw);
        let identical = prost::Message::encode_to_vec(&render(&made(&asked))) == kept.answer;
        Ok(Replayed { decision: made(&Ask { explain: true, ..asked }), identical })
    }

    /// Makes a decision from what holds now.
    async fn make(&self, call: &Call, question: &Question) -> Result<Made, Fault> {
        let inner = &*self.0;
        let policy = inner.policies.newest(call).await?;
        let Resolved { context, subject } =
            inner.contexts.resolve(call, &question.customer, question.min_revision).await?;
        let (profile, ask) = (&context.profile, &question.ask);
        let at = question.at.unwrap_or_else(|| inner.clock.now());
        let draw = Draw { id: DecisionId::new(), subject, seed: rand::random(), at, exploration: inner.exploration };
        let funnel = Funnel::open(&policy, profile, ask, at);
        let (caps, subjects) = (funnel.capped(), filed_and_all(subject, &profile.subjects));
        let since = at.minus(policy.longest_window());
        // What is only asked is answered from the newest; what is to be committed proves then whether it was.
        let now = question.at.is_none() && !ask.dry_run;
        let held = now.then(|| inner.ledgers.get(call.tenant(), subject, &subjects, policy.version, since)).flatten();
        let mut ledger = match held {
            Some(held) => held,
            None => self.read(call, subjects, &policy, at).await?,
        };
        if let Some(gone) = ledger.erased().next() {
            // Of another subject of the customer the context has yet to learn it.
            return Err(if gone == subject { erased() } else { behind() });
        }
        if let Some(planned) = question.at {
            // What was entered after the instant that is planned for had not happened by then.
            ledger.entries.retain(|(_, entered)| *entered <= planned);
        }
        let counts = Counts::tally(&caps, &ledger.entries, at);
        let decision = funnel.decide(profile, &counts, ask, &draw);
        let kept = Kept {
            draw,
            policy_version: policy.version,
            algorithm: ALGORITHM,
            asked: inputs::asked(ask),
            profile: context.bytes.to_vec(),
            counts: inputs::counted(&counts),
            answer: prost::Message::encode_to_vec(&render(&decision)),
        };
        Ok(Made { decision, kept, ledger, since: now.then_some(since) })
    }

    /// Reads the ledger of a customer's subjects, as far back as the policy's caps look.
    async fn read(&self, call: &Call, subjects: Vec<SubjectId>, policy: &Policy, at: Timestamp) -> Result<Read, Fault> {
        let caps = policy.caps();
        let query = move |rx: Rx| async move { store::contact::read(&rx, &subjects, &caps, at).await };
        self.0.db.until(call.deadline).read(call.tenant(), query).await
    }

    /// Keeps the ledger at hand as a committed decision left it.
    fn keep(&self, call: &Call, made: &Made) {
        if let Some(since) = made.since {
            let decision = &made.decision;
            let chosen = decision.chosen.iter().map(|chosen| chosen.action);
            let ledger = after(made.ledger.clone(), chosen, decision.at);
            self.0.ledgers.put(call.tenant(), decision.subject, made.kept.policy_version, since, ledger);
        }
    }

    async fn commit(
        &self,
        call: &Call,
        receipt: Option<Receipt<Arc<Made>>>,
        made: Arc<Made>,
    ) -> Result<Answer<Arc<Made>>, Fault> {
        match receipt {
            Some(receipt) => self.0.commits.once(call, receipt, made).await,
            None => self.0.commits.together(call, Arc::clone(&made)).await.map(|()| Answer::Fresh(made)),
        }
    }
}

/// The customer's subjects, and the one a decision is filed under: it is one of them, unless it left a moment ago.
fn filed_and_all(filed: SubjectId, subjects: &[SubjectId]) -> Vec<SubjectId> {
    let mut all = subjects.to_vec();
    if !all.contains(&filed) {
        all.push(filed);
    }
    all
}

fn behind() -> Fault {
    Fault::new(Reason::Contention, "the customer's record changes right now: try again")
}

fn erased() -> Fault {
    Fault::new(Reason::Erased, "the customer was erased")
}
